/**
 * The supervisor's HTTP side, from the one table of routes. Guarantees, on every route alike: who asks is judged first,
 * then how much is under way, and only then is a body read; nothing reaches a handler that its schemas did not judge.
 */
import type { IncomingMessage, ServerOptions, ServerResponse } from 'node:http';
import type { ServerOptions as TlsServerOptions } from 'node:https';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { MAX_FILE_BYTES } from '../documents/parse.js';
import { messageOf, VpcgwError } from '../errors.js';
import { type Access, admit } from './access.js';
import { isKnown, preconditionsOf } from './etag.js';
import { Gate, type RateLimit } from './limits.js';
import { onceOver } from './once-over.js';
import { sendProblem } from './problem.js';
import { type Answer, type Caller, type HttpParts, judge, type Route } from './route.js';
import { ROUTES } from './routes.js';

const IN_FLIGHT = 64;
/** Each may hold 16 MiB. */
const IN_FLIGHT_WITH_BODY = 16;
/** For one that sends slowly: its head, then all of it. */
const TIMEOUTS: ServerOptions = { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 5_000 };
/** For one that does not read, and longer than any answer takes. */
const SILENT_CONNECTION_MS = 120_000;

export interface ServerSettings {
  readonly access: Access;
  readonly log: Logger;
  /** Of requests from one address. */
  readonly rate?: RateLimit;
  readonly tls?: TlsServerOptions;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    route?: Route;
  }
  interface FastifyRequest {
    caller: Caller | undefined;
    /** The work, which goes on when its caller has gone. */
    handling: Promise<Answer> | undefined;
  }
}

/** In place of Fastify's own compilers, which take 70 ms of every start and 4 MB: everything is judged by zod. */
const noCompiler = (): never => {
  throw new VpcgwError('Invariant', 'a route has a schema');
};

export function createServer(parts: HttpParts, settings: ServerSettings): FastifyInstance {
  const common = {
    bodyLimit: MAX_FILE_BYTES,
    logger: false,
    connectionTimeout: SILENT_CONNECTION_MS,
    requestTimeout: TIMEOUTS.requestTimeout ?? 0,
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    frameworkErrors: (error: Error, _request: FastifyRequest, reply: FastifyReply) => sendProblem(reply, error),
  };
  const app = (
    settings.tls
      ? Fastify({ ...common, https: { ...TIMEOUTS, ...settings.tls } })
      : Fastify({ ...common, http: TIMEOUTS })
  ) as FastifyInstance;
  app.addContentTypeParser('application/yaml', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error, request, reply) => {
    if (!(error instanceof VpcgwError) && !('statusCode' in (error as object)))
      settings.log.error(
        { error: messageOf(error), stack: (error as Error).stack, url: request.url },
        'a request failed',
      );
    sendProblem(reply, error);
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, new VpcgwError('NotFound', `${request.method} ${request.url} is no route`)),
  );
  admission(app, parts, settings);
  for (const route of ROUTES) register(app, parts, route);
  app.addHook('preClose', () => parts.events.close());
  return app;
}

/** All that is looked at before a body is read. */
function admission(app: FastifyInstance, { auditor }: HttpParts, { access, rate }: ServerSettings): void {
  const requests = new Gate(IN_FLIGHT, 'requests');
  const bodies = new Gate(IN_FLIGHT_WITH_BODY, 'requests with a body');
  app.decorateRequest('caller', undefined);
  app.decorateRequest('handling', undefined);
  app.addHook('onRequest', async (request, reply) => {
    const { raw } = request;
    const { route } = request.routeOptions.config;
    const seconds = route?.alwaysAnswered ? 0 : (rate?.take(raw.socket.remoteAddress ?? '') ?? 0);
    if (seconds > 0) throw new VpcgwError('TooManyRequests', `too many requests; try again in ${seconds} s`);
    request.caller = access(raw);
    try {
      admit(route, request.caller, access);
    } catch (error) {
      if (route?.audited && request.caller) auditor.refused(request.caller.author, route.audited, error);
      throw error;
    }
    // Whether it lives is answered also by one that is busy.
    if (route?.role === undefined || route.streams) return;
    hold(requests, request, reply.raw);
    if (hasBody(raw)) hold(bodies, request, reply.raw);
  });
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** A place is free again when the connection is, and the work is done. */
function hold(gate: Gate, request: FastifyRequest, response: ServerResponse): void {
  const leave = gate.enter();
  onceOver(request.raw, response, () => void Promise.allSettled([request.handling]).then(leave));
}

function register(app: FastifyInstance, parts: HttpParts, route: Route): void {
  app.route({
    method: route.method,
    url: route.path.replace(/\{(\w+)\}/g, ':$1'),
    // For probes; each costs a start as much as a route.
    exposeHeadRoute: route.method === 'GET' && route.role === undefined,
    config: { route },
    handler: async (request, reply) => {
      const { caller, headers } = request;
      const call = {
        ...judge(route, request),
        // Those that need no role look at nobody.
        caller: caller as Caller,
        preconditions: preconditionsOf(headers),
        accept: headers.accept ?? '',
      };
      request.handling = Promise.resolve(route.handle(parts, call));
      return send(reply, route, call.preconditions, await request.handling);
    },
  });
}

function send(
  reply: FastifyReply,
  { method }: Route,
  preconditions: ReturnType<typeof preconditionsOf>,
  { status = 200, body, type, etag, stream }: Answer,
): FastifyReply {
  if (stream) {
    reply.hijack();
    stream(reply.raw);
    return reply;
  }
  if (etag !== undefined) void reply.header('etag', etag);
  if (method === 'GET' && etag !== undefined && isKnown(preconditions, etag)) return reply.status(304).send();
  return reply
    .status(status)
    .type(type ?? 'application/json; charset=utf-8')
    .send(typeof body === 'string' ? body : JSON.stringify(body));
}
