import { describe, expect, it } from 'vitest';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import type { CompileContext } from '../../gateway/features/feature.js';
import { differences } from '../../gateway/insight/trace/compare.js';
import { observed, parseTraceLine, traceScript } from '../../gateway/insight/trace/kernel-trace.js';
import { parsePacket } from '../../gateway/insight/trace/packet.js';
import { NO_ALLOCATIONS } from '../../gateway/kernel/state.js';
import { walk } from '../../gateway/insight/trace/walk.js';
import type { Walk } from '../../gateway/insight/trace/walk.js';
import { NO_PRESSURE } from '../../gateway/model/pressure.js';
import { allocateAll } from '../../gateway/reconcile/allocate.js';
import { candidateOf } from '../../gateway/reconcile/candidate.js';
import { contextOf } from '../../gateway/reconcile/compile.js';
import { spec } from '../support/complaints.js';
import { exampleKeys, examplePublicKey } from '../support/example-keys.js';

// Hops of the walk through the model that real packets of other tests do not meet, and how it is compared.

const gateway = (more = ''): string =>
  spec(
    'VpcGateway',
    'blue',
    `  internal: {interface: vpc0, addresses: [10.0.0.1/24], prefixes: [{cidr: 10.0.1.0/24, via: 10.0.0.254}]}
  externals:
    - {name: internet, interface: ext0, addresses: [100.64.0.11/24], gateways: [100.64.0.1]}
    - {name: second, interface: ext1, addresses: [100.65.0.11/24], gateways: [100.65.0.1]}
${more}`,
  );
const WEB = `  address: 203.0.113.10\n  external: internet\n  target: {address: 10.0.0.5}\n`;

type Engine = NonNullable<CompileContext['facts']['balancing']>['engine'];

interface Moment {
  full?: boolean;
  engine?: Engine;
  enters?: string;
  doubtful?: readonly string[];
}

function walked(
  from: string,
  to: string,
  documents: readonly string[],
  { full = false, engine, enters, doubtful = [] }: Moment = {},
): Walk {
  const source = splitDocuments({ file: 'a.yaml', text: documents.join('---\n') });
  const { model } = candidateOf(source, new ParseCache());
  const allocations = allocateAll(NO_ALLOCATIONS, model);
  const balancing = engine && { balancing: { engine, lacking: undefined } };
  const tunnels = { engine: 'wireguard', lacking: undefined, namespace: '' } as const;
  const facts: CompileContext['facts'] = {
    mtu: new Map([['line0', 1500]]),
    tunnels,
    keys: exampleKeys('own'),
    ...balancing,
  };
  const context = contextOf({
    model,
    facts,
    allocations,
    pressure: { ...NO_PRESSURE, full, doubtful: new Set(doubtful) },
  });
  return walk(model, context, parsePacket(from, to), enters);
}
const at = ({ hops }: Walk, where: string): string | undefined => hops.find((hop) => hop.at === where)?.what;

