/** A vote as a Lease of Kubernetes (coordination.k8s.io/v1). What it replaces is named by its resource version. */
import * as z from 'zod';
import type { VoteRecord, VoteStore } from '../failover/ballot.js';
import type { VoteHttp } from './vote-http.js';

const lease = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  spec: z.object({ holderIdentity: z.string().nullish() }).nullish(),
});

export class KubernetesVote implements VoteStore {
  readonly #leases: string;

  constructor(
    private readonly http: Pick<VoteHttp, 'ask'>,
    private readonly namespace: string,
    private readonly name: string,
    private readonly endsAfterMs: number,
    /** By the wall: for people who look at the Lease; nothing depends on it. */
    private readonly nowMs: () => number,
  ) {
    this.#leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
  }

  async read(signal: AbortSignal): Promise<VoteRecord | undefined> {
    // Without a resource version it is the majority's answer, not that of a cache.
    const { status, body } = await this.http.ask({ method: 'GET', path: `${this.#leases}/${this.name}` }, signal);
    if (status === 404) return undefined;
    if (status !== 200) throw refused(status, body);
    const { metadata, spec } = lease.parse(body);
    return { version: metadata.resourceVersion, holder: spec?.holderIdentity ?? '' };
  }

  async write(holder: string, replaces: VoteRecord | undefined, signal: AbortSignal): Promise<boolean> {
    const version = replaces && { resourceVersion: replaces.version };
    const body = {
      ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' },
      metadata: { name: this.name, namespace: this.namespace, ...version },
      spec: {
        // Empty is not allowed there.
        ...(holder === '' ? {} : { holderIdentity: holder }),
        leaseDurationSeconds: Math.ceil(this.endsAfterMs / 1000),
        renewTime: new Date(this.nowMs()).toISOString().replace('Z', '000Z'),
      },
    };
    const reply = replaces
      ? await this.http.ask({ method: 'PUT', path: `${this.#leases}/${this.name}`, body }, signal)
      : await this.http.ask({ method: 'POST', path: this.#leases, body }, signal);
    if (reply.status === 409) return false;
    if (reply.status !== 200 && reply.status !== 201) throw refused(reply.status, reply.body);
    return true;
  }
}

const refused = (status: number, body: unknown): Error => {
  const said = z.object({ message: z.string() }).safeParse(body).data?.message;
  return new Error(`the API server answers ${status}${said === undefined ? '' : `: ${said.slice(0, 200)}`}`);
};
