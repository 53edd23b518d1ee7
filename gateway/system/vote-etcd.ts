/** A vote as a key of etcd (3.4 or later), by its JSON gateway. Reads and writes are its majority's. */
import * as z from 'zod';
import type { VoteRecord, VoteStore } from '../failover/ballot.js';
import type { VoteHttp } from './vote-http.js';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
/** What is empty or false is left out. */
const found = z.object({
  kvs: z.array(z.object({ mod_revision: z.string(), value: z.string().default('') })).default([]),
});
const written = z.object({ succeeded: z.boolean().default(false) });
/** Of a key that is not there. */
const NEVER = '0';

export class EtcdVote implements VoteStore {
  readonly #key: string;

  constructor(
    private readonly http: Pick<VoteHttp, 'ask'>,
    name: string,
  ) {
    this.#key = base64(`/vpcgw/votes/${name}`);
  }

  async read(signal: AbortSignal): Promise<VoteRecord | undefined> {
    const [kv] = found.parse(await this.#ask('/v3/kv/range', { key: this.#key }, signal)).kvs;
    return kv && { version: kv.mod_revision, holder: Buffer.from(kv.value, 'base64').toString('utf8') };
  }

  async write(holder: string, replaces: VoteRecord | undefined, signal: AbortSignal): Promise<boolean> {
    const compare = { key: this.#key, target: 'MOD', result: 'EQUAL', mod_revision: replaces?.version ?? NEVER };
    const put = { request_put: { key: this.#key, value: base64(holder) } };
    return written.parse(await this.#ask('/v3/kv/txn', { compare: [compare], success: [put] }, signal)).succeeded;
  }

  async #ask(path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    const reply = await this.http.ask({ method: 'POST', path, body }, signal);
    if (reply.status !== 200)
      throw new Error(`etcd answers ${reply.status}: ${JSON.stringify(reply.body).slice(0, 200)}`);
    return reply.body;
  }
}
