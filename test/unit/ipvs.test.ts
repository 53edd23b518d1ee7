import { describe, expect, it } from 'vitest';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import { serviceText, syncText, TIMEOUTS } from '../../gateway/kernel/ipvs/entry.js';
import { parse } from '../../gateway/kernel/ipvs/parse.js';
import { ipvs } from '../../gateway/kernel/ipvs/subsystem.js';
import { type Line, NO_ALLOCATIONS } from '../../gateway/kernel/state.js';
import type { Listener, LoadBalancer, Member, Pool } from '../../gateway/model/balancer.js';
import { parseIp } from '../../gateway/model/ip.js';
import { NO_PRESSURE } from '../../gateway/model/pressure.js';
import { sharingEnds } from '../../gateway/model/shared-ends.js';
import { allocateAll } from '../../gateway/reconcile/allocate.js';
import { candidateOf } from '../../gateway/reconcile/candidate.js';
import { compile } from '../../gateway/reconcile/compile.js';
import { spec } from '../support/complaints.js';

// What IPVS is read as and told, and which listeners it cannot tell apart.

const SAVED = `-A -t 203.0.113.10:80 -s wrr -p 300 -b flag-3
-a -t 203.0.113.10:80 -r 10.0.0.5:8080 -m -w 7
-A -u 203.0.113.10:53 -s sh -b sh-fallback
-A -f 5 -s wlc
-a -f 5 -r 10.0.0.9:1 -m -w 1
-A -f 805310464 -6 -s mh -b mh-fallback
-a -f 805310464 -6 -r [fd00:a::5]:0 -m -w 2
Timeout (tcp tcpfin udp): 900 120 130
`;
const lines = (...entries: readonly [string, string][]): Map<string, Line> =>
  new Map(entries.map(([key, text]) => [key, { text }]));

describe('the services of IPVS', () => {
  it('are read with their members, without what carries no tag', () => {
    expect([...parse(SAVED)].map(([key, { text }]) => `${key} | ${text}`)).toEqual([
      '-t 203.0.113.10:80 | -s wrr -p 300 -b flag-3',
      '-t 203.0.113.10:80 -r 10.0.0.5:8080 | -m -w 7',
      '-u 203.0.113.10:53 | -s sh -b sh-fallback',
      '-f 805310464 -6 | -s mh -b mh-fallback',
      '-f 805310464 -6 -r [fd00:a::5]:0 | -m -w 2',
      'timeouts | 900 120 130',
    ]);
  });

  it('are read from the table of each as from the commands of all', () => {
    const listed = `Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  203.0.113.10:80 wrr (flag-3) persistent 300
  -> 10.0.0.5:8080                Masq    7      12         3         
UDP  203.0.113.10:53 sh (sh-fallback)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
FWM  5 wlc
  -> 10.0.0.9:1                   Masq    1      0          0         
FWM  805310464 IPv6 mh (mh-fallback)
  -> [fd00:a::5]:0                Masq    2      0          0         
Timeout (tcp tcpfin udp): 900 120 130
`;
    expect([...parse(listed)]).toEqual([...parse(SAVED)]);
  });

  it('stand beside what tells the other of a pair', () => {
    const said = 'master sync daemon (mcast=sync0, syncid=7, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)\n';
    expect([...parse(said)]).toEqual([['sync master', { text: syncText('sync0', '224.0.0.81', 7) }]]);
  });

  it('change one by one: new ones first, members with their service', () => {
    const service = '-t 203.0.113.10:80';
    const [old, next] = ['-t 203.0.113.10:81', '-t 203.0.113.10:82'];
    const before = lines(
      [service, serviceText('wrr')],
      [`${service} -r 10.0.0.5:80`, '-m -w 1'],
      [`${service} -r 10.0.0.6:80`, '-m -w 1'],
      [old, serviceText('wrr')],
      [`${old} -r 10.0.0.5:80`, '-m -w 1'],
    );
    const after = lines(
      [service, serviceText('wrr')],
      [`${service} -r 10.0.0.5:80`, '-m -w 2'],
      [next, serviceText('mh')],
      [`${next} -r 10.0.0.5:82`, '-m -w 1'],
    );
    const changes = ipvs.diff(before, after).map(({ phase, action, key }) => `${phase} ${action} ${key}`);
    expect(changes).toEqual([
      `prepare replace ${service} -r 10.0.0.5:80`,
      `prepare add ${next}`,
      `prepare add ${next} -r 10.0.0.5:82`,
      `prune remove ${service} -r 10.0.0.6:80`,
      `prune remove ${old}`,
    ]);
  });
});

describe('times that IPVS is told', () => {
  it('are none that ipvsadm refuses', () => {
    const text = [
      spec(
        'VpcGateway',
        'blue',
        `  internal: {interface: vpc0, addresses: [10.0.0.1/24]}
  externals: [{name: internet, interface: ext0, addresses: [100.64.0.11/24], gateways: [100.64.0.1]}]
  timeouts: {tcpEstablished: 60d}
`,
      ),
      spec(
        'LoadBalancer',
        'shop',
        `  address: 10.0.0.100
  pools: [{name: all, members: [{address: 10.0.0.21}]}]
  listeners: [{protocol: TCP, port: 80, pool: all, affinity: {timeout: 60d}}]
`,
      ),
    ].join('---\n');
    const { model } = candidateOf(splitDocuments({ file: 'a.yaml', text }), new ParseCache());
    const facts = { mtu: new Map(), balancing: { engine: 'ipvs', lacking: undefined } } as const;
    const { state } = compile({ model, facts, allocations: allocateAll(NO_ALLOCATIONS, model), pressure: NO_PRESSURE });
    expect(state.ipvs.get(TIMEOUTS)?.text).toBe('2678400 120 120');
    expect(state.ipvs.get('-t 10.0.0.100:80')?.text).toContain('-p 2678400 ');
  });
});

describe('listeners that share an end of a member', () => {
  const member = (host: number, port?: number): Member => {
    const address = parseIp(`10.0.0.${host}`);
    if (!address) throw new Error('no address');
    return { address, port, weight: 1, backup: false, maintenance: false };
  };
  const listener = (protocol: 'TCP' | 'UDP', first: number, last: number, ...members: Member[]): Listener =>
    ({ protocol, ports: { first, last }, pool: { members } as unknown as Pool }) as Listener;
  const sharing = (...listeners: Listener[]): number[] => {
    const found = sharingEnds([{ name: 'a', listeners } as unknown as LoadBalancer]);
    return listeners.flatMap((one, i) => (found.has(one) ? [i] : []));
  };

  it('are all but the first', () => {
    expect(
      sharing(listener('TCP', 80, 80, member(5, 8080)), listener('TCP', 443, 443, member(6), member(5, 8080))),
    ).toEqual([1]);
    expect(sharing(listener('TCP', 80, 80, member(5)), listener('TCP', 81, 81, member(5)))).toEqual([]);
    expect(sharing(listener('TCP', 80, 80, member(5)), listener('UDP', 80, 80, member(5)))).toEqual([]);
  });

  it('may be ranges', () => {
    const range = listener('TCP', 80, 90, member(5));
    expect(sharing(range, listener('TCP', 100, 100, member(5, 85)))).toEqual([1]);
    expect(sharing(listener('TCP', 100, 100, member(5, 85)), range)).toEqual([1]);
    expect(sharing(range, listener('TCP', 100, 100, member(5, 91)))).toEqual([]);
  });
});
