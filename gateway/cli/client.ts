/** Speaks to a running supervisor: over its unix socket, or by HTTP or HTTPS to its management address. */
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request, type RequestOptions } from 'node:http';
import { request as tlsRequest } from 'node:https';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ErrorCode, ERRORS, messageOf, VpcgwError } from '../errors.js';
import type { Diagnostic } from '../model/diagnostic.js';
import type { Target } from './options.js';

const TIMEOUT_MS = 120_000;

interface Problem {
  readonly code?: string;
  readonly detail?: string;
  readonly diagnostics?: readonly Diagnostic[];
}

export class Client {
  readonly #base: RequestOptions;
  readonly #prefix: string;
  readonly #where: string;
  readonly #request: typeof request;

  /** Throws `BadRequest` when a file of the target cannot be read. */
  constructor(target: Target) {
    const url = target.server === undefined ? undefined : urlOf(target.server);
    this.#where = url ? url.origin : target.socket;
    this.#request = url?.protocol === 'https:' ? tlsRequest : request;
    this.#prefix = url?.pathname.replace(/\/$/, '') ?? '';
    this.#base = url ? remote(url, target) : { socketPath: target.socket };
  }

  get<T>(path: string): Promise<T> {
    return this.#call('GET', path);
  }

  post<T>(path: string, body?: unknown): Promise<T> {
    return this.#call('POST', path, body ?? {});
  }

  delete<T>(path: string): Promise<T> {
    return this.#call('DELETE', path);
  }

  /** The lines of an answer that goes on, until the other side ends it; with a body it is asked by POST. */
  async follow(path: string, onLine: (line: string) => void, body?: unknown): Promise<void> {
    const response = await this.#open(...requestOf(path, body), 0);
    if ((response.statusCode ?? 500) >= 400)
      throw asError((await this.#read(response)) as Problem, response.statusCode ?? 500);
    let rest = '';
    response.setEncoding('utf8');
    for await (const chunk of this.#piecesOf<string>(response)) {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop() ?? '';
      lines.forEach(onLine);
    }
  }

  /** An answer's bytes, as they come; `open` is called when it is no refusal. Returns how many there were. */
  async download(path: string, body: unknown, open: () => Writable): Promise<number> {
    const response = await this.#open(...requestOf(path, body), 0);
    if ((response.statusCode ?? 500) >= 400)
      throw asError((await this.#read(response)) as Problem, response.statusCode ?? 500);
    let bytes = 0;
    response.on('data', (piece: Buffer) => (bytes += piece.length));
    await pipeline(response, open()).catch((error: NodeJS.ErrnoException) => {
      const isOurs = error.syscall === 'open' || error.syscall === 'write';
      throw isOurs ? new VpcgwError('StateUnwritable', messageOf(error)) : this.#unreachable(error);
    });
    return bytes;
  }

  /** What the other side breaks off is no defect of ours. */
  async *#piecesOf<Piece>(response: IncomingMessage): AsyncGenerator<Piece> {
    try {
      yield* response as AsyncIterable<Piece>;
    } catch (error) {
      throw this.#unreachable(error as Error);
    }
  }

  async #read(response: IncomingMessage): Promise<unknown> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.#piecesOf<Buffer>(response)) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    return response.headers['content-type']?.includes('json') ? JSON.parse(text) : text;
  }

  async #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.#open(method, path, body === undefined ? undefined : JSON.stringify(body), TIMEOUT_MS);
    const value = await this.#read(response);
    if ((response.statusCode ?? 500) < 400) return value as T;
    throw asError(value as Problem, response.statusCode ?? 500);
  }

  #open(method: string, path: string, payload: string | undefined, timeout: number): Promise<IncomingMessage> {
    const body =
      payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) };
    const headers = { ...this.#base.headers, ...body };
    return new Promise((resolve, reject) => {
      const options = { ...this.#base, method, path: `${this.#prefix}${path}`, headers, timeout };
      const call = this.#request(options, resolve);
      call.on('timeout', () => call.destroy(new Error(`no answer within ${timeout / 1000} s`)));
      call.on('error', (error) => reject(this.#unreachable(error)));
      call.end(payload);
    });
  }

  #unreachable(error: Error): VpcgwError {
    const hint =
      this.#base.socketPath === undefined
        ? 'does vpcgw run have --listen there, and does --ca fit?'
        : 'is vpcgw run alive, or is it elsewhere (--socket)?';
    return new VpcgwError(
      'SupervisorUnreachable',
      `no supervisor answers at ${this.#where} (${error.message}); ${hint}`,
    );
  }
}

const requestOf = (path: string, body: unknown): [method: string, path: string, payload: string | undefined] =>
  body === undefined ? ['GET', path, undefined] : ['POST', path, JSON.stringify(body)];

function urlOf(server: string): URL {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw new VpcgwError('BadRequest', `--server ${server}: a URL such as https://10.1.0.5:9100`);
  return url;
}

function remote({ hostname, port, protocol }: URL, { tokenFile, ca, cert, key }: Target): RequestOptions {
  const tls = {
    ...(ca === undefined ? {} : { ca: contents('--ca', ca) }),
    ...(cert === undefined ? {} : { cert: contents('--cert', cert) }),
    ...(key === undefined ? {} : { key: contents('--key', key) }),
  };
  const token = tokenFile === undefined ? undefined : contents('--token-file', tokenFile).trim();
  return {
    hostname: hostname.replace(/^\[|\]$/g, ''),
    port: port || (protocol === 'https:' ? 443 : 80),
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    ...tls,
  };
}

function contents(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new VpcgwError('BadRequest', `${option}: ${messageOf(error)}`);
  }
}

function asError({ code, detail, diagnostics }: Problem, status: number): VpcgwError {
  const known: ErrorCode = code !== undefined && Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'Invariant';
  return new VpcgwError(known, detail ?? `the supervisor answered ${status}`, { diagnostics: diagnostics ?? [] });
}
