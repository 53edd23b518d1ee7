import { describe, expect, it } from 'vitest';
import { lookAtConnection, lookAtPeer, type PeerInput, type ProbeLook } from '../../gateway/health/peer-state.js';
import { PingWatch } from '../../gateway/health/ping-watch.js';
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
    sentBefore: 100,
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
    expect(told({ dump: old, sentBefore: 50 })).toBe('Down: last handshake 191 s ago');
    expect(told({ dump: old, keepaliveMs: 25_000 })).toBe('Down: last handshake 191 s ago');
    const never = { handshakeS: undefined };
    expect(told({ dump: dump({ ...never, sentBytes: 0 }), sentBefore: 0 })).toBe('Idle: nothing was said yet');
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
  it('counts answers, and the lack of them, of the last ten', () => {
    const watch = new PingWatch({ address: '127.0.0.1', from: undefined, intervalMs: 3_600_000 });
    watch.stop();
    for (let i = 0; i < 8; i++) watch.hear(`no answer yet for icmp_seq=${i}`);
    for (let i = 0; i < 6; i++) watch.hear(`64 bytes from 127.0.0.1: icmp_seq=${i} ttl=64 time=2.50 ms`);
    watch.hear('--- 127.0.0.1 ping statistics ---');
    expect(watch.look).toEqual({ address: '127.0.0.1', sent: 10, lost: 4, roundTripMs: 2.5 });
  });
});
