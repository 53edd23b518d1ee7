import { describe, expect, it } from 'vitest';
import { Endpoints } from '../../gateway/health/endpoints.js';
import { lookAtConnection, lookAtPeer, type PeerInput, type ProbeLook } from '../../gateway/health/peer-state.js';
import { PingWatch } from '../../gateway/health/ping-watch.js';
import type { Echoed } from '../../gateway/system/echo-probe.js';
import type { PeerDump } from '../../gateway/kernel/wireguard/parse.js';

// How a tunnel stands, from what is seen of its peers.

const NOW = 10_000;
const dump = (more: Partial<PeerDump> = {}): PeerDump => ({
  publicKey: 'key',
  presharedKey: undefined,
  endpoint: '198.51.100.7:51820',
  networks: [],
  keepaliveS: 0,
  handshakeS: NOW - 10,
  receivedBytes: 100,
  sentBytes: 100,
  ...more,
});
const look = ({ keepaliveMs = 0, ...more }: Partial<PeerInput> & { keepaliveMs?: number }) =>
  lookAtPeer({
    connection: 'office',
    peer: {
      name: 'site',
      place: { id: 'VpnConnection/office', path: [], own: false },
      publicKey: 'key',
      presharedKey: undefined,
      endpoint: undefined,
      networks: [],
      keepaliveMs,
      probe: undefined,
    },
    dump: dump(),
    spokenToS: undefined,
    probe: undefined,
    nowS: NOW,
    ...more,
  });
const told = (input: Parameters<typeof look>[0]): string => {
  const { state, reason } = look(input);
  return `${state}: ${reason}`;
};
const probe = (lost: number, sent = 10): ProbeLook => ({ address: '192.168.77.1', sent, lost, roundTripMs: 1 });

describe('a peer', () => {
  it('is judged by its handshake', () => {
    expect(told({})).toBe('Up: handshake 10 s ago');
    expect(told({ dump: dump({ handshakeS: NOW - 190 }) })).toBe('Up: handshake 190 s ago');
    expect(told({ dump: undefined })).toBe('Down: not known to the tunnel');
  });

  it('may be quiet, but not while somebody speaks to it', () => {
    const old = dump({ handshakeS: NOW - 191 });
    expect(told({ dump: old })).toBe('Idle: quiet since a handshake 191 s ago');
    expect(told({ dump: old, spokenToS: NOW - 9 })).toBe('Down: last handshake 191 s ago');
    expect(told({ dump: old, keepaliveMs: 25_000 })).toBe('Down: last handshake 191 s ago');
    const never = { handshakeS: undefined };
    expect(told({ dump: dump({ ...never, sentBytes: 0 }) })).toBe('Idle: nothing was said yet');
    expect(told({ dump: dump(never) })).toBe('Down: no handshake yet: nobody answers');
  });

  it('is judged by its probes where it has any', () => {
    expect(told({ probe: probe(0) })).toBe('Up: 192.168.77.1 answers');
    expect(told({ probe: probe(3) })).toBe('Degraded: 192.168.77.1 lost 3 of the last 10 probes');
    expect(told({ probe: probe(10) })).toBe('Down: 192.168.77.1 answers none of the last 10 probes');
    expect(told({ probe: probe(0, 0) })).toBe('Up: handshake 10 s ago');
  });

  it('makes its connection what it is', () => {
    const [up, down, idle] = [look({}), look({ dump: undefined }), look({ dump: dump({ handshakeS: NOW - 999 }) })];
    const stateOf = (...peers: Parameters<typeof lookAtConnection>[0][number][]) => lookAtConnection(peers).state;
    expect([stateOf(up), stateOf(up, idle), stateOf(up, down), stateOf(down, idle), stateOf(idle)]).toEqual([
      'Up',
      'Up',
      'Degraded',
      'Down',
      'Idle',
    ]);
    expect(lookAtConnection([down, down, down, down]).reason).toMatch(/; and 1 more$/);
  });
});

describe('a probe', () => {
  const watches: PingWatch[] = [];
  it('counts answers, and the lack of them, of the last ten', async () => {
    const answers = [...Array<Echoed>(8).fill('Lost'), ...Array<Echoed>(6).fill('Answered')];
    const lostInRow: number[] = [];
    const asked: unknown[][] = [];
    await new Promise<void>((resolve) => {
      const ping = (...question: unknown[]): Promise<Echoed> => {
        asked.push(question);
        const answer = answers.shift();
        if (answer === undefined) resolve();
        return answer === undefined ? new Promise(() => undefined) : Promise.resolve(answer);
      };
      const options = { address: '192.0.2.1', from: '10.0.0.1', link: 'vw-a', intervalMs: 1 };
      const watch = new PingWatch(options, { ping }, () => lostInRow.push(watch.lostInRow));
      watches.push(watch);
    });
    const [watch] = watches.splice(0);
    watch?.stop();
    expect(watch?.look).toMatchObject({ address: '192.0.2.1', sent: 10, lost: 4 });
    expect(watch?.look.roundTripMs).toBeLessThan(50);
    expect(lostInRow).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0]);
    expect(asked[0]).toEqual(['10.0.0.1', '192.0.2.1', 1, 'vw-a']);
  });
});

describe('where peers are', () => {
  it('is known from a former supervisor, but not against a document', () => {
    const endpoints = new Endpoints({ 'own roamer': '198.51.100.7:1', 'own named': '198.51.100.8:1' });
    expect(endpoints.of('own', 'roamer', undefined)).toBe('198.51.100.7:1');
    expect(endpoints.of('own', 'named', '198.51.100.9:1')).toBeUndefined();
    endpoints.saw('own', 'named', '198.51.100.8:2');
    expect(endpoints.of('own', 'named', '198.51.100.9:1')).toBe('198.51.100.8:2');
    expect(endpoints.kept).toEqual({ 'own roamer': '198.51.100.7:1', 'own named': '198.51.100.8:2' });
    expect(endpoints.all).toEqual({ 'own named': '198.51.100.8:2' });
    endpoints.follow('own', new Set(['roamer']));
    expect(endpoints.kept).toEqual({ 'own roamer': '198.51.100.7:1' });
  });

  it('is none that wg might not take later', () => {
    const endpoints = new Endpoints({ 'own a': 'nonsense', 'own b': '[2001:db8::1]:51820', 'own c': '300.1.1.1:1' });
    for (const endpoint of ['[fe80::1%ext0]:1', '198.51.100.7:70000']) endpoints.saw('own', 'd', endpoint);
    expect(endpoints.kept).toEqual({ 'own b': '[2001:db8::1]:51820' });
  });
});
