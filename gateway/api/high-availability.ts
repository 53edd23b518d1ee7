/** How a gateway is made of two members; which of them this is stands in a file of its node (`member-file.ts`). */
import * as z from 'zod';
import { duration, formatDuration } from './scalars.js';

export const MIN_ADVERT_MS = 20;
export const MAX_ADVERT_MS = 1_000;
/** VRRP counts in hundredths of a second. */
const ADVERT_STEP_MS = 10;

const STRICT =
  'Strict needs a third vote (a Lease in Kubernetes or etcd), which this version cannot ask; use Fast, with which two members that lose sight of each other are both active until they meet again';

const advertInterval = duration.superRefine((ms, context) => {
  if (ms >= MIN_ADVERT_MS && ms <= MAX_ADVERT_MS && ms % ADVERT_STEP_MS === 0) return;
  const nearest = Math.min(MAX_ADVERT_MS, Math.max(MIN_ADVERT_MS, Math.round(ms / ADVERT_STEP_MS) * ADVERT_STEP_MS));
  context.addIssue({
    code: 'custom',
    message: `must be ${MIN_ADVERT_MS}ms to ${formatDuration(MAX_ADVERT_MS)} in steps of ${ADVERT_STEP_MS}ms; write ${formatDuration(nearest)}`,
  });
});

export const highAvailability = z.strictObject({
  mode: z
    .enum(['None', 'SameNode', 'AcrossNodes'])
    .default('None')
    .describe(
      '`AcrossNodes`: a pair on two nodes. `SameNode`: a pair on one, so that upgrades cut no connection. Each member needs a member file (`vpcgw run --member`).',
    ),
  fencing: z
    .enum(['Fast', 'Strict'])
    .default('Fast')
    .superRefine((fencing, context) => {
      if (fencing === 'Strict') context.addIssue({ code: 'custom', message: STRICT });
    })
    .describe(
      'What keeps two members from being active at once. `Fast`: adverts, and a lease in the kernel that they renew. `Strict` needs a third vote, and is refused in this version.',
    ),
  advertInterval: advertInterval
    .default(50)
    .describe('How often the active member says that it lives; after three of them unheard the other takes over.'),
  virtualRouterId: z
    .int()
    .min(1)
    .max(255)
    .optional()
    .describe(
      'The number of the pair, of which virtual MAC addresses are made too; from the name when left out. Needed where two pairs of one name share a network.',
    ),
});

/** `Own` is right everywhere; `Virtual` moves any number of addresses by one frame, where the network lets it. */
export const macMode = z
  .enum(['Own', 'Virtual'])
  .default('Own')
  .describe(
    'In a pair: `Own`, each member its own MAC address, and every address is announced at a takeover. `Virtual`, one locally administered MAC address that moves, for networks that deliver to any.',
  );
