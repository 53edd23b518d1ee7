/** Changes of many documents at once, and the way back. */
import * as z from 'zod';
import type { Supervisor } from '../../reconcile/supervisor.js';
import type { Author, Submitted } from '../../reconcile/submission.js';
import * as answers from '../answers.js';
import { demandRevision } from '../etag.js';
import { permissionOf } from '../permission.js';
import { type Answer, type Caller, type Route, route } from '../route.js';

const files = z.array(z.strictObject({ file: z.string().max(4096), text: z.string() })).max(10_000);
const prune = z.boolean().default(false).describe('Take away what the files do not hold.');

const planBody = z.strictObject({ files, prune });
const applyBody = z.strictObject({
  files,
  prune,
  by: z.string().max(128).optional().describe('Who, for the history; over the unix socket only.'),
  confirmWithinMs: z.int().min(1000).max(86_400_000).optional().describe('Rolled back by itself unless confirmed.'),
});
const rollbackBody = z.strictObject({ to: z.int().min(1).optional().describe('By one when left out.') }).nullish();
const nothing = z.strictObject({}).nullish();

/** Only root speaks over the socket, and may say for whom; elsewhere the account is who it is. */
const authorOf = ({ author }: Caller, by: string | undefined): Author =>
  author.via === 'Socket' && by !== undefined ? { ...author, name: by } : author;

export const changeAnswer = (supervisor: Supervisor, { revision, changed, cut, warnings }: Submitted): Answer => ({
  body: { revision, changed, cut: cut.length, warnings, paused: supervisor.current?.model.paused ?? false },
});

export const CHANGE_ROUTES: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/plan',
    summary: 'What documents would change: objects, kernel, live connections',
    role: 'viewer',
    body: planBody,
    answer: answers.planned,
    handle: async ({ supervisor }, { body }) => ({ body: await supervisor.plan(body) }),
  }),
  route({
    method: 'POST',
    path: '/v1/apply',
    summary: 'Puts documents into force, all or none, on request until they are confirmed',
    role: 'editor',
    audited: 'Apply',
    conditional: true,
    body: applyBody,
    answer: answers.changed,
    handle: async ({ supervisor }, { body: { by, ...edit }, caller, preconditions }) =>
      changeAnswer(
        supervisor,
        await supervisor.submit({
          ...edit,
          action: 'Apply',
          author: authorOf(caller, by),
          precondition: demandRevision(preconditions),
          permission: permissionOf(caller, supervisor),
        }),
      ),
  }),
  route({
    method: 'POST',
    path: '/v1/confirm',
    summary: 'Keeps what waits for its confirmation',
    role: 'editor',
    audited: 'Confirm',
    conditional: true,
    body: nothing,
    answer: answers.confirmed,
    handle: async ({ supervisor }, { caller, preconditions }) => ({
      body: await supervisor.confirm(caller.author, {
        precondition: demandRevision(preconditions),
        permission: permissionOf(caller, supervisor),
      }),
    }),
  }),
  route({
    method: 'POST',
    path: '/v1/rollback',
    summary: 'Goes back by one revision, or to a certain one, as a new revision',
    role: 'operator',
    audited: 'Rollback',
    conditional: true,
    body: rollbackBody,
    answer: answers.changed,
    handle: async ({ supervisor }, { body, caller, preconditions }) =>
      changeAnswer(
        supervisor,
        await supervisor.rollback(caller.author, { to: body?.to, precondition: demandRevision(preconditions) }),
      ),
  }),
];
