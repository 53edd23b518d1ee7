/** What can be looked at and changes nothing. */
import * as z from 'zod';
import * as answers from '../answers.js';
import { type Route, route } from '../route.js';

const auditQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^[1-9]\d{0,4}$/, { error: 'must be a number from 1 to 99999' })
    .default('100')
    .transform(Number)
    .describe('The newest so many lines.'),
});

export const LOOK_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/status',
    summary: 'How the gateway is, and each of its documents',
    role: 'viewer',
    answer: answers.status,
    handle: ({ supervisor }) => ({ body: supervisor.status() }),
  }),
  route({
    method: 'GET',
    path: '/v1/history',
    summary: 'The revisions that are kept',
    role: 'viewer',
    answer: answers.history,
    handle: ({ supervisor }) => ({ body: supervisor.history() }),
  }),
  route({
    method: 'GET',
    path: '/v1/events',
    summary: 'What happens, as it happens: server-sent events with a JSON object {time, type, message} each',
    role: 'viewer',
    streams: true,
    answer: () => z.string(),
    answerType: 'text/event-stream',
    handle: ({ events }) => {
      events.refuseWhenFull();
      return { stream: (response) => events.add(response) };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/audit',
    summary: 'Who changed what, when, and with which result; newest last',
    role: 'operator',
    query: auditQuery,
    answer: answers.auditLines,
    handle: ({ auditor }, { query: { limit } }) => ({ body: auditor.log.last(limit) }),
  }),
  route({
    method: 'GET',
    path: '/v1/show/nat',
    summary: 'Rules with the connections that they translated',
    role: 'viewer',
    answer: answers.natRows,
    handle: async ({ show }) => ({ body: await show.nat() }),
  }),
  route({
    method: 'GET',
    path: '/v1/show/lb',
    summary: 'Members of load balancers, by listener: who takes connections, who does not and why',
    role: 'viewer',
    answer: answers.balancerRows,
    handle: async ({ show }) => ({ body: await show.lb() }),
  }),
  route({
    method: 'GET',
    path: '/v1/show/conntrack',
    summary: 'Connections, at most 10000',
    role: 'viewer',
    answer: answers.conntrackRows,
    handle: async ({ show }) => ({ body: await show.conntrack() }),
  }),
  route({
    method: 'GET',
    path: '/v1/show/ports',
    summary: 'How full shared elastic IPs are',
    role: 'viewer',
    answer: answers.portRows,
    handle: async ({ show }) => ({ body: await show.ports() }),
  }),
  route({
    method: 'GET',
    path: '/v1/show/bandwidth',
    summary: 'Limits of bandwidth and what passes; answers after a second of watching',
    role: 'viewer',
    answer: answers.bandwidthRows,
    handle: async ({ show }) => ({ body: await show.bandwidth() }),
  }),
];