describe('the walk', () => {
  it('goes out by the network of the source’s elastic IP, and back by it', () => {
    const other = spec(
      'ElasticIP',
      'other',
      `  address: 198.18.0.10\n  external: second\n  target: {address: 10.0.1.5}\n`,
    );
    const out = walked('10.0.1.5', '198.51.100.1:80/tcp', [gateway(), other]);
    expect(out.outcome).toEqual({
      kind: 'Delivered',
      source: '198.18.0.10',
      destination: '198.51.100.1',
      port: 80,
      link: 'vg-ext1',
    });
    expect(at(out, 'VG-NEW')).toBe('its connections use external network second');
    const into = walked('198.51.100.1', '198.18.0.10:80/tcp', [gateway(), other]);
    expect(into.enters).toBe('second');
    expect(at(into, 'table 1000')).toBe('10.0.1.5 is by way of 10.0.0.254, vg-vpc0');
    expect(into.back.map(({ what }) => what)).toContain("the connection's mark leads it to external network second");
  });

  describe.each([
    { engine: 'iptables', ends: ['VG-D', 'table 1000', 'VG-FWD'] },
    { engine: 'ipvs', ends: ['VG-D', 'table local', 'VG-IN'] },
  ] as const)('of what a listener takes, by $engine', ({ engine, ends }) => {
    const lb = (members: string, more = ''): string =>
      spec(
        'LoadBalancer',
        'shop',
        `  elasticIP: web\n  pools: [{name: all, members: [${members}]}]\n  listeners: [{protocol: TCP, port: 80, pool: all${more}}]\n`,
      );
    const to = (members: string, more?: string) =>
      walked('198.51.100.1', '203.0.113.10:80/tcp', [gateway(), spec('ElasticIP', 'web', WEB), lb(members, more)], {
        engine,
      });
    const [six, seven] = ['{address: 10.0.0.6, port: 8080}', '{address: 10.0.0.7, port: 8080}'];

    it('ends at a member', () => {
      const walk = to(six);
      expect(walk.outcome).toMatchObject({ kind: 'Delivered', destination: '10.0.0.6', port: 8080, link: 'vg-vpc0' });
      expect(at(walk, 'VG-B')).toBe('TCP 80 of LoadBalancer/shop takes it');
      const hops = walk.hops.map((hop) => hop.at);
      expect(hops.slice(hops.indexOf('VG-D'), hops.indexOf('VG-D') + ends.length)).toEqual(ends);
    });

    it('names all that it may come to', () => {
      const what = to(`${six}, ${seven}`).hops.map((hop) => hop.what);
      expect(what).toContainEqual(expect.stringContaining('to one of 10.0.0.6:8080, 10.0.0.7:8080'));
    });

    it('is refused where nobody serves, and dropped for who may not', () => {
      expect(to('{address: 10.0.0.6, weight: 0}').outcome).toMatchObject({ kind: 'Rejected' });
      expect(to(six, ', allowedSources: [192.0.2.0/24]').outcome).toEqual({ kind: 'Dropped', reason: 'Firewall' });
    });

    it('is what other ports are not', () => {
      const walk = walked('198.51.100.1', '203.0.113.10:81/tcp', [gateway(), spec('ElasticIP', 'web', WEB), lb(six)], {
        engine,
      });
      expect(walk.outcome).toMatchObject({ destination: '10.0.0.5', port: 81 });
    });
  });

  it('names classes of bandwidth, both ways', () => {
    const web = spec('ElasticIP', 'web', `${WEB}  bandwidth: {ingress: 10M, egress: 5M}\n`);
    const into = walked('198.51.100.1', '203.0.113.10:80/tcp', [gateway(), web]);
    expect(at(into, 'class 1:10')).toBe('of vi-ext0: at most 10Mbit/s');
    const out = walked('10.0.0.5', '198.51.100.1:80/tcp', [gateway(), web]);
    expect(at(out, 'class 1:10')).toBe('of vg-ext0: at most 5Mbit/s');
    const shared = walked('198.51.100.1', '203.0.113.10:80/tcp', [
      gateway('  bandwidth: {ingress: 100M}\n'),
      spec('ElasticIP', 'web', WEB),
    ]);
    expect(at(shared, 'class 1:2')).toBe("of vi-ext0: shares the gateway's 100Mbit/s");
  });

  it('names limits, and stops where the whole gateway is full', () => {
    const documents = [
      gateway('  limits: {connections: 5, connectionsPerSource: 3, newConnectionsPerSecondPerSource: 4}\n'),
      spec('ElasticIP', 'web', `${WEB}  limits: {newConnectionsPerSecond: 7}\n`),
    ];
    const into = walked('198.51.100.1', '203.0.113.10:80/tcp', documents);
    expect(at(into, 'VG-L')).toBe('unless there are more than 7 new connections a second to 203.0.113.10');
    const out = walked('10.0.0.5', '198.51.100.1:80/tcp', documents);
    expect(at(out, 'VG-LS')).toBe('unless there are more than 4 new connections a second of one source');
    expect(at(out, 'VG-FWD')).toBe(
      'the VPC may open connections to outside, unless 10.0.0.5 has more than 3 connections',
    );
    const full = walked('198.51.100.1', '203.0.113.10:80/tcp', documents, { full: true });
    expect(full.outcome).toEqual({ kind: 'Dropped', reason: 'ConnectionLimit' });
  });

  it('is not led on where defaultIngress denies, unless a policy allows', () => {
    const denying = gateway('  defaultIngress: Deny\n');
    const bound = [denying, spec('ElasticIP', 'web', WEB)];
    expect(walked('198.51.100.1', '203.0.113.10:80/tcp', bound).outcome).toEqual({ kind: 'Dropped', reason: 'NoRule' });
    const policy = spec(
      'FirewallPolicy',
      'web',
      `  appliesTo: {elasticIPs: [web]}\n  rules:\n    - {priority: 1, action: Allow, direction: Ingress}\n`,
    );
    expect(walked('198.51.100.1', '203.0.113.10:80/tcp', [...bound, policy]).outcome.kind).toBe('Delivered');
  });

  it('inside the VPC changes nothing', () => {
    const inside = walked('10.0.0.5', '10.0.1.5:80/tcp', [gateway(), spec('ElasticIP', 'web', WEB)]);
    expect(at(inside, 'VG-SNAT')).toBe('inside the VPC nothing is translated');
    expect(inside.outcome).toMatchObject({ source: '10.0.0.5', link: 'vg-vpc0' });
  });
});

