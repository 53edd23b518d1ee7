import * as z from 'zod';
import { cidr, objectName } from './scalars.js';

export const snatRuleSpec = z.strictObject({
  sources: z
    .array(z.strictObject({ cidr: cidr.describe('A prefix of the VPC, or part of one.') }))
    .min(1)
    .max(256)
    .describe('Whose traffic; the most specific source of all rules wins.'),
  elasticIPs: z
    .array(objectName)
    .min(1)
    .max(64)
    .describe('The addresses it leaves by. Of several, a client keeps one, by a hash of its source.'),
  portsPerSource: z
    .int()
    .min(64)
    .max(32_768)
    .optional()
    .describe('A block of this many ports for each source, so that one VM cannot exhaust an address.'),
});
