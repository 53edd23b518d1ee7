/** Asks the servers of a vote's store by HTTP, one after the other, until one answers. Certificates are checked. */
import { readFileSync } from 'node:fs';
import { Agent as PlainAgent, request as plain } from 'node:http';
import { Agent as SecureAgent, request as secure } from 'node:https';
import type { VoteCredentials } from '../model/high-availability.js';

export interface Question {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body?: unknown;
}

export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** One that is dead must not cost a role; the others are asked as well within a grant's time. */
const SERVER_MS = 400;
const MAX_ANSWER_BYTES = 256 * 1024;

export class VoteHttp {
  readonly #plain = new PlainAgent({ keepAlive: true, maxSockets: 2 });
  readonly #secure = new SecureAgent({ keepAlive: true, maxSockets: 2 });
  #first = 0;

  constructor(
    private readonly servers: readonly string[],
    private readonly credentials: VoteCredentials,
  ) {}

  /** Rejects with what the last one had to say. */
  async ask(question: Question, signal: AbortSignal): Promise<Reply> {
    let failure: unknown;
    for (const index of this.servers.keys()) {
      const at = (this.#first + index) % this.servers.length;
      try {
        const reply = await this.#askOne(this.servers[at] ?? '', question, signal);
        if (reply.status >= 500) throw new Error(`${this.servers[at]} answers ${reply.status}`);
        this.#first = at;
        return reply;
      } catch (error) {
        failure = error;
        if (signal.aborted) break;
      }
    }
    throw failure;
  }

  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }

  #askOne(server: string, { method, path, body }: Question, signal: AbortSignal): Promise<Reply> {
    const url = new URL(path, server);
    const text = body === undefined ? undefined : JSON.stringify(body);
    const { tokenFile, caFile, certFile, keyFile } = this.credentials;
    const token = tokenFile === undefined ? {} : { authorization: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}` };
    const type =
      text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const options = {
      method,
      headers: { ...token, ...type },
      signal: AbortSignal.any([signal, AbortSignal.timeout(SERVER_MS)]),
    };
    const files = Object.entries({ ca: caFile, cert: certFile, key: keyFile }).flatMap(([name, file]) =>
      file === undefined ? [] : [[name, readFileSync(file)] as const],
    );
    return new Promise((resolve, reject) => {
      const asked =
        url.protocol === 'https:'
          ? secure(url, { ...options, ...Object.fromEntries(files), agent: this.#secure })
          : plain(url, { ...options, agent: this.#plain });
      asked.on('error', reject);
      asked.on('response', (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MAX_ANSWER_BYTES)
            response.destroy(new Error(`${server} answers with more than ${MAX_ANSWER_BYTES} bytes`));
          else chunks.push(chunk);
        });
        response.on('error', reject);
        response.on('end', () => {
          try {
            const answer = Buffer.concat(chunks).toString('utf8');
            resolve({ status: response.statusCode ?? 0, body: answer === '' ? undefined : JSON.parse(answer) });
          } catch {
            reject(new Error(`${server} answers ${response.statusCode} with something that is not JSON`));
          }
        });
      });
      asked.end(text);
    });
  }
}
