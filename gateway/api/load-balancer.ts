import * as z from 'zod';
import { cidr, duration, formatDuration, ipAddress, objectName, port } from './scalars.js';

export const ALGORITHMS = ['RoundRobin', 'LeastConnections', 'SourceHash', 'Maglev'] as const;
const LONGEST_DRAIN_MS = 24 * 3_600_000;
const SHORTEST_IDLE_MS = 1_000;
const LONGEST_IDLE_MS = 24 * 3_600_000;
const MOST_LISTENERS = 64;
const MOST_MEMBERS = 256;

const member = z.strictObject({
  address: ipAddress.describe('An address of the VPC.'),
  port: port.optional().describe("Where it listens; the listener's own port when left out."),
  weight: z.int().min(0).max(256).default(1).describe('Its share of new connections; 0 takes it out.'),
  backup: z.boolean().default(false).describe('Serves only while no other member does.'),
  maintenance: z.boolean().default(false).describe('Takes it out, as weight 0 does, and keeps its weight.'),
});

const SHORTEST_INTERVAL_MS = 100;
const LONGEST_INTERVAL_MS = 3_600_000;
const CODES = /^[1-5]\d\d(-[1-5]\d\d)?$/;
/** What goes into a request must not be able to end its line. */
const PRINTABLE = /^[\x21-\x7e]+$/;
const OF_HTTP = ['method', 'path', 'host', 'expectedCodes', 'body'] as const;

const threshold = z.int().min(1).max(100);

const healthCheck = z
  .strictObject({
    type: z
      .enum(['TCP', 'HTTP', 'HTTPS', 'UDP', 'Ping'])
      .describe(
        '`TCP`: it takes a connection. `UDP`: no ICMP error comes back. `HTTPS`: certificates are not verified. `Ping`: it answers an ICMP echo.',
      ),
    port: port.optional().describe("Instead of the member's port, or of the listener's where it has none."),
    interval: duration
      .refine((ms) => ms >= SHORTEST_INTERVAL_MS && ms <= LONGEST_INTERVAL_MS, { error: 'must be 100ms to 1h' })
      .default(5_000)
      .describe('From the beginning of one check to that of the next; up to a tenth shorter, so that checks spread.'),
    timeout: duration.default(2_000).describe('For the whole of a check; `interval` at most.'),
    healthyThreshold: threshold.default(2).describe('So many successes in a row, and it serves again.'),
    unhealthyThreshold: threshold.default(3).describe('So many failures in a row, and it serves no more.'),
    method: z.enum(['GET', 'HEAD']).optional().describe('`GET` when left out.'),
    path: z
      .string()
      .max(1024)
      .regex(/^\//, { error: 'must begin with /' })
      .regex(PRINTABLE, { error: 'must be printable ASCII without blanks' })
      .optional()
      .describe('`/` when left out.'),
    host: z
      .string()
      .max(253)
      .regex(PRINTABLE, { error: 'must be a host name' })
      .optional()
      .describe("The `Host` field; the member's address when left out."),
    expectedCodes: z
      .array(z.string().regex(CODES, { error: 'must be a status or a range, such as "200" or "200-399"' }))
      .min(1)
      .max(16)
      .optional()
      .describe('`200-399` when left out.'),
    body: z.string().min(1).max(256).optional().describe('What the first 64 KiB of the answer must contain.'),
    serverName: z
      .string()
      .max(253)
      .regex(PRINTABLE, { error: 'must be a host name' })
      .optional()
      .describe('The name that TLS asks for (SNI).'),
  })
  .superRefine((check, context) => {
    const issue = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if (check.timeout > check.interval || check.timeout === 0)
      issue('timeout', `must be more than 0s, and no longer than the interval of ${formatDuration(check.interval)}`);
    const http = check.type === 'HTTP' || check.type === 'HTTPS';
    for (const field of http ? [] : OF_HTTP)
      if (check[field] !== undefined) issue(field, `has no meaning for a check of type ${check.type}; leave it out`);
    if (check.type === 'Ping' && check.port !== undefined)
      issue('port', 'has no meaning for a check of type Ping; leave it out');
    if (check.type !== 'HTTPS' && check.serverName !== undefined)
      issue('serverName', `has no meaning for a check of type ${check.type}; leave it out`);
    if (check.method === 'HEAD' && check.body !== undefined) issue('body', 'an answer to HEAD has none');
  });

const pool = z.strictObject({
  name: objectName.describe('What listeners call it.'),
  members: z.array(member).min(1).max(MOST_MEMBERS).describe('Where connections end.'),
  drainTimeout: duration
    .refine((ms) => ms <= LONGEST_DRAIN_MS, { error: 'must be 24h at most' })
    .default(30_000)
    .describe('How long TCP connections of a member that is taken out may go on; `0s` ends them at once.'),
  healthCheck: healthCheck.optional().describe('Without one, every member is taken to be up.'),
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
      .strictObject({
        timeout: duration.default(10_800_000).describe('After the last connection of a client.'),
      })
      .optional()
      .describe('New connections of one client go to one member.'),
    idleTimeout: duration
      .refine((ms) => ms >= SHORTEST_IDLE_MS && ms <= LONGEST_IDLE_MS, { error: 'must be 1s to 24h' })
      .optional()
      .describe(
        "A connection without a packet for so long is forgotten; as the gateway's `timeouts` say when left out.",
      ),
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
