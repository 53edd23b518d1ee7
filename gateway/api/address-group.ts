import * as z from 'zod';
import { cidr } from './scalars.js';

export const addressGroupSpec = z.strictObject({
  cidrs: z.array(cidr).max(10_000).describe('Its prefixes, of both families; a single host is a /32 or a /128.'),
});
