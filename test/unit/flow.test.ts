import { describe, expect, it } from 'vitest';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import type { Drain } from '../../gateway/model/drain.js';
import { type Flow, FlowJudge, mayLeaveStale } from '../../gateway/model/flow.js';
import type { GatewayModel } from '../../gateway/model/gateway-model.js';
import { candidateOf } from '../../gateway/reconcile/candidate.js';
import { spec } from '../support/complaints.js';

// Which connections an edit cuts: those whose translation the documents no longer allow, and no other.

const GATEWAY = spec(
  'VpcGateway',
  'blue',
  `  internal: {interface: vpc0, addresses: [10.0.0.1/24, "fd00:a::1/64"], prefixes: [{cidr: "2001:db8:a::/64", via: "fd00:a::fe"}]}
  externals:
    - {name: internet, interface: ext0, addresses: [100.64.0.11/24, "2001:db8:ffff::11/64"], gateways: [100.64.0.1, "2001:db8:ffff::1"]}
`,
);
const modelOf = (...documents: string[]): GatewayModel =>
  candidateOf(splitDocuments({ file: 'a.yaml', text: [GATEWAY, ...documents].join('---\n') }), new ParseCache()).model;

const eip = (name: string, address: string, target?: string): string =>
  spec('ElasticIP', name, `  address: "${address}"\n${target ? `  target: {address: "${target}"}\n` : ''}`);
const snat = (source: string, ...pool: string[]): string =>
  spec('SnatRule', 'snat', `  sources: [{cidr: "${source}"}]\n  elasticIPs: [${pool.join(', ')}]\n`);
const dnat = (name: string, protocol: string, port: number | undefined, target: string, more = ''): string =>
  spec(
    'DnatRule',
    name,
    `  elasticIP: nat\n  protocol: ${protocol}\n${port ? `  port: ${port}\n` : ''}  target: {address: ${target}}\n${more}`,
  );

type End = [address: string, port: number];
/** `from` opened a connection to `to`; outside it is seen as `seenAs`, and it ends at `endsAt`. */
const flow = (protocol: string, from: End, to: End, seenAs: End = from, endsAt: End = to): Flow => ({
  family: from[0].includes(':') ? 6 : 4,
  protocol,
  original: { source: from[0], sourcePort: from[1], destination: to[0], destinationPort: to[1] },
  reply: { source: endsAt[0], sourcePort: endsAt[1], destination: seenAs[0], destinationPort: seenAs[1] },
  mark: 0,
  bytes: 0,
  replyBytes: 0,
});
const judge = (model: GatewayModel, a: Flow, drains: readonly Drain[] = []): string =>
  new FlowJudge(model, drains).judge(a).reason || 'kept';

const INET: End = ['198.51.100.1', 80];
const client: End = ['198.51.100.9', 40_000];
const inward = (protocol: string, to: End, endsAt: End): Flow => flow(protocol, client, to, client, endsAt);

