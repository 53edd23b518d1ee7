/** The supervisor's HTTP side: on a unix socket all of it, on the management address health and metrics. */
import { chmodSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import * as z from 'zod';
import { ERRORS, messageOf, VpcgwError } from '../errors.js';
import type { Metrics } from '../metrics/metrics.js';
import type { Supervisor } from '../reconcile/supervisor.js';
import type { Show } from '../reconcile/show.js';

const BODY_LIMIT = 32 * 1024 * 1024;

export interface HttpParts {
  readonly supervisor: Supervisor;
  readonly metrics: Metrics;
  readonly show: Show;
}

const documentsBody = z.strictObject({
  files: z.array(z.strictObject({ file: z.string().max(4096), text: z.string() })).max(10_000),
  prune: z.boolean().optional(),
  by: z.string().max(128).optional(),
  confirmWithinMs: z.int().min(1000).max(86_400_000).optional(),
});

const rollbackBody = z.object({ to: z.int().min(1).optional() }).nullish();

/** In place of Fastify's own compilers, which take 70 ms of every start and 4 MB: bodies are judged by zod. */
const noCompiler = (): never => {
  throw new VpcgwError('Invariant', 'a route has a schema');
};

function judged<Body>(schema: z.ZodType<Body>, body: unknown): Body {
  const { data, error } = schema.safeParse(body);
  if (error) throw new VpcgwError('BadRequest', z.prettifyError(error));
  return data;
}

export function createServer(parts: HttpParts, scope: 'Local' | 'Management'): FastifyInstance {
  const app = Fastify({
    bodyLimit: BODY_LIMIT,
    logger: false,
    requestTimeout: 60_000,
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
  });
  app.setErrorHandler((error, _request, reply) => sendProblem(reply, error));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, new VpcgwError('NotFound', `${request.method} ${request.url} is no route`)),
  );
  health(app, parts);
  if (scope === 'Local') documents(app, parts);
  return app;
}

function sendProblem(reply: FastifyReply, error: unknown): void {
  const code = error instanceof VpcgwError ? error.code : isClientError(error) ? 'BadRequest' : 'Invariant';
  const { status, title, retryable } = ERRORS[code];
  const diagnostics = error instanceof VpcgwError ? error.diagnostics : [];
  void reply
    .status(status)
    .type('application/problem+json')
    .send({ type: `urn:vpcgw:${code}`, code, title, status, retryable, detail: messageOf(error), diagnostics });
}

const isClientError = (error: unknown): boolean =>
  typeof error === 'object' &&
  error !== null &&
  'statusCode' in error &&
  typeof error.statusCode === 'number' &&
  error.statusCode < 500;

function health(app: FastifyInstance, { supervisor, metrics }: HttpParts): void {
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', (_request, reply) => reply.status(supervisor.ready ? 200 : 503).send({ ready: supervisor.ready }));
  app.get('/metrics', async (_request, reply) => reply.type('text/plain; version=0.0.4').send(await metrics.text()));
}

function documents(app: FastifyInstance, { supervisor, show }: HttpParts): void {
  app.get('/v1/status', () => supervisor.status());
  app.get('/v1/history', () => supervisor.history());
  app.get('/v1/documents', () => supervisor.sources());
  app.post('/v1/plan', ({ body }) => {
    const { files, prune = false } = judged(documentsBody, body);
    return supervisor.plan({ files, prune });
  });
  app.post('/v1/apply', async ({ body }) => {
    const { files, prune = false, by = 'api', confirmWithinMs } = judged(documentsBody, body);
    const { revision, changed, cut, warnings } = await supervisor.submit({ files, prune, by, confirmWithinMs });
    return { revision, changed, cut: cut.length, warnings, paused: supervisor.current?.model.paused ?? false };
  });
  app.post('/v1/confirm', async () => ({ revision: await supervisor.confirm() }));
  app.post('/v1/rollback', async ({ body }) => {
    const { revision, changed } = await supervisor.rollback(judged(rollbackBody, body)?.to);
    return { revision, changed };
  });
  app.get('/v1/show/nat', () => show.nat());
  app.get('/v1/show/conntrack', () => show.conntrack());
  app.get('/v1/show/ports', () => show.ports());
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = connect({ path });
    probe.on('connect', () => resolve(true));
    probe.on('error', () => resolve(false));
    probe.on('connect', () => probe.destroy());
  });

/** Takes the socket over from a former process that was killed; only root may speak to it. */
export async function listenOnSocket(app: FastifyInstance, path: string): Promise<void> {
  if (await answers(path))
    throw new VpcgwError('NotWriter', `another supervisor answers at ${path}; one gateway has one supervisor`);
  rmSync(path, { force: true });
  await app.listen({ path });
  chmodSync(path, 0o600);
}
