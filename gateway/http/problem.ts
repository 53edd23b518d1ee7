/** Errors as problem details (RFC 9457), from the one table of errors. */
import type { FastifyReply } from 'fastify';
import { type ErrorCode, ERRORS, messageOf, VpcgwError } from '../errors.js';

const RETRY_AFTER_S = 1;
/** A connection that is closed while data comes is reset, and the answer with it: its sender is given time to read. */
const LINGER_MS = 1_000;

export function sendProblem(reply: FastifyReply, error: unknown): void {
  const code = codeOf(error);
  const { status, title, retryable } = ERRORS[code];
  const { diagnostics = [], etag } = error instanceof VpcgwError ? error : {};
  void reply.headers({
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    ...(status === 429 || code === 'Overloaded' ? { 'retry-after': RETRY_AFTER_S } : {}),
    ...(etag === undefined ? {} : { etag }),
  });
  if (!reply.request.raw.complete) closeLater(reply);
  const detail = code === 'Invariant' ? 'a defect; the log says more' : messageOf(error);
  void reply
    .status(status)
    .type('application/problem+json')
    .send({ type: `urn:vpcgw:${code}`, code, title, status, retryable, detail, diagnostics, etag });
}

/** What is still being sent is not read to its end; what comes of it meanwhile is thrown away. */
function closeLater(reply: FastifyReply): void {
  const { raw, socket } = reply.request;
  const { shouldKeepAlive } = reply.raw;
  void reply.removeHeader('connection');
  reply.raw.shouldKeepAlive = true;
  reply.raw.once('finish', () => {
    const timer = setTimeout(() => (shouldKeepAlive && raw.complete) || socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(timer));
  });
}

/** Fastify has codes of its own for what it refuses by itself. */
function codeOf(error: unknown): ErrorCode {
  if (error instanceof VpcgwError) return error.code;
  const status = typeof error === 'object' && error !== null && 'statusCode' in error ? Number(error.statusCode) : 500;
  if (status === 413) return 'PayloadTooLarge';
  if (status === 415) return 'UnsupportedMediaType';
  return status < 500 ? 'BadRequest' : 'Invariant';
}
