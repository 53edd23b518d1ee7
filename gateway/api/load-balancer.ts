import * as z from 'zod';
import { cidr, duration, ipAddress, objectName, port } from './scalars.js';

export const ALGORITHMS = ['RoundRobin', 'LeastConnections', 'SourceHash', 'Maglev'] as const;
const LONGEST_DRAIN_MS = 24 * 3_600_000;
const MOST_LISTENERS = 64;
const MOST_MEMBERS = 256;

const member = z.strictObject({
  address: ipAddress.describe('An address of the VPC.'),
  port: port.optional().describe("Where it listens; the listener's own port when left out."),
  weight: z.int().min(0).max(256).default(1).describe('Its share of new connections; 0 takes it out.'),
  backup: z.boolean().default(false).describe('Serves only while no other member does.'),
  maintenance: z.boolean().default(false).describe('Takes it out, as weight 0 does, and keeps its weight.'),
});

const pool = z.strictObject({
  name: objectName.describe('What listeners call it.'),
  members: z.array(member).min(1).max(MOST_MEMBERS).describe('Where connections end.'),
  drainTimeout: duration
    .refine((ms) => ms <= LONGEST_DRAIN_MS, { error: 'must be 24h at most' })
    .default(30_000)
    .describe('How long TCP connections of a member that is taken out may go on; `0s` ends them at once.'),
  allDown: z
    .enum(['Reject', 'FailOpen'])
    .default('Reject')
    .describe('While no member serves: refuse at once, or go on as if all that are not taken out were up.'),
});

const listener = z
  .strictObject({
    protocol: z.enum(['TCP', 'UDP']).describe('Of the connections.'),
    port: port.describe('The port, or the first of a range.'),
    endPort: port.optional().describe('The last port of a range; each port leads to the same port of a member.'),
    pool: objectName.describe('One of `pools`.'),
    algorithm: z.enum(ALGORITHMS).default('RoundRobin').describe('Which member a new connection goes to.'),
    affinity: z
      .strictObject({ timeout: duration.default(10_800_000).describe('After the last connection of a client.') })
      .optional()
      .describe('New connections of one client go to one member.'),
    maxConnections: z.int().min(1).max(1_000_000).optional().describe('At once; what comes beyond is dropped.'),
    allowedSources: z.array(cidr).min(1).max(256).optional().describe('Who may connect; everybody when left out.'),
  })
  .superRefine((spec, context) => {
    if (spec.endPort !== undefined && spec.endPort < spec.port)
      context.addIssue({ code: 'custom', path: ['endPort'], message: `is ${spec.endPort}, below port ${spec.port}` });
  });

export const loadBalancerSpec = z
  .strictObject({
    elasticIP: objectName.optional().describe('Reached from outside, and by the VPC.'),
    address: ipAddress.optional().describe("Reached by the VPC alone; a free address of one of the gateway's subnets."),
    pools: z.array(pool).min(1).max(MOST_LISTENERS).describe('Groups of members.'),
    listeners: z.array(listener).min(1).max(MOST_LISTENERS).describe('Ports, and the pool that each leads to.'),
  })
  .refine((spec) => spec.elasticIP !== undefined || spec.address !== undefined, {
    error: 'must have elasticIP, address or both: where it is reached',
  });
