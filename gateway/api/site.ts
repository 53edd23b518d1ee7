/** What documents say of a site, whatever its link is made of. */
import * as z from 'zod';
import { cidr } from './scalars.js';

/** Below it a link carries no IPv6. */
const LEAST_MTU = 1_280;
const MOST_MTU = 9_000;

export const localNetworks = z
  .array(cidr)
  .min(1)
  .max(256)
  .describe('What of the VPC the site reaches, and may be reached from.');

export const translate = z
  .array(
    z.strictObject({
      network: cidr.describe('One of `localNetworks`.'),
      as: cidr.describe('What the site sees in its place; of the same length.'),
    }),
  )
  .max(256)
  .default([])
  .describe('Shows networks of the VPC to the site as others, 1:1, where the site has the same ones itself.');

export const linkMtu = z.int().min(LEAST_MTU).max(MOST_MTU).optional();