describe('connections from outside', () => {
  const bound = modelOf(eip('web', '203.0.113.10', '10.0.0.5'));
  const held = inward('tcp', ['203.0.113.10', 80], ['10.0.0.5', 80]);

  it('live as long as their elastic IP leads to the same VM', () => {
    expect(judge(bound, held)).toBe('kept');
    expect(judge(modelOf(eip('renamed', '203.0.113.10', '10.0.0.5')), held)).toBe('kept');
    expect(judge(modelOf(eip('web', '203.0.113.10', '10.0.0.6')), held)).toBe('203.0.113.10 now leads to 10.0.0.6');
    expect(judge(modelOf(eip('web', '203.0.113.10')), held)).toBe('203.0.113.10 no longer leads to 10.0.0.5');
    expect(judge(modelOf(), held)).toBe('203.0.113.10 no longer leads to 10.0.0.5');
  });

  it('live on for the drain time of a former binding', () => {
    const drains = [{ address: '203.0.113.10', target: '10.0.0.5', untilMs: 1 }];
    expect(judge(modelOf(eip('web', '203.0.113.10', '10.0.0.6')), held, drains)).toBe('kept');
    expect(judge(modelOf(eip('web', '203.0.113.10')), held, drains)).toBe('kept');
    const other = [{ address: '203.0.113.10', target: '10.0.0.7', untilMs: 1 }];
    expect(judge(modelOf(eip('web', '203.0.113.10')), held, other)).not.toBe('kept');
  });

  it('follow port rules by protocol, port and shift', () => {
    const model = modelOf(
      eip('nat', '203.0.113.20'),
      dnat('ssh', 'TCP', 2200, '10.0.0.6', '  targetPort: 22\n'),
      dnat('range', 'UDP', 5000, '10.0.0.7', '  endPort: 5010\n  targetPort: 6000\n'),
      dnat('same', 'TCP', 80, '10.0.0.8'),
      dnat('ping', 'ICMP', undefined, '10.0.0.9'),
    );
    const to = (protocol: string, port: number, endsAt: End): string =>
      judge(model, inward(protocol, ['203.0.113.20', port], endsAt));
    expect(to('tcp', 2200, ['10.0.0.6', 22])).toBe('kept');
    expect(to('tcp', 2200, ['10.0.0.6', 23])).toBe('203.0.113.20 now leads to 10.0.0.6');
    expect(to('udp', 2200, ['10.0.0.6', 22])).toBe('203.0.113.20 no longer leads to 10.0.0.6');
    expect(to('udp', 5003, ['10.0.0.7', 6003])).toBe('kept');
    expect(to('udp', 5003, ['10.0.0.7', 6004])).not.toBe('kept');
    expect(to('udp', 5011, ['10.0.0.7', 6011])).not.toBe('kept');
    expect(to('tcp', 80, ['10.0.0.8', 80])).toBe('kept');
    expect(to('icmp', 0, ['10.0.0.9', 0])).toBe('kept');
    expect(to('icmp', 0, ['10.0.0.6', 0])).not.toBe('kept');
  });

  it('meet a port rule before the 1:1 binding', () => {
    const rule = spec(
      'DnatRule',
      'd',
      '  elasticIP: web\n  protocol: TCP\n  port: 80\n  target: {address: 10.0.0.6}\n',
    );
    const model = modelOf(eip('web', '203.0.113.10', '10.0.0.5'), rule);
    expect(judge(model, held)).toBe('203.0.113.10 now leads to 10.0.0.6');
    expect(judge(model, inward('tcp', ['203.0.113.10', 81], ['10.0.0.5', 81]))).toBe('kept');
  });
});

describe('connections of what has changed its network', () => {
  const [fromVpc, byOne] = [0x1 | 0x2, 0x10];
  const shared = modelOf(eip('nat', '203.0.113.20'), snat('10.0.0.0/24', 'nat'));
  const marked = (mark: number, a: Flow): Flow => ({ ...a, mark });

  it('end with the prefix that was taken out of the VPC, whoever opened them', () => {
    const out = flow('tcp', ['10.9.0.5', 4000], INET, ['203.0.113.20', 4000]);
    expect(judge(shared, marked(fromVpc | byOne, out))).toBe('10.9.0.5 is no longer in the VPC');
    const into = inward('tcp', ['203.0.113.66', 80], ['10.9.0.5', 80]);
    expect(judge(shared, marked(0x1 | byOne, into))).toBe('10.9.0.5 is no longer in the VPC');
    // Not the gateway's business.
    expect(judge(shared, into)).toBe('kept');
  });

  it('end with their external network, and where their address is on another one', () => {
    const of = (externals: Record<string, number>, a: Flow): string =>
      new FlowJudge(shared, [], undefined, externals).judge(a).reason || 'kept';
    const out = marked(fromVpc | byOne, flow('tcp', ['10.0.0.5', 4000], INET, ['203.0.113.20', 4000]));
    expect(of({ internet: 1 }, out)).toBe('kept');
    expect(of({ internet: 2 }, out)).toBe('its external network is gone');
    expect(of({ internet: 2, other: 1 }, out)).toBe('203.0.113.20 is on internet now');
    const into = marked(0x1 | byOne, inward('tcp', ['203.0.113.20', 80], ['10.0.0.5', 80]));
    expect(of({ internet: 2, other: 1 }, into)).toBe('203.0.113.20 no longer leads to 10.0.0.5');
  });
});

