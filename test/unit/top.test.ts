import { describe, expect, it } from 'vitest';
import { ratesOf } from '../../gateway/insight/top/rates.js';
import type { ElasticIp } from '../../gateway/model/gateway-model.js';
import type { Flow } from '../../gateway/model/flow.js';
import { parseIp } from '../../gateway/model/ip.js';

// What passes elastic IPs, from two readings of the connection table.

const eips = ['203.0.113.10', '203.0.113.20'].map((text) => [
  text,
  { name: text, address: parseIp(text) } as ElasticIp,
]);
const model = { elasticIps: new Map(eips as [string, ElasticIp][]) };
type End = readonly [address: string, port: number];
const flow = (from: End, to: End, endsAt: End, seenAs: End, asked: number, answered: number): Flow => ({
  family: 4,
  protocol: 'tcp',
  original: { source: from[0], sourcePort: from[1], destination: to[0], destinationPort: to[1] },
  reply: { source: endsAt[0], sourcePort: endsAt[1], destination: seenAs[0], destinationPort: seenAs[1] },
  mark: 0,
  bytes: asked + answered,
  replyBytes: answered,
});
const client = (port: number): End => ['198.51.100.1', port];
const into = (port: number, asked: number, answered: number): Flow =>
  flow(client(port), ['203.0.113.10', 80], ['10.0.0.5', 80], client(port), asked, answered);
const NOTHING = { ingress: 0, egress: 0, connections: 0, opened: 0 };
const rates = (before: readonly Flow[], after: readonly Flow[], seconds = 1) =>
  ratesOf(model, before, after, seconds).map(({ name: _, address: __, ...rate }) => rate);

describe('rates', () => {
  it('are what was added, by direction', () => {
    expect(rates([into(1, 100, 1000)], [into(1, 300, 5000)], 2)).toEqual([
      { ingress: 800, egress: 16_000, connections: 1, opened: 0 },
      NOTHING,
    ]);
    const out = (bytes: number) =>
      flow(['10.0.0.6', 5], client(443), client(443), ['203.0.113.20', 5000], bytes, 10 * bytes);
    expect(rates([out(100)], [out(200)])[1]).toEqual({ ingress: 8000, egress: 800, connections: 1, opened: 0 });
  });

  it('count what was opened meanwhile whole, and what has ended not as a connection', () => {
    const [row] = rates([into(1, 5, 5)], [into(1, 5, 5), into(2, 10, 20), { ...into(3, 1, 1), ended: true }]);
    expect(row).toEqual({ ingress: 88, egress: 168, connections: 2, opened: 2 });
  });

  it('take fewer bytes than before for another connection', () => {
    expect(rates([into(1, 1000, 1000)], [into(1, 10, 20)])[0]).toMatchObject({ ingress: 80, egress: 160 });
  });

  it('of a hairpin count where it leaves and where it comes in', () => {
    const hairpin = (bytes: number) =>
      flow(['10.0.0.6', 5], ['203.0.113.10', 80], ['10.0.0.5', 80], ['203.0.113.20', 6], bytes, 0);
    expect(rates([hairpin(0)], [hairpin(100)])).toEqual([
      { ingress: 800, egress: 0, connections: 1, opened: 0 },
      { ingress: 0, egress: 800, connections: 1, opened: 0 },
    ]);
  });
});
