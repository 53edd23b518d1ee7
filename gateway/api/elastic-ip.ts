import * as z from 'zod';
import { bandwidth, duration, ipAddress, newConnectionsPerSecond, objectName, target } from './scalars.js';

export const elasticIpSpec = z.strictObject({
  address: ipAddress.describe('The public address.'),
  external: objectName.optional().describe('The external network it belongs to; may be left out where there is one.'),
  announcement: z
    .enum(['Neighbor', 'Routed'])
    .default('Neighbor')
    .describe(
      '`Neighbor`: answered by ARP or neighbour discovery on the external network. `Routed`: the upstream router routes it to the gateway.',
    ),
  target: target.optional().describe('1:1: all its traffic to this address, and that address leaves by it.'),
  limits: z
    .strictObject({
      connections: z
        .int()
        .min(1)
        .max(1_000_000)
        .optional()
        .describe('Connections opened to it that may stand at once.'),
      newConnectionsPerSecond: newConnectionsPerSecond.describe('Connections opened to it in a second.'),
    })
    .optional()
    .describe('Limits on connections that are opened to it.'),
  bandwidth: bandwidth.optional().describe('What it may carry at most, in each direction.'),
  drainTimeout: duration.default(0).describe('How long the flows of a former target live on after detach or rebind.'),
});
