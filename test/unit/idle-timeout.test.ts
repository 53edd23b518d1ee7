import { describe, expect, it } from 'vitest';
import { type IdleEntry, idleTable, objectsOf, setsOf, spelt } from '../../gateway/kernel/idle/render.js';
import { longestIdleMs } from '../../gateway/model/idle-timeout.js';
import { balancerNotes } from '../../gateway/reconcile/balancer-notes.js';
import { candidateOf } from '../../gateway/reconcile/candidate.js';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import { NONE_DOWN } from '../../gateway/model/balancer.js';

const entry = (seconds: number, listener: string): IdleEntry => ({ protocol: 'TCP', family: 4, seconds, listener });
const [web, dns] = [entry(60, '203.0.113.10 . 80'), { ...entry(10, '203.0.113.10 . 53'), protocol: 'UDP' } as const];

/** As nft prints it, in the order in which it was made. */
const PRINTED = `table inet vpcgw_idle {
	ct timeout udp4-10 {
		protocol udp
		l3proto ip
		policy = { unreplied : 10, replied : 10 }
	}

	ct timeout tcp4-60 {
		protocol tcp
		l3proto ip
		policy = { established : 60 }
	}

	set udp4-10 {
		type ipv4_addr . inet_service
		flags interval
		elements = { 203.0.113.10 . 53 }
	}

	set tcp4-60 {
		type ipv4_addr . inet_service
		flags interval
		elements = { 203.0.113.10 . 80 }
	}

	chain prerouting {
		type filter hook prerouting priority mangle - 10; policy accept;
		ct state new ip daddr . tcp dport @tcp4-60 ct timeout set "tcp4-60"
		ct state new ip daddr . udp dport @udp4-10 ct timeout set "udp4-10"
	}
}
`;

describe('the table of idle timeouts', () => {
  it('is what the kernel prints, in whichever order it was made', () => {
    expect(spelt(PRINTED)).toBe(spelt(idleTable([web, dns], {})));
    for (const [there, instead] of [
      ['. 80 ', '. 81 '],
      ['@tcp4-60', '@udp4-10'],
      ['policy accept', 'policy drop'],
      ['ct timeout tcp4-60', 'ct timeout tcp4-61'],
    ] as const)
      expect(spelt(PRINTED.replace(there, instead)), there).not.toBe(spelt(PRINTED));
  });

  it('has one object for all that ask for the same, and another where the gateway has other timeouts', () => {
    const names = (...[entries, states]: Parameters<typeof idleTable>) => [
      ...objectsOf(idleTable(entries, states)).keys(),
    ];
    const more = entry(60, '203.0.113.11 . 80-90');
    expect(names([web, more], {})).toEqual(['tcp4-60']);
    expect(setsOf(idleTable([web, more], {})).get('tcp4-60')).toContain('{ 203.0.113.10 . 80, 203.0.113.11 . 80-90 }');
    const [first] = names([web], { fin_wait: 30 });
    expect(first).toMatch(/^tcp4-60-[0-9a-f]{8}$/);
    expect(names([web], { fin_wait: 31 })).not.toEqual([first]);
    expect(names([dns], { fin_wait: 30 })).toEqual(['udp4-10']);
  });
});

describe('what status says of it', () => {
  const text = `
apiVersion: vpcgw.io/v1alpha1
kind: VpcGateway
metadata: {name: blue}
spec:
  internal: {interface: vpc0, addresses: [10.0.0.1/24]}
  externals: [{name: internet, interface: ext0, addresses: [100.64.0.11/24], gateways: [100.64.0.1]}]
---
apiVersion: vpcgw.io/v1alpha1
kind: LoadBalancer
metadata: {name: shop}
spec:
  address: 10.0.0.100
  pools: [{name: all, members: [{address: 10.0.0.21}]}]
  listeners:
    - {protocol: TCP, port: 80, pool: all, idleTimeout: 1h}
    - {protocol: UDP, port: 53, pool: all, idleTimeout: 10s}
    - {protocol: UDP, port: 54, pool: all, idleTimeout: 5m}
`;
  const { model } = candidateOf(splitDocuments({ file: 'one.yaml', text }), new ParseCache());
  /** Between who serves and as whom members see clients inside. */
  const notes = (engine: 'ipvs' | 'iptables', untimed?: string): string[] =>
    balancerNotes('shop', model, { down: NONE_DOWN, engine, untimed }).slice(1, -1);

  it('is where IPVS differs, and what a kernel lacks', () => {
    expect(['TCP', 'UDP'].map((protocol) => longestIdleMs(protocol as 'TCP' | 'UDP', model) / 60_000)).toEqual([60, 5]);
    expect(notes('iptables')).toEqual([]);
    expect(notes('ipvs')).toEqual(['UDP 53: a flow that was forgotten comes to its former member for 5m (IPVS)']);
    expect(notes('iptables', 'no ct timeout')).toEqual(
      ['TCP 80', 'UDP 53', 'UDP 54'].map(
        (name) => `${name}: no idle timeout of its own, which this kernel lacks: no ct timeout`,
      ),
    );
  });
});