describe('the walk of what a site says, and is told,', () => {
  const key = examplePublicKey('site');
  const office = (more = '', keyRef = 'own'): string[] => [
    gateway(),
    spec('ElasticIP', 'web', WEB),
    spec('ElasticIP', 'vpn', '  address: 203.0.113.40\n  external: internet\n'),
    spec(
      'VpnConnection',
      'office',
      `  type: WireGuard\n  elasticIP: vpn\n  localNetworks: [10.0.0.0/25]\n${more}  wireGuard:\n    keyRef: {file: ${keyRef}}\n    peers: [{name: site, publicKey: ${key}, networks: [192.168.77.0/24]}]\n`,
    ),
  ];
  const rules = `  rules:
    - {priority: 1, action: Allow, direction: Ingress, ports: [{protocol: ICMP}]}
    - {priority: 1, action: Reject, direction: Egress, ports: [{protocol: TCP, port: 25}]}
    - {priority: 2, action: Allow, direction: Egress}
`;
  const last = ({ hops }: Walk): string => hops.map((hop) => `${hop.at}: ${hop.what}`).at(-1) ?? '';

  it('goes by the link, and by nothing else', () => {
    const walk = walked('10.0.0.5', '192.168.77.1:80/tcp', office());
    expect(walk.outcome).toMatchObject({ kind: 'Delivered', source: '10.0.0.5', link: 'vw-office' });
    expect(walk.back.map((hop) => hop.at)).toEqual(['vw-office', 'conntrack', 'table 1000', 'vg-vpc0']);
    expect(last(walked('10.0.0.200', '192.168.77.1:80/tcp', office()))).toBe(
      'VG-WO-1: 10.0.0.200 is in no local network of VpnConnection/office',
    );
    const down = walked('10.0.0.5', '192.168.77.1:80/tcp', office('', 'missing'));
    expect(down.outcome).toEqual({ kind: 'Unroutable' });
    expect(last(down)).toBe(
      'table 1000: 192.168.77.1 is behind VpnConnection/office, which has no link here; refused as unreachable',
    );
  });

  it('comes in by the link, and reaches what it is offered', () => {
    const walk = walked('192.168.77.1', '10.0.0.5:80/tcp', office());
    expect(walk.enters).toBe('VpnConnection/office');
    expect(walk.outcome).toMatchObject({ kind: 'Delivered', destination: '10.0.0.5', link: 'vg-vpc0' });
    expect(walk.back.at(-1)).toMatchObject({ at: 'vw-office', verdict: 'Delivered' });
    const refused = walked('192.168.77.1', '10.0.0.200:80/tcp', office());
    expect(refused.outcome).toEqual({ kind: 'Rejected', reason: 'Firewall' });
    expect(walked('192.168.77.1', '203.0.113.10:80/tcp', office()).outcome).toMatchObject({ kind: 'Rejected' });
    expect(walked('192.168.77.1', '10.0.0.1/icmp', office()).outcome).toEqual({ kind: 'Answered' });
    expect(walked('192.168.78.1', '10.0.0.5:80/tcp', office(), { enters: 'VpnConnection/office' }).outcome).toEqual({
      kind: 'Dropped',
      reason: 'Spoof',
    });
  });

  it('is seen as something else, both ways', () => {
    const more = '  translate: [{network: 10.0.0.0/25, as: 100.64.7.0/25}]\n';
    expect(walked('10.0.0.5', '192.168.77.1:80/tcp', office(more)).outcome).toMatchObject({ source: '100.64.7.5' });
    const into = walked('192.168.77.1', '100.64.7.5:80/tcp', office(more));
    expect(into.outcome).toMatchObject({ destination: '10.0.0.5' });
    expect(into.back[1]?.what).toBe('its translation is undone: from 100.64.7.5:80 to 192.168.77.1');
    expect(walked('192.168.77.1', '10.0.0.5:80/tcp', office(more)).outcome).toMatchObject({ kind: 'Rejected' });
  });

  it('is asked for its rules', () => {
    expect(last(walked('192.168.77.1', '10.0.0.5:80/tcp', office(rules)))).toBe(
      'VG-WI-1: none of its rules matches, so that it is denied',
    );
    expect(walked('192.168.77.1', '10.0.0.5/icmp', office(rules)).outcome).toMatchObject({ kind: 'Delivered' });
    expect(last(walked('10.0.0.5', '192.168.77.1:25/tcp', office(rules)))).toBe(
      'VG-WO-1: the rule of priority 1 rejects it',
    );
  });

  it('goes by a line before its backup, which takes what a doubtful one leaves', () => {
    const line = spec(
      'DedicatedLine',
      'paris',
      `  port: {interface: line0}\n  localAddresses: [169.254.100.1/30]\n  peerAddresses: [169.254.100.2]\n  localNetworks: [10.0.0.0/25]\n  static: {networks: [192.168.77.0/24]}\n  backup: office\n`,
    );
    const by = (doubtful: readonly string[]) =>
      walked('10.0.0.5', '192.168.77.1:80/tcp', [...office(), line], { doubtful }).outcome.link;
    expect([by([]), by(['DedicatedLine/paris'])]).toEqual(['vg-line0', 'vw-office']);
  });

  describe('at the gateway’s end of a line,', () => {
    const paris = 'DedicatedLine/paris';
    const session = `  bgp: {localASN: 65001, peerASN: 65002, accept: [{cidr: 172.20.0.0/16}], bfd: {}}\n`;
    const line = (networks = '  static: {networks: [172.20.0.0/16]}\n', port = 'line0'): string =>
      spec(
        'DedicatedLine',
        'paris',
        `  port: {interface: ${port}}\n  localAddresses: [169.254.100.1/30]\n  peerAddresses: [169.254.100.2]\n  localNetworks: [10.0.0.0/25]\n${networks}`,
      );
    const to = (from: string, what: string, documents = [...office(), line()], enters?: string) =>
      walked(from, `169.254.100.1${what}`, documents, enters === undefined ? {} : { enters });

    it('is answered when it comes by the line, and asks no more of the gateway', () => {
      for (const walk of [to('172.20.0.1', '/icmp'), to('169.254.100.2', '/icmp', undefined, paris)]) {
        expect(walk.outcome).toEqual({ kind: 'Answered' });
        expect(walk.hops.map((hop) => hop.at)).toEqual(['vg-line0', 'VG-WA-1', 'table local', 'VG-IN']);
      }
      expect(to('172.20.0.1', ':22/tcp').outcome).toEqual({ kind: 'Dropped', reason: 'NoRule' });
      expect(to('169.254.100.3', '/icmp', undefined, paris).outcome).toEqual({ kind: 'Dropped', reason: 'Spoof' });
    });

    it('is of the session from the other end alone', () => {
      const outcomes = ['169.254.100.2', '172.20.0.1'].map((from) =>
        [':179/tcp', ':3784/udp'].map((port) => to(from, port, [...office(), line(session)], paris).outcome.kind),
      );
      expect(outcomes).toEqual([
        ['Answered', 'Answered'],
        ['Dropped', 'Dropped'],
      ]);
    });

    it('is refused by all other ways', () => {
      expect(to('192.168.77.1', '/icmp').outcome).toEqual({ kind: 'Rejected', reason: 'Firewall' });
      for (const from of ['10.0.0.5', '10.0.0.6', '198.51.100.1']) {
        expect(to(from, '/icmp').outcome).toEqual({ kind: 'Dropped', reason: 'NoRule' });
        expect(last(to(from, '/icmp'))).toBe('VG-IN: the gateway offers nothing here');
      }
      const policy = spec(
        'FirewallPolicy',
        'whole',
        `  appliesTo: {gateway: true}\n  rules:\n    - {priority: 1, action: Deny, direction: Ingress}\n`,
      );
      const judged = to('10.0.0.5', '/icmp', [...office(), line(), policy]);
      expect(judged.outcome).toEqual({ kind: 'Dropped', reason: 'Firewall' });
      const nowhere = to('10.0.0.5', '/icmp', [...office(), line(undefined, 'line9')]);
      expect(nowhere.outcome).toMatchObject({ kind: 'Delivered', link: 'vg-ext0' });
    });
  });

  it('ends at its port of the elastic IP', () => {
    const walk = walked('198.51.100.1', '203.0.113.40:51820/udp', office());
    expect(walk.outcome).toEqual({ kind: 'Answered' });
    expect(last(walk)).toBe('VG-IN: the tunnel of VpnConnection/office takes it');
    expect(walked('198.51.100.1', '203.0.113.40:51821/udp', office()).outcome).toMatchObject({ kind: 'Dropped' });
  });
});