describe('connections from the VPC', () => {
  const out = (vm: string, seenAs: string): Flow => flow('tcp', [vm, 40_000], INET, [seenAs, 41_000]);

  it('live as long as their source may leave by that address', () => {
    const model = modelOf(eip('nat', '203.0.113.20'), eip('more', '203.0.113.21'), snat('10.0.0.0/25', 'nat', 'more'));
    expect(judge(model, out('10.0.0.5', '203.0.113.20'))).toBe('kept');
    expect(judge(model, out('10.0.0.5', '203.0.113.21'))).toBe('kept');
    expect(judge(model, out('10.0.0.5', '203.0.113.22'))).toBe('10.0.0.5 may no longer leave by 203.0.113.22');
    expect(judge(model, out('10.0.0.200', '203.0.113.20'))).toBe('10.0.0.200 may no longer leave by 203.0.113.20');
  });

  it('of a bound VM leave by its own address', () => {
    const model = modelOf(eip('web', '203.0.113.10', '10.0.0.5'));
    expect(judge(model, out('10.0.0.5', '203.0.113.10'))).toBe('kept');
    expect(judge(model, out('10.0.0.6', '203.0.113.10'))).toBe('10.0.0.6 may no longer leave by 203.0.113.10');
    const drains = [{ address: '203.0.113.10', target: '10.0.0.6', untilMs: 1 }];
    expect(judge(model, out('10.0.0.6', '203.0.113.10'), drains)).toBe('kept');
  });

  it('that left untranslated are ended, but for public IPv6', () => {
    expect(judge(modelOf(), flow('udp', ['10.0.0.5', 1], INET))).toBe('10.0.0.5 left without translation');
    const six = flow('udp', ['2001:db8:a::5', 1], ['2001:db8:1::1', 7]);
    expect(judge(modelOf(), six)).toBe('2001:db8:a::5 left without translation');
    const prefix = spec('Ipv6Prefix', 'v6', '  prefix: "2001:db8:a::/64"\n');
    expect(judge(modelOf(prefix), six)).toBe('kept');
  });

  it('inside the VPC and to the gateway itself are nobody’s business', () => {
    expect(judge(modelOf(), flow('tcp', ['10.0.0.5', 1], ['10.0.0.6', 2]))).toBe('kept');
    expect(judge(modelOf(), flow('icmp', ['10.0.0.5', 0], ['10.0.0.1', 0]))).toBe('kept');
    expect(judge(modelOf(), flow('tcp', ['192.0.2.1', 1], ['192.0.2.2', 2]))).toBe('kept');
  });

  it('through an elastic IP back into the VPC end when either side changes', () => {
    const model = modelOf(
      eip('web', '203.0.113.10', '10.0.0.5'),
      eip('nat', '203.0.113.20'),
      snat('10.0.0.0/24', 'nat'),
    );
    const hairpin = flow('tcp', ['10.0.0.6', 1], ['203.0.113.10', 80], ['203.0.113.20', 2], ['10.0.0.5', 80]);
    expect(judge(model, hairpin)).toBe('kept');
    expect(judge(modelOf(eip('web', '203.0.113.10', '10.0.0.5')), hairpin)).not.toBe('kept');
    expect(judge(modelOf(eip('nat', '203.0.113.20'), snat('10.0.0.0/24', 'nat')), hairpin)).not.toBe('kept');
    const byNextHop = flow('tcp', ['10.0.0.6', 1], ['203.0.113.10', 80], ['10.0.0.1', 2], ['10.0.0.5', 80]);
    expect(judge(modelOf(eip('web', '203.0.113.10', '10.0.0.5')), byNextHop)).toBe('kept');
  });

  it('through NAT66 keep their host bits', () => {
    const translated = (mode: string): GatewayModel =>
      modelOf(
        spec(
          'Ipv6Prefix',
          'v6',
          `  prefix: "2001:db8:b::/64"\n  mode: ${mode}\n  translate: {internal: "fd00:a::/64"}\n`,
        ),
      );
    const six = (seenAs: string): Flow => flow('tcp', ['fd00:a::5', 1], ['2001:db8:1::1', 80], [seenAs, 1]);
    expect(judge(translated('Full'), six('2001:db8:b::5'))).toBe('kept');
    expect(judge(translated('Full'), six('2001:db8:b::6'))).toBe('fd00:a::5 may no longer leave by 2001:db8:b::6');
    const inside = flow('tcp', ['2001:db8:1::1', 1], ['2001:db8:b::5', 80], ['2001:db8:1::1', 1], ['fd00:a::5', 80]);
    expect(judge(translated('Full'), inside)).toBe('kept');
    expect(judge(translated('EgressOnly'), inside)).not.toBe('kept');
  });
});

