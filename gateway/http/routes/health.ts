/** Whether it lives, whether it is ready, and its figures. */
import * as z from 'zod';
import { type Route, route } from '../route.js';

export const HEALTH_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/healthz',
    summary: 'Answers as long as the process lives',
    answer: () => z.strictObject({ status: z.literal('ok') }),
    alwaysAnswered: true,
    handle: () => ({ body: { status: 'ok' } }),
  }),
  route({
    method: 'GET',
    path: '/readyz',
    summary:
      '200 once the kernel was verified to hold the documents, and a member of a pair takes part in it; before that 503',
    answer: () => z.strictObject({ ready: z.boolean() }),
    alwaysAnswered: true,
    handle: ({ supervisor, pair }) => {
      const ready = supervisor.ready && pair.isReady;
      return { status: ready ? 200 : 503, body: { ready } };
    },
  }),
  route({
    method: 'GET',
    path: '/metrics',
    summary: 'Figures for Prometheus',
    role: 'viewer',
    open: true,
    answer: () => z.string(),
    answerType: 'text/plain; version=0.0.4',
    handle: async ({ metrics }) => ({ body: await metrics.text(), type: 'text/plain; version=0.0.4' }),
  }),
];
