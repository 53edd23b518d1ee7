import * as z from 'zod';
import { rules } from './firewall-policy.js';
import { endpoint, keyRef, wireGuardKey } from './keys.js';
import { bandwidth, cidr, duration, ipAddress, objectName, port } from './scalars.js';
import { linkMtu, localNetworks, translate } from './site.js';

export const DEFAULT_LISTEN_PORT = 51_820;

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
    .describe('Says something so often, so that a NAT in between keeps the way open; `0s`: never.'),
  probe: z
    .strictObject({
      address: ipAddress.describe('One that answers a ping, in `networks`.'),
      interval: duration
        .refine((ms) => ms >= 200 && ms <= 3_600_000, { error: 'must be 200ms to 1h' })
        .default(5_000)
        .describe('From one ping to the next.'),
    })
    .optional()
    .describe(
      'Asked through the tunnel, from the next hop; loss and round trip are told. Without it, handshakes count.',
    ),
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

export const vpnConnectionSpec = z.strictObject({
  type: z.literal('WireGuard', { error: 'must be WireGuard' }).describe('What the tunnel is made of.'),
  elasticIP: objectName.describe("The elastic IP that the tunnel's packets arrive at and leave from."),
  localNetworks,
  translate,
  mtu: linkMtu.describe('In bytes; what the external interface leaves when left out. TCP follows by itself.'),
  bandwidth: bandwidth.optional().describe('What passes inside the tunnel at most. Ingress: from the site to the VPC.'),
  rules: rules
    .optional()
    .describe(
      'Who may open connections through it; `Ingress`: the site. What no rule matches is denied, in each direction that has rules. Without any, all may pass between the networks of both sides.',
    ),
  wireGuard: wireGuard.describe("The gateway's end, and the others."),
});