describe('an edit', () => {
  const cache = new ParseCache();
  const edited = (...documents: string[]): GatewayModel =>
    candidateOf(splitDocuments({ file: 'a.yaml', text: [GATEWAY, ...documents].join('---\n') }), cache).model;
  const [web, nat, leave] = [
    eip('web', '203.0.113.10', '10.0.0.5'),
    eip('nat', '203.0.113.20'),
    snat('10.0.0.0/24', 'nat'),
  ];

  it('that only adds can leave nothing stale, unless it takes a port', () => {
    const before = edited(web, nat, leave);
    expect(mayLeaveStale(before, edited(web, nat, leave, eip('new', '203.0.113.30', '10.0.0.30')))).toBe(false);
    expect(mayLeaveStale(before, edited(web, nat, leave, dnat('d', 'TCP', 80, '10.0.0.6')))).toBe(true);
  });

  it('that takes away may', () => {
    const before = edited(web, nat, leave);
    expect(mayLeaveStale(before, edited(nat, leave))).toBe(true);
    expect(mayLeaveStale(before, edited(web, nat))).toBe(true);
    expect(mayLeaveStale(before, edited(web, nat, snat('10.0.0.0/25', 'nat')))).toBe(true);
    expect(mayLeaveStale(before, edited(eip('web', '203.0.113.10', '10.0.0.6'), nat, leave))).toBe(true);
  });
});

