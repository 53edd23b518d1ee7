import * as z from 'zod';
import { objectName, port, target } from './scalars.js';

export const PROTOCOLS = ['TCP', 'UDP', 'ICMP', 'Any'] as const;

export const dnatRuleSpec = z
  .strictObject({
    elasticIP: objectName.describe('The elastic IP that is reached.'),
    protocol: z.enum(PROTOCOLS).describe('`ICMP` is echo (ping); `Any` is the whole address.'),
    port: port.optional().describe('The public port, or the first of a range.'),
    endPort: port.optional().describe('The last port of a range.'),
    target,
    targetPort: port.optional().describe('The first port at the target; the same as `port` when left out.'),
  })
  .superRefine((spec, context) => {
    const issue = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    const hasPorts = spec.protocol === 'TCP' || spec.protocol === 'UDP';
    if (hasPorts && spec.port === undefined) issue('port', `is missing: a ${spec.protocol} rule needs a port`);
    if (!hasPorts)
      for (const field of ['port', 'endPort', 'targetPort'] as const)
        if (spec[field] !== undefined) issue(field, `has no meaning for protocol ${spec.protocol}; leave it out`);
    if (hasPorts && spec.port !== undefined && spec.endPort !== undefined && spec.endPort < spec.port)
      issue('endPort', `is ${spec.endPort}, below port ${spec.port}`);
    const span = (spec.endPort ?? spec.port ?? 0) - (spec.port ?? 0);
    if (hasPorts && spec.targetPort !== undefined && spec.targetPort + span > 65535)
      issue('targetPort', `the range of ${span + 1} ports ends above 65535`);
  });
