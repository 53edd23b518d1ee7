import * as z from 'zod';
import { cidr, objectName, port } from './scalars.js';

export const ACTIONS = ['Allow', 'Deny', 'Reject'] as const;
export const DIRECTIONS = ['Ingress', 'Egress'] as const;
const PROTOCOLS = ['TCP', 'UDP', 'ICMP'] as const;

const exactlyOne = (value: object): boolean => Object.values(value).filter((field) => field !== undefined).length === 1;

const peer = z
  .strictObject({
    cidr: cidr.optional().describe('A prefix.'),
    addressGroup: objectName.optional().describe('The name of an `AddressGroup`.'),
  })
  .refine(exactlyOne, { error: 'must be either {cidr: …} or {addressGroup: …}' });

const portMatch = z
  .strictObject({
    protocol: z.enum(PROTOCOLS).describe('`ICMP` is a ping, of either family; errors belong to their connection.'),
    port: port.optional().describe('The port, or the first of a range; every port when left out.'),
    endPort: port.optional().describe('The last port of a range.'),
  })
  .superRefine((match, context) => {
    const issue = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if (match.protocol === 'ICMP')
      for (const field of ['port', 'endPort'] as const)
        if (match[field] !== undefined) issue(field, 'has no meaning for protocol ICMP; leave it out');
    if (match.endPort === undefined || match.protocol === 'ICMP') return;
    if (match.port === undefined) issue('endPort', 'needs port, the first of the range');
    else if (match.endPort < match.port) issue('endPort', `is ${match.endPort}, below port ${match.port}`);
  });

const rule = z.strictObject({
  priority: z.int().min(1).max(65_535).describe('The lower number is asked first; one of its own for each direction.'),
  action: z.enum(ACTIONS).describe('`Deny` drops; `Reject` answers with a TCP reset or an ICMP error.'),
  direction: z.enum(DIRECTIONS).describe('`Ingress`: opened towards the elastic IP. `Egress`: opened by the VPC.'),
  peers: z.array(peer).min(1).max(256).optional().describe('The far end; everybody when left out.'),
  ports: z.array(portMatch).min(1).max(64).optional().describe('Every protocol and port when left out.'),
  log: z.boolean().default(false).describe('Logs the connections it decides, at most ten a second.'),
});

export const rules = z
  .array(rule)
  .min(1)
  .max(1000)
  .superRefine((all, context) => {
    const seen = new Set<string>();
    all.forEach(({ priority, direction }, i) => {
      const key = `${direction} ${priority}`;
      if (seen.has(key))
        context.addIssue({
          code: 'custom',
          path: [i, 'priority'],
          message: `a second ${direction} rule of priority ${priority}; which of the two is asked first would be chance`,
        });
      seen.add(key);
    });
  });

const onEdit = z
  .enum(['Flush', 'Keep'])
  .default('Flush')
  .describe('What becomes of established connections that an edit denies: ended at once, or kept until they end.');

export const firewallPolicySpec = z.strictObject({
  appliesTo: z
    .strictObject({
      gateway: z.literal(true).optional().describe('Every elastic IP and public prefix, and all that leaves.'),
      elasticIPs: z.array(objectName).min(1).max(1000).optional().describe('Elastic IPs by name.'),
      matchLabels: z
        .record(z.string().max(317), z.string().max(63))
        .refine((labels) => Object.keys(labels).length > 0, { error: 'must name a label at least' })
        .optional()
        .describe('Elastic IPs whose `metadata.labels` have all of these.'),
    })
    .refine(exactlyOne, { error: 'must be exactly one of gateway: true, elasticIPs: […] or matchLabels: {…}' })
    .describe('What is judged by it.'),
  rules: rules.describe('What no rule matches is denied, in each direction that the policy has rules of.'),
  onEdit,
});

export const firewallBaselineSpec = z.strictObject({
  rules: rules.describe('Asked before every policy, and final; what none matches goes on to the policies.'),
  onEdit,
});
