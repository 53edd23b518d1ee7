/** How a gateway is made of two members; which of them this is stands in a file of its node (`member-file.ts`). */
import * as z from 'zod';
import { duration, formatDuration, objectName } from './scalars.js';

export const MIN_ADVERT_MS = 20;
export const MAX_ADVERT_MS = 1_000;
/** VRRP counts in hundredths of a second. */
const ADVERT_STEP_MS = 10;

const STRICT_WITHOUT_VOTE =
  'is missing, and two members alone cannot be Strict: name a third voter, such as {engine: Etcd, servers: ["https://192.0.2.1:2379"]}, or use fencing: Fast, with which two members that lose sight of each other are both active until they meet again';
const VOTE_WITHOUT_STRICT = 'is only asked with fencing: Strict';

const server = z
  .string()
  .regex(/^https?:\/\/[^/\s?#@]{1,255}$/, {
    error: 'must be http:// or https://, an address and a port, such as https://192.0.2.1:2379',
  })
  .describe('Where it is asked; in a network that fails apart from that of the members.');

const vote = z
  .strictObject({
    engine: z.enum(['Etcd', 'Kubernetes']).describe('A key of etcd (3.4 or later), or a Lease of Kubernetes.'),
    servers: z.array(server).min(1).max(8).describe('Asked in turn until one answers; all of one store.'),
    namespace: objectName
      .optional()
      .describe('Of `Kubernetes`: where the Lease is. The members may get, create and update it.'),
  })
  .superRefine(({ engine, namespace }, context) => {
    if ((engine === 'Kubernetes') === (namespace !== undefined)) return;
    const message = engine === 'Etcd' ? 'has no meaning for Etcd' : 'is missing: where the Lease is';
    context.addIssue({ code: 'custom', path: ['namespace'], message });
  })
  .describe('The third voter of a `Strict` pair. With what it is asked stands in the member file.');

const advertInterval = duration.superRefine((ms, context) => {
  if (ms >= MIN_ADVERT_MS && ms <= MAX_ADVERT_MS && ms % ADVERT_STEP_MS === 0) return;
  const nearest = Math.min(MAX_ADVERT_MS, Math.max(MIN_ADVERT_MS, Math.round(ms / ADVERT_STEP_MS) * ADVERT_STEP_MS));
  context.addIssue({
    code: 'custom',
    message: `must be ${MIN_ADVERT_MS}ms to ${formatDuration(MAX_ADVERT_MS)} in steps of ${ADVERT_STEP_MS}ms; write ${formatDuration(nearest)}`,
  });
});

export const highAvailability = z
  .strictObject({
    mode: z
      .enum(['None', 'SameNode', 'AcrossNodes'])
      .default('None')
      .describe(
        '`AcrossNodes`: a pair on two nodes. `SameNode`: a pair on one, so that upgrades cut no connection. Each member needs a member file (`vpcgw run --member`).',
      ),
    fencing: z
      .enum(['Fast', 'Strict'])
      .default('Fast')
      .describe(
        'What keeps two members from being active at once. `Fast`: adverts, and a lease in the kernel that they renew. `Strict`: that lease is only renewed while the other member or `vote` answers, and begun with the consent of one of them.',
      ),
    vote: vote.optional(),
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
  })
  .superRefine(({ fencing, vote }, context) => {
    if (fencing === 'Strict' && !vote)
      context.addIssue({ code: 'custom', path: ['vote'], message: STRICT_WITHOUT_VOTE });
    if (fencing === 'Fast' && vote) context.addIssue({ code: 'custom', path: ['vote'], message: VOTE_WITHOUT_STRICT });
  });

/** `Own` is right everywhere; `Virtual` moves any number of addresses by one frame, where the network lets it. */
export const macMode = z
  .enum(['Own', 'Virtual'])
  .default('Own')
  .describe(
    'In a pair: `Own`, each member its own MAC address, and every address is announced at a takeover. `Virtual`, one locally administered MAC address that moves, for networks that deliver to any.',
  );
