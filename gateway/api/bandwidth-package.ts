import * as z from 'zod';
import { bandwidth, objectName } from './scalars.js';

const member = z.strictObject({
  elasticIP: objectName.describe('Which elastic IP; each is in one package at most.'),
  guaranteed: bandwidth
    .optional()
    .describe('What it gets however busy the others are; all together fit into the ceiling.'),
  max: bandwidth.optional().describe('What it gets at most, even when nobody else wants any.'),
});

export const bandwidthPackageSpec = z.strictObject({
  bandwidth: bandwidth.describe('The ceiling that the members share. A direction that is left out is not shared.'),
  members: z.array(member).min(1).max(10_000).describe('The elastic IPs that share it, all of one external network.'),
});