describe('connections of a listener', () => {
  const cache = new ParseCache();
  const again = (...documents: string[]): GatewayModel =>
    candidateOf(splitDocuments({ file: 'a.yaml', text: [GATEWAY, ...documents].join('---\n') }), cache).model;
  const member = (host: number, more = ''): string => `{address: 10.0.0.${host}, port: 8080${more}}`;
  const balanced = (members: readonly string[], protocol = 'TCP'): GatewayModel =>
    again(
      eip('web', '203.0.113.10', '10.0.0.5'),
      spec(
        'LoadBalancer',
        'shop',
        `  elasticIP: web\n  pools: [{name: all, members: [${members.join(', ')}]}]\n  listeners: [{protocol: ${protocol}, port: 80, pool: all}]\n`,
      ),
    );
  const [six, seven] = [member(6), member(7)];
  const held = inward('tcp', ['203.0.113.10', 80], ['10.0.0.6', 8080]);
  const drains = [{ address: '203.0.113.10', target: '10.0.0.6', untilMs: 1 }];

  it('live as long as their member serves', () => {
    expect(judge(balanced([six, seven]), held)).toBe('kept');
    expect(judge(balanced([seven]), held)).toBe('10.0.0.6 port 8080 no longer serves in pool all');
    expect(judge(balanced([member(6, ', weight: 0'), seven]), held)).toBe(
      '10.0.0.6 port 8080 no longer serves in pool all',
    );
    expect(judge(balanced([member(6, ', backup: true'), seven]), held)).toBe('kept');
    expect(judge(balanced([member(6, ', maintenance: true'), seven]), held)).toBe(
      '10.0.0.6 port 8080 no longer serves in pool all',
    );
    expect(judge(modelOf(eip('web', '203.0.113.10', '10.0.0.5')), held)).toBe('203.0.113.10 now leads to 10.0.0.5');
  });

  it('drain over TCP, and not over UDP', () => {
    expect(judge(balanced([seven]), held, drains)).toBe('kept');
    expect(judge(balanced([seven], 'UDP'), { ...held, protocol: 'udp' }, drains)).toBe(
      '10.0.0.6 port 8080 no longer serves in pool all',
    );
  });

  it('drain for their own listener alone', () => {
    const listener = { ports: { first: 80, last: 80 }, memberPort: 8080 };
    const leaving = drains.map((drain) => ({ ...drain, listener }));
    expect(judge(balanced([seven]), held, leaving)).toBe('kept');
    const other = inward('tcp', ['203.0.113.10', 22], ['10.0.0.6', 22]);
    expect(judge(modelOf(eip('web', '203.0.113.10')), other, drains)).toBe('kept');
    expect(judge(modelOf(eip('web', '203.0.113.10')), other, leaving)).toBe('203.0.113.10 no longer leads to 10.0.0.6');
    const out = flow('tcp', ['10.0.0.6', 4000], INET, ['203.0.113.10', 4000]);
    expect(judge(modelOf(eip('web', '203.0.113.10')), out, drains)).toBe('kept');
    expect(judge(modelOf(eip('web', '203.0.113.10')), out, leaving)).not.toBe('kept');
  });

  it('end for sources that may not use it any more', () => {
    const from = (...allowed: string[]): GatewayModel =>
      balanced([six], `TCP, allowedSources: [${allowed.map((cidr) => `"${cidr}"`).join(', ')}]`);
    expect(judge(from('198.51.100.0/24'), held)).toBe('kept');
    expect(judge(from('192.0.2.0/24'), held)).toBe("198.51.100.9 is none of the listener's allowedSources");
    expect(mayLeaveStale(balanced([six]), from('192.0.2.0/24'))).toBe(true);
    expect(mayLeaveStale(from('192.0.2.0/24', '198.51.100.0/24'), from('192.0.2.0/24'))).toBe(true);
    expect(mayLeaveStale(from('192.0.2.0/24'), from('192.0.2.0/24', '198.51.100.0/24'))).toBe(false);
  });

  it('are no business of other ports of the same elastic IP', () => {
    expect(judge(balanced([six]), inward('tcp', ['203.0.113.10', 81], ['10.0.0.5', 81]))).toBe('kept');
    expect(judge(balanced([six]), inward('tcp', ['203.0.113.10', 80], ['10.0.0.5', 80]))).toBe(
      '10.0.0.5 port 80 no longer serves in pool all',
    );
  });

  it('are looked at when a member or a listener goes, and when a listener comes', () => {
    const none = again(eip('web', '203.0.113.10', '10.0.0.5'));
    expect(mayLeaveStale(balanced([six, seven]), balanced([seven]))).toBe(true);
    expect(mayLeaveStale(balanced([six]), balanced([six, seven]))).toBe(false);
    expect(mayLeaveStale(none, balanced([six]))).toBe(true);
    expect(mayLeaveStale(balanced([six]), none)).toBe(true);
  });
});
