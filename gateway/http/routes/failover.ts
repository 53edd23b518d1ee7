/** The pair: who of the two is active, and telling this member to give way. */
import * as z from 'zod';
import { VpcgwError } from '../../errors.js';
import * as answers from '../answers.js';
import { type HttpParts, type Route, route } from '../route.js';

const nothing = z.strictObject({}).nullish();
const maintenanceBody = z.strictObject({ on: z.boolean().describe('Out of the election until it is turned off.') });

async function look({ pair }: HttpParts) {
  const { status } = pair;
  if (!status) throw new VpcgwError('NotFound', pair.trouble ?? 'this gateway is not a pair');
  const [holdsLease, sync] = await Promise.all([pair.holdsLease(), pair.syncState()]);
  return { ...status, holdsLease, sync };
}

export const FAILOVER_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/failover',
    summary: 'This member of the pair: its role, its lease, how far its connections are known to the other',
    role: 'viewer',
    answer: answers.failover,
    handle: async (parts) => ({ body: await look(parts) }),
  }),
  route({
    method: 'POST',
    path: '/v1/failover/switchover',
    summary: 'Gives the role to the other member',
    role: 'operator',
    audited: 'Switchover',
    body: nothing,
    answer: answers.memberStatus,
    handle: async ({ pair, auditor, supervisor: { revision } }, { caller }) => {
      const done = await auditor.during(caller.author, 'Switchover', async () => ({
        revision,
        status: await pair.switchover(),
      }));
      return { body: done.status };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/failover/maintenance',
    summary: 'Takes this member out of the election, or back in',
    role: 'operator',
    audited: 'Maintenance',
    body: maintenanceBody,
    answer: answers.memberStatus,
    handle: async ({ pair, auditor, supervisor: { revision } }, { caller, body }) => {
      const done = await auditor.during(caller.author, 'Maintenance', async () => ({
        revision,
        status: await pair.setMaintenance(body.on),
      }));
      return { body: done.status };
    },
  }),
];
