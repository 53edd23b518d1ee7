import { type ClientRequest, type IncomingHttpHeaders, request, type RequestOptions } from 'node:http';
import { request as tlsRequest } from 'node:https';
import type { ConnectionOptions } from 'node:tls';

export interface HttpReply {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface HttpOptions {
  headers?: Readonly<Record<string, string>>;
  /** Speaks TLS over the socket. */
  tls?: ConnectionOptions;
}

/**
 * One request over a unix socket; a string is sent as YAML, an object as JSON. Fails with ENOENT or ECONNREFUSED while
 * nobody listens.
 */
export function requestOver(
  socketPath: string,
  method: string,
  path: string,
  body?: unknown,
  options: HttpOptions = {},
): Promise<HttpReply> {
  const payload = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
  const headers = {
    ...(typeof body === 'object' ? { 'content-type': 'application/json' } : {}),
    ...(typeof body === 'string' ? { 'content-type': 'application/yaml' } : {}),
    // Node itself frames no body of a GET, HEAD or DELETE, which then reads as the next request.
    ...(payload === undefined ? {} : { 'content-length': String(Buffer.byteLength(payload)) }),
    ...options.headers,
  };
  return new Promise((resolve, reject) => {
    const call = open({ socketPath, method, path, headers, agent: false }, options.tls);
    call.once('response', (reply) => {
      const chunks: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => chunks.push(chunk));
      reply.once('error', reject);
      reply.once('end', () =>
        resolve({ status: reply.statusCode ?? 0, headers: reply.headers, text: Buffer.concat(chunks).toString() }),
      );
    });
    call.once('error', reject);
    call.setTimeout(30_000, () => call.destroy(new Error(`no answer to ${method} ${path}`)));
    call.end(payload);
  });
}

const open = (options: RequestOptions, tls: ConnectionOptions | undefined): ClientRequest =>
  tls ? tlsRequest({ ...tls, ...options } as RequestOptions) : request(options);
