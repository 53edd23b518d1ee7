import { describe, expect, it } from 'vitest';
import { Ballot, type VoteRecord, type VoteStore } from '../../gateway/failover/ballot.js';
import {
  ANSWERED_WITHIN_MS,
  GRANTED_FOR_MS,
  GRANTED_WITHIN_MS,
  heardMs,
  leaseMs,
  unheardAdverts,
  voteEndsAfterMs,
} from '../../gateway/model/high-availability.js';
import { EtcdVote } from '../../gateway/system/vote-etcd.js';
import { KubernetesVote } from '../../gateway/system/vote-kubernetes.js';

/** Compares and writes, as etcd and Kubernetes do. */
class Store implements VoteStore {
  record: VoteRecord | undefined;
  /** Runs between a read and the write that follows. */
  meanwhile: () => Promise<unknown> = () => Promise.resolve();

  read(): Promise<VoteRecord | undefined> {
    return Promise.resolve(this.record);
  }

  async write(holder: string, replaces: VoteRecord | undefined): Promise<boolean> {
    const { meanwhile } = this;
    this.meanwhile = () => Promise.resolve();
    await meanwhile();
    if (this.record?.version !== replaces?.version) return false;
    this.record = { holder, version: String(Number(this.record?.version ?? 0) + 1) };
    return true;
  }
}

const ENDS_AFTER_MS = 6_180;
const { signal } = new AbortController();

describe('the third vote', () => {
  const of = (store: Store, clock = { ms: 0 }) => ({
    clock,
    a: new Ballot(store, 'a', ENDS_AFTER_MS, () => clock.ms),
    b: new Ballot(store, 'b', ENDS_AFTER_MS, () => clock.ms),
  });

  it('is granted to one, who may renew it, and to the other when it was given back', async () => {
    const { a, b } = of(new Store());
    expect([await a.claim(signal), await b.claim(signal), await a.claim(signal)]).toEqual([true, false, true]);
    await b.giveBack(signal);
    expect(await b.claim(signal)).toBe(false);
    await a.giveBack(signal);
    expect([await b.claim(signal), await a.claim(signal)]).toEqual([true, false]);
  });

  it("is not the other's at once where somebody took the record away", async () => {
    const store = new Store();
    const { a, b, clock } = of(store);
    expect([await a.claim(signal), await b.claim(signal)]).toEqual([true, false]);
    store.record = undefined;
    expect(await b.claim(signal)).toBe(false);
    clock.ms += ENDS_AFTER_MS - 1;
    expect(await b.claim(signal)).toBe(false);
    clock.ms += 1;
    expect(await b.claim(signal)).toBe(true);
  });

  it('is granted to one of two that ask at once', async () => {
    const store = new Store();
    const { a, b } = of(store);
    let other: boolean | undefined;
    store.meanwhile = async () => (other = await b.claim(signal));
    expect([await a.claim(signal), other]).toEqual([false, true]);
  });

  it('passes on only after it was seen unchanged for longer than any grant lasts', async () => {
    const { a, b, clock } = of(new Store());
    await a.claim(signal);
    clock.ms = 1_000_000;
    // It may have been written a moment ago, for all that b knows.
    expect(await b.claim(signal)).toBe(false);
    clock.ms += ENDS_AFTER_MS - 1;
    expect(await b.claim(signal)).toBe(false);
    await a.claim(signal);
    clock.ms += 1;
    expect(await b.claim(signal)).toBe(false);
    clock.ms += ENDS_AFTER_MS;
    expect([await b.claim(signal), await a.claim(signal)]).toEqual([true, false]);
  });
});

describe('times of a Strict pair', () => {
  const vote = { engine: 'Etcd', servers: [], name: 'v' } as const;

  it.each([20, 30, 50, 100, 250, 1_000])('exclude two leases at adverts of %i ms', (advertIntervalMs) => {
    const pair = { mode: 'AcrossNodes', advertIntervalMs, virtualRouterId: 1, vote } as const;
    const [lease, promise] = [leaseMs(pair), heardMs(pair)];
    expect(promise).toBeGreaterThan(ANSWERED_WITHIN_MS + lease);
    expect(unheardAdverts(pair) * advertIntervalMs).toBeGreaterThan(promise);
    // One advert may be lost, and the third voter asked, before it ends.
    expect(lease).toBeGreaterThan(2 * advertIntervalMs + 20);
    expect([lease % 20, promise % 20]).toEqual([0, 0]);
    expect(voteEndsAfterMs(pair)).toBeGreaterThan(GRANTED_WITHIN_MS + GRANTED_FOR_MS + lease);
  });
});

describe('a store of the vote', () => {
  const asked: unknown[] = [];
  const http = (status: number, body: unknown) => ({
    ask: (question: unknown) => {
      asked.push(question);
      return Promise.resolve({ status, body });
    },
  });

  it('reads and writes a key of etcd by its revision', async () => {
    const value = Buffer.from('a 172.31.0.1').toString('base64');
    const there = new EtcdVote(http(200, { kvs: [{ mod_revision: '7', value }] }), 'v');
    expect(await there.read(signal)).toEqual({ version: '7', holder: 'a 172.31.0.1' });
    expect(await new EtcdVote(http(200, {}), 'v').read(signal)).toBeUndefined();
    expect(await new EtcdVote(http(200, {}), 'v').write('a', undefined, signal)).toBe(false);
    expect(asked.at(-1)).toMatchObject({ body: { compare: [{ mod_revision: '0', result: 'EQUAL', target: 'MOD' }] } });
    await expect(new EtcdVote(http(401, { error: 'no' }), 'v').read(signal)).rejects.toThrow('etcd answers 401');
  });

  it('reads and writes a Lease of Kubernetes by its resource version', async () => {
    const leases = (status: number, body: unknown) =>
      new KubernetesVote(http(status, body), 'ns', 'v', ENDS_AFTER_MS, () => 0);
    const lease = { metadata: { resourceVersion: '7' }, spec: { holderIdentity: 'a' } };
    expect(await leases(200, lease).read(signal)).toEqual({ version: '7', holder: 'a' });
    expect(await leases(404, {}).read(signal)).toBeUndefined();
    expect(await leases(409, {}).write('a', { version: '7', holder: '' }, signal)).toBe(false);
    expect(asked.at(-1)).toMatchObject({
      method: 'PUT',
      path: '/apis/coordination.k8s.io/v1/namespaces/ns/leases/v',
      body: { metadata: { resourceVersion: '7' }, spec: { holderIdentity: 'a', leaseDurationSeconds: 7 } },
    });
    expect(await leases(201, {}).write('a', undefined, signal)).toBe(true);
    expect(asked.at(-1)).toMatchObject({ method: 'POST' });
    await expect(leases(403, { message: 'forbidden' }).read(signal)).rejects.toThrow(
      'the API server answers 403: forbidden',
    );
  });
});
