/** What is said of whoever is at the other end of a tunnel, whatever that is made of. */
import * as z from 'zod';
import { duration, ipAddress } from './scalars.js';

export const tunnelProbe = z
  .strictObject({
    address: ipAddress.describe('One that answers a ping, in `networks`.'),
    interval: duration
      .refine((ms) => ms >= 200 && ms <= 3_600_000, { error: 'must be 200ms to 1h' })
      .default(5_000)
      .describe('From one ping to the next.'),
  })
  .optional()
  .describe(
    'Asked through this tunnel, from the next hop; loss and round trip are told. Without it, handshakes count. Where the connection has a `priority`, three lost probes in a row make the next one carry.',
  );
