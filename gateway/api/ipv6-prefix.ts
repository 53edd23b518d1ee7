import * as z from 'zod';
import { cidr, objectName } from './scalars.js';

export const ipv6PrefixSpec = z.strictObject({
  prefix: cidr
    .refine((prefix) => prefix.family === 6, { error: 'must be an IPv6 prefix' })
    .describe('Public IPv6 that is routed to the gateway.'),
  external: objectName.optional().describe('The external network; may be left out where there is one.'),
  mode: z
    .enum(['Full', 'EgressOnly'])
    .default('Full')
    .describe('`Full`: reached from outside. `EgressOnly`: only answers to what the VPC opened come in.'),
  translate: z
    .strictObject({ internal: cidr.describe('The prefix inside the VPC, of the same length.') })
    .optional()
    .describe('NAT66 by prefix: the VPC uses another prefix inside, translated one to one.'),
});
