/** The supervisor's HTTP side: on a unix socket all of it, on the management address health and metrics. */
import { chmodSync, rmSync } from 'node:fs';
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { ERRORS, messageOf, VpcgwError } from '../errors.js';
import type { SourceFile } from '../documents/document.js';
import type { Metrics } from '../metrics/metrics.js';
import type { Supervisor } from '../reconcile/supervisor.js';
import type { Show } from '../reconcile/show.js';

const BODY_LIMIT = 32 * 1024 * 1024;

export interface HttpParts {
  readonly supervisor: Supervisor;
  readonly metrics: Metrics;
  readonly show: Show;
}

interface DocumentsBody {
  readonly files: readonly SourceFile[];
  readonly prune?: boolean;
  readonly by?: string;
  readonly confirmWithinMs?: number;
}

const documentsBody = {
  type: 'object',
  required: ['files'],
  additionalProperties: false,
  properties: {
    files: {
      type: 'array',
      maxItems: 10_000,
      items: {
        type: 'object',
        required: ['file', 'text'],
        additionalProperties: false,
        properties: { file: { type: 'string', maxLength: 4096 }, text: { type: 'string' } },
      },
    },
    prune: { type: 'boolean' },
    by: { type: 'string', maxLength: 128 },
    confirmWithinMs: { type: 'integer', minimum: 1000, maximum: 86_400_000 },
  },
} as const;

export function createServer(parts: HttpParts, scope: 'Local' | 'Management'): FastifyInstance {
  const app = Fastify({ bodyLimit: BODY_LIMIT, logger: false, requestTimeout: 60_000 });
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
  app.post<{ Body: DocumentsBody }>('/v1/plan', { schema: { body: documentsBody } }, ({ body }) =>
    supervisor.plan({ files: body.files, prune: body.prune ?? false }),
  );
  app.post<{ Body: DocumentsBody }>('/v1/apply', { schema: { body: documentsBody } }, async ({ body }) => {
    const { files, prune = false, by = 'api', confirmWithinMs } = body;
    const { revision, changed, cut, warnings } = await supervisor.submit({ files, prune, by, confirmWithinMs });
    return { revision, changed, cut: cut.length, warnings };
  });
  app.post('/v1/confirm', async () => ({ revision: await supervisor.confirm() }));
  app.post<{ Body: { to?: number } | null }>(
    '/v1/rollback',
    { schema: { body: { type: ['object', 'null'], properties: { to: { type: 'integer', minimum: 1 } } } } },
    async ({ body }) => {
      const { revision, changed } = await supervisor.rollback(body?.to);
      return { revision, changed };
    },
  );
  app.get('/v1/show/nat', () => show.nat());
  app.get('/v1/show/conntrack', () => show.conntrack());
  app.get('/v1/show/ports', () => show.ports());
}

/** Takes the socket over from a former process that was killed; only root may speak to it. */
export async function listenOnSocket(app: FastifyInstance, path: string): Promise<void> {
  rmSync(path, { force: true });
  await app.listen({ path });
  chmodSync(path, 0o600);
}
