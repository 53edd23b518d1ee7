import * as z from 'zod';
import { bgp } from './bgp.js';
import { rules } from './firewall-policy.js';
import { bandwidth, cidr, duration, interfaceAddress, interfaceName, ipAddress, objectName, port } from './scalars.js';
import { linkMtu, localNetworks, translate } from './site.js';

/** Of two lines to one network the lower is taken; a VPN connection comes after all of them. */
export const MAX_LINE_PRIORITY = 199;
const DEFAULT_PRIORITY = 100;
export const DEFAULT_STEADY_MS = 10_000;

const linePort = z.strictObject({
  interface: interfaceName.describe('The interface that the line ends at; of no other use to the gateway.'),
  vlan: z.int().min(1).max(4094).optional().describe('Its VLAN there (802.1Q); left out: untagged.'),
});

const probe = z
  .strictObject({
    type: z.enum(['ICMP', 'TCP']).default('ICMP').describe('A ping, or a connection that is opened and closed.'),
    address: ipAddress
      .optional()
      .describe("Who is asked, in the line's networks; the other end's router when left out."),
    port: port.optional().describe('Of `TCP`.'),
    interval: duration
      .refine((ms) => ms >= 100 && ms <= 60_000, { error: 'must be 100ms to 1m' })
      .default(1_000)
      .describe('From one question to the next; what is not answered by then is lost.'),
    unhealthyThreshold: z.int().min(1).max(10).default(3).describe('So many lost in a row take the line out.'),
    steady: duration
      .refine((ms) => ms <= 3_600_000, { error: 'must be 1h at most' })
      .default(DEFAULT_STEADY_MS)
      .describe(
        'For so long it has to be sound before it carries again; for twice as long, up to eight times, when it fails soon after it came back.',
      ),
  })
  .superRefine(({ type, port: given }, context) => {
    if (type === 'TCP' && given === undefined)
      context.addIssue({ code: 'custom', path: ['port'], message: 'is missing: TCP needs a port to connect to' });
    if (type === 'ICMP' && given !== undefined)
      context.addIssue({ code: 'custom', path: ['port'], message: 'has no meaning for type ICMP; leave it out' });
  })
  .describe('Asked through the line, from its own address, so that one which is up and does not forward is taken out.');

export const dedicatedLineSpec = z
  .strictObject({
    port: linePort.describe('Where the line ends.'),
    localAddresses: z
      .array(interfaceAddress)
      .min(1)
      .max(2)
      .describe("The gateway's own address on the line, at most one per family, with the subnet's prefix length."),
    peerAddresses: z.array(ipAddress).min(1).max(2).describe("The other end's router, at most one per family."),
    localNetworks,
    static: z
      .strictObject({ networks: z.array(cidr).min(1).max(1_000).describe('What is behind the other end.') })
      .optional()
      .describe('Networks that do not change; or `bgp`.'),
    bgp: bgp.optional(),
    probe: probe.optional(),
    backup: objectName
      .optional()
      .describe('The `VpnConnection` that carries the same networks while the line does not; its own cover them.'),
    translate,
    priority: z
      .int()
      .min(1)
      .max(MAX_LINE_PRIORITY)
      .default(DEFAULT_PRIORITY)
      .describe('Of several lines to one network those of the lowest number are taken, and share its connections.'),
    mtu: linkMtu.describe("In bytes; the port's when left out. TCP follows by itself."),
    bandwidth: bandwidth.optional().describe('What passes the line at most. Ingress: from the site to the VPC.'),
    rules: rules
      .optional()
      .describe(
        'Who may open connections through it; `Ingress`: the site. What no rule matches is denied, in each direction that has rules. Without any, all may pass between the networks of both sides.',
      ),
  })
  .superRefine(({ static: fixed, bgp: session, probe: asked }, context) => {
    const issue = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if ((fixed === undefined) === (session === undefined))
      issue('static', 'must stand there, or bgp, and not both: the networks behind the line');
    if (session && asked) issue('probe', 'is for static networks; a session has bfd');
  });
