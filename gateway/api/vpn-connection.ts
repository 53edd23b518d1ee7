import * as z from 'zod';
import { rules } from './firewall-policy.js';
import { ipsec } from './ipsec.js';
import { endpoint, keyRef, wireGuardKey } from './keys.js';
import { tunnelProbe } from './peer.js';
import { bandwidth, cidr, duration, objectName, port } from './scalars.js';
import { linkMtu, localNetworks, translate } from './site.js';

export const DEFAULT_LISTEN_PORT = 51_820;
export const MAX_VPN_PRIORITY = 199;

/** What is said of a peer, in a connection's document or in one of its own. */
export const peerFields = {
  publicKey: wireGuardKey.describe('Its public key.'),
  presharedKeyRef: keyRef.optional().describe('A key that only both ends know, on top of the public ones.'),
  endpoint: endpoint
    .optional()
    .describe('Where it is; a peer that calls from elsewhere has roamed there. Without one it has to call first.'),
  networks: z
    .array(cidr)
    .min(1)
    .max(256)
    .describe('What is behind it: only from these addresses may it send, and to these the VPC is led.'),
  keepalive: duration
    .refine((ms) => ms === 0 || (ms >= 1_000 && ms <= 65_535_000 && ms % 1_000 === 0), {
      error: 'must be 0s for none, or whole seconds up to 65535s',
    })
    .default(0)
    .describe(
      'Says something so often, so that a NAT in between keeps the way open; `0s`: never, but every 25s to a peer with an `endpoint` and without a `probe` where the connection has a `priority`.',
    ),
  probe: tunnelProbe,
} as const;

const peer = z.strictObject({
  name: objectName.describe('What status, metrics and events call it.'),
  ...peerFields,
});

const wireGuard = z.strictObject({
  listenPort: port.default(DEFAULT_LISTEN_PORT).describe('UDP, of the elastic IP; one of its own for each connection.'),
  keyRef: keyRef.describe("The gateway's private key."),
  peers: z
    .array(peer)
    .max(1_000)
    .default([])
    .describe('The other ends; those of documents of their own (`VpnPeer`) come on top.'),
});

export const vpnConnectionSpec = z
  .strictObject({
    type: z
      .enum(['WireGuard', 'IPsec'], { error: 'must be WireGuard or IPsec' })
      .describe('What the tunnel is made of; `wireGuard` or `ipsec` says the rest.'),
    elasticIP: objectName.describe("The elastic IP that the tunnel's packets arrive at and leave from."),
    localNetworks,
    translate,
    priority: z
      .int()
      .min(1)
      .max(MAX_VPN_PRIORITY)
      .optional()
      .describe(
        'Of several connections to one network, each with a priority, those of the lowest number that are not down are taken, and share its connections. After all dedicated lines.',
      ),
    mtu: linkMtu.describe('In bytes; what the external interface leaves when left out. TCP follows by itself.'),
    bandwidth: bandwidth
      .optional()
      .describe('What passes inside the tunnel at most. Ingress: from the site to the VPC.'),
    rules: rules
      .optional()
      .describe(
        'Who may open connections through it; `Ingress`: the site. What no rule matches is denied, in each direction that has rules. Without any, all may pass between the networks of both sides.',
      ),
    wireGuard: wireGuard.optional().describe("Of `WireGuard`: the gateway's end, and the others."),
    ipsec: ipsec.optional().describe('Of `IPsec`, IKEv2: the other end, and what both have agreed on.'),
  })
  .superRefine((spec, context) => {
    const own = spec.type === 'IPsec' ? 'ipsec' : 'wireGuard';
    const other = spec.type === 'IPsec' ? 'wireGuard' : 'ipsec';
    if (spec[own] === undefined)
      context.addIssue({ code: 'custom', path: [own], message: `is missing: type ${spec.type} needs it` });
    if (spec[other] !== undefined)
      context.addIssue({
        code: 'custom',
        path: [other],
        message: `has no meaning for type ${spec.type}; leave it out`,
      });
  });
