import * as z from 'zod';
import { keyRef } from './keys.js';
import { cidr, duration } from './scalars.js';

const asn = z.int().min(1).max(4_294_967_295);

const community = z
  .string()
  .regex(/^\d{1,5}:\d{1,5}$/, { error: 'must be two numbers up to 65535, such as "65000:100"' })
  .refine((text) => text.split(':').every((part) => Number(part) <= 65_535), {
    error: 'must be two numbers up to 65535, such as "65000:100"',
  });

export const bgp = z
  .strictObject({
    localASN: asn.describe("The gateway's AS number."),
    peerASN: asn.describe("The other end's; a peer of another one is refused."),
    authKeyRef: keyRef.optional().describe('The password that both ends know (TCP MD5).'),
    accept: z
      .array(
        z
          .strictObject({
            cidr: cidr.describe('A network that the other end may lead to, and send from.'),
            upTo: z
              .int()
              .min(0)
              .max(128)
              .optional()
              .describe('Its parts too, of this prefix length at most; the network alone when left out.'),
          })
          .superRefine(({ cidr: { family, length }, upTo }, context) => {
            const most = family === 4 ? 32 : 128;
            if (upTo !== undefined && (upTo < length || upTo > most))
              context.addIssue({ code: 'custom', path: ['upTo'], message: `must be ${length} to ${most}` });
          }),
      )
      .min(1)
      .max(256)
      .describe('What is taken of what the other end tells; all else is passed over.'),
    acceptDefaultRoute: z
      .boolean()
      .default(false)
      .describe(
        'Takes a default route too: by it goes what no elastic IP, `SnatRule` or `Ipv6Prefix` leads out, of `localNetworks`. Nobody behind it can open a connection, but from the networks of `accept`.',
      ),
    maxPrefixes: z
      .int()
      .min(1)
      .max(100_000)
      .default(1_000)
      .describe('The session is closed when the other end tells of more, and is tried again after a while.'),
    advertise: z
      .array(cidr)
      .max(256)
      .optional()
      .describe('What the other end is told; what it is offered of `localNetworks` when left out.'),
    communities: z.array(community).max(16).default([]).describe('Of what the other end is told.'),
    med: z.int().min(0).max(4_294_967_295).optional().describe('The same: of several ways in, it takes the lower.'),
    gracefulRestart: z
      .boolean()
      .default(true)
      .describe(
        "Keeps what was learnt while one end's routing program starts anew, or a pair's other member takes over.",
      ),
    bfd: z
      .strictObject({
        interval: duration
          .refine((ms) => ms >= 10 && ms <= 60_000, { error: 'must be 10ms to 1m' })
          .default(300)
          .describe('From one packet to the next, each way.'),
        multiplier: z.int().min(2).max(50).default(3).describe('So many that do not come mean that the line is lost.'),
      })
      .optional()
      .describe('Notices a lost line within a fraction of a second (BFD, RFC 5881); the other end has to speak it.'),
  })
  .describe('The networks are what the other end tells of (BGP-4), in a session for each family of addresses.');
