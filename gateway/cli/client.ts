/** Speaks to a running supervisor over its unix socket. */
import { request } from 'node:http';
import { type ErrorCode, ERRORS, VpcgwError } from '../errors.js';
import type { Diagnostic } from '../model/diagnostic.js';

const TIMEOUT_MS = 120_000;

interface Problem {
  readonly code?: string;
  readonly detail?: string;
  readonly diagnostics?: readonly Diagnostic[];
}

export class Client {
  constructor(private readonly socketPath: string) {}

  get<T>(path: string): Promise<T> {
    return this.#call('GET', path);
  }

  post<T>(path: string, body?: unknown): Promise<T> {
    return this.#call('POST', path, body ?? {});
  }

  #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : JSON.stringify(body);
      const headers =
        payload === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) };
      const call = request({ socketPath: this.socketPath, method, path, headers, timeout: TIMEOUT_MS }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const value: unknown = response.headers['content-type']?.includes('json') ? JSON.parse(text) : text;
          if ((response.statusCode ?? 500) < 400) resolve(value as T);
          else reject(asError(value as Problem, response.statusCode ?? 500));
        });
      });
      call.on('timeout', () => call.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
      call.on('error', (error) =>
        reject(
          new VpcgwError(
            'SupervisorUnreachable',
            `no supervisor answers at ${this.socketPath} (${error.message}); is vpcgw run alive, or is it elsewhere (--socket)?`,
          ),
        ),
      );
      call.end(payload);
    });
  }
}

function asError({ code, detail, diagnostics }: Problem, status: number): VpcgwError {
  const known: ErrorCode = code !== undefined && Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'Invariant';
  return new VpcgwError(known, detail ?? `the supervisor answered ${status}`, { diagnostics: diagnostics ?? [] });
}