describe('the kernel’s trace', () => {
  const line = (text: string) => parseTraceLine(`trace id 1a ${text}`) ?? expect.fail(text);

  it('is asked for exactly one kind of packet', () => {
    const script = traceScript(parsePacket('2001:db8::1', '[2001:db8:e::10]:80/tcp'), 'vg-ext0');
    expect(script).toContain('flags owner');
    expect(script).toContain(
      'iifname "vg-ext0" ip6 saddr 2001:db8::1 ip6 daddr 2001:db8:e::10 tcp dport 80 limit rate',
    );
  });

  it('differs where the kernel did otherwise, and a limit is no difference', () => {
    const model = walked('198.51.100.1', '203.0.113.10:80/tcp', [
      gateway('  limits: {newConnectionsPerSecond: 5}\n'),
      spec('ElasticIP', 'web', WEB),
    ]);
    const chains = ['VG-MARK', 'VG-L', 'VG-D', 'VG-FWD'];
    const jumps = chains.map((chain) => line(`ip mangle X rule jump (verdict jump ${chain})`));
    const out = line(
      'inet vpcgw_guard postrouting packet: oif "vg-vpc0" ip saddr 198.51.100.1 ip daddr 10.0.0.5 tcp dport 80',
    );
    expect(differences(model, observed([...jumps, out]), undefined)).toEqual([]);
    const limit = line('ip mangle VG-X-ConnectionLimit rule drop (verdict drop)');
    expect(differences(model, observed([...jumps.slice(0, 2), limit]), undefined)).toEqual([]);
    const elsewhere = { ...out, text: out.text.replace('10.0.0.5', '10.0.0.6') };
    expect(differences(model, observed([...jumps, elsewhere]), undefined)).toEqual([
      'destination: 10.0.0.5 by the model, 10.0.0.6 in the kernel',
    ]);
    expect(
      differences(
        model,
        observed([...jumps.slice(0, 3), line('ip mangle X rule (verdict jump VG-E)'), out]),
        undefined,
      ),
    ).toEqual(['the kernel did not ask VG-FWD', 'the kernel asked VG-E, which the model passes by']);
  });
});
