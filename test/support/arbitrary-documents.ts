import fc from 'fast-check';
import { internet, secondInternet } from './addresses.js';
import { type ChosenLine, chosenLines, linesOf } from './arbitrary-lines.js';
import { type ChosenTunnel, chosenTunnels, tunnelsOf } from './arbitrary-vpn.js';
import {
  addressGroup,
  type Bandwidth,
  bandwidthPackage,
  type Document,
  dnatRule,
  elasticIp,
  firewallBaseline,
  firewallPolicy,
  ipv6Prefix,
  loadBalancer,
  type RuleOptions,
  snatRule,
} from './documents.js';

// Random documents that are valid by construction, small enough that two of them often share and often differ.

interface Choice {
  readonly second: boolean;
  readonly prefix: boolean;
  /** 0 is none. */
  readonly limit: number;
  readonly eips: readonly {
    there: boolean;
    target: number;
    routed: boolean;
    second: boolean;
    moved: boolean;
    ingress: number;
    egress: number;
  }[];
  readonly ceiling: number;
  /** Which of the elastic IPs share one. */
  readonly pack: number;
  readonly snat: readonly { there: boolean; source: number; pool: number; ports: boolean }[];
  readonly dnat: readonly {
    there: boolean;
    eip: number;
    protocol: 'TCP' | 'UDP';
    width: number;
    shift: boolean;
    target: number;
  }[];
  readonly balancers: readonly {
    there: boolean;
    eip: number;
    inside: boolean;
    hashed: boolean;
    udp: boolean;
    closed: boolean;
    weights: readonly number[];
  }[];
  readonly tunnels: readonly ChosenTunnel[];
  readonly lines: readonly ChosenLine[];
  readonly six: 'None' | 'Full' | 'EgressOnly' | 'Translated';
  readonly policies: readonly { there: boolean; applies: number; rules: readonly ChosenRule[] }[];
  readonly baseline: readonly ChosenRule[];
  readonly group: number;
  readonly closed: boolean;
}

interface ChosenRule {
  readonly action: 'Allow' | 'Deny' | 'Reject';
  readonly direction: 'Ingress' | 'Egress';
  readonly peers: number;
  readonly ports: number;
  readonly log: boolean;
}

const list = <T>(item: fc.Arbitrary<T>, length: number): fc.Arbitrary<T[]> =>
  fc.array(item, { minLength: length, maxLength: length });

const chosenRule: fc.Arbitrary<ChosenRule> = fc.record({
  action: fc.constantFrom('Allow', 'Deny', 'Reject'),
  direction: fc.constantFrom('Ingress', 'Egress'),
  peers: fc.nat(3),
  ports: fc.nat(3),
  log: fc.boolean(),
});

const choice: fc.Arbitrary<Choice> = fc.record({
  second: fc.boolean(),
  prefix: fc.boolean(),
  limit: fc.nat(2),
  eips: list(
    fc.record({
      there: fc.boolean(),
      target: fc.nat(2),
      routed: fc.boolean(),
      second: fc.boolean(),
      moved: fc.boolean(),
      ingress: fc.nat(2),
      egress: fc.nat(2),
    }),
    8,
  ),
  ceiling: fc.nat(2),
  pack: fc.nat(255),
  snat: list(fc.record({ there: fc.boolean(), source: fc.nat(2), pool: fc.nat(255), ports: fc.boolean() }), 2),
  dnat: list(
    fc.record({
      there: fc.boolean(),
      eip: fc.nat(7),
      protocol: fc.constantFrom<'TCP' | 'UDP'>('TCP', 'UDP'),
      width: fc.constantFrom(0, 0, 10),
      shift: fc.boolean(),
      target: fc.nat(3),
    }),
    4,
  ),
  balancers: list(
    fc.record({
      there: fc.boolean(),
      eip: fc.nat(7),
      inside: fc.boolean(),
      hashed: fc.boolean(),
      udp: fc.boolean(),
      closed: fc.boolean(),
      weights: list(fc.nat(3), 4),
    }),
    2,
  ),
  tunnels: chosenTunnels,
  lines: chosenLines,
  six: fc.constantFrom<Choice['six']>('None', 'Full', 'EgressOnly', 'Translated'),
  policies: list(
    fc.record({
      there: fc.boolean(),
      applies: fc.nat(255),
      rules: fc.array(chosenRule, { minLength: 1, maxLength: 3 }),
    }),
    3,
  ),
  baseline: fc.array(chosenRule, { maxLength: 2 }),
  group: fc.nat(2),
  closed: fc.boolean(),
});

/** 0 is none. */
const limitsOf = (ingress: number, egress: number): Bandwidth => ({
  ...(ingress > 0 ? { ingress: `${ingress * 10}M` } : {}),
  ...(egress > 0 ? { egress: `${egress * 100}k` } : {}),
});

/** 0 is everybody, or everything. */
const PEERS: readonly RuleOptions['peers'][] = [
  undefined,
  [{ cidr: '192.0.2.0/24' }, { cidr: '2001:db8:77::/48' }],
  [{ cidr: '192.0.2.7/32' }, { cidr: '192.0.2.64/26' }, { cidr: '0.0.0.0/0' }],
  [{ addressGroup: 'friends' }, { cidr: '198.51.100.0/24' }],
];
const PORTS: readonly RuleOptions['ports'][] = [
  undefined,
  [{ protocol: 'TCP', port: 443 }, { protocol: 'ICMP' }],
  [{ protocol: 'UDP', port: 5000, endPort: 5010 }],
  [{ protocol: 'TCP' }],
];

const ruleOf = ({ peers, ports, ...rest }: ChosenRule): RuleOptions => ({
  ...rest,
  ...(PEERS[peers] ? { peers: PEERS[peers] } : {}),
  ...(PORTS[ports] ? { ports: PORTS[ports] } : {}),
});

/** Policies of the gateway, of labels, and of elastic IPs by name; a baseline; the group that rules name. */
function firewallOf({ policies, baseline, group }: Choice, eips: readonly { name: string }[]): Document[] {
  const attached = policies.flatMap(({ there, applies, rules }, i) => {
    if (!there) return [];
    const names = eips.map(({ name }) => name).filter((_, k) => (applies >> k) & 1);
    const appliesTo =
      applies < 40
        ? 'gateway'
        : applies < 120 || names.length === 0
          ? { matchLabels: { tier: 'even' } }
          : { elasticIPs: names };
    return [firewallPolicy(`policy${i}`, appliesTo, rules.map(ruleOf))];
  });
  const known = ['203.0.113.0/24', '2001:db8:88::/48', '192.0.2.1/32'].slice(0, group + 1);
  return [
    addressGroup('friends', known),
    ...attached,
    ...(baseline.length > 0 ? [firewallBaseline('platform', baseline.map(ruleOf))] : []),
  ];
}

const gatewayOf = ({ second, prefix, limit, six, ceiling, closed }: Choice): Document => ({
  apiVersion: 'vpcgw.io/v1alpha1',
  kind: 'VpcGateway',
  metadata: { name: 'world' },
  spec: {
    internal: {
      interface: 'vpc0',
      addresses: ['10.0.0.1/24', 'fd00:a::1/64'],
      prefixes: [
        ...(prefix ? [{ cidr: '10.0.1.0/24', via: '10.0.0.254' }] : []),
        ...(six === 'Full' || six === 'EgressOnly' ? [{ cidr: '2001:db8:a::/64', via: 'fd00:a::fe' }] : []),
      ],
    },
    externals: [
      { name: 'internet', interface: 'ext0', addresses: internet.gatewayAddresses(0), gateways: internet.gateways },
      {
        name: 'second',
        interface: 'ext1',
        addresses: secondInternet.gatewayAddresses(0),
        gateways: secondInternet.gateways,
      },
    ].slice(0, second ? 2 : 1),
    bandwidth: limitsOf(ceiling, 0),
    ...(closed ? { defaultIngress: 'Deny' } : {}),
    ...(limit > 0
      ? {
          limits: {
            connections: 5_000,
            connectionsPerSource: 500,
            newConnectionsPerSecond: 1_000 * limit,
            newConnectionsPerSecondPerSource: 200 * limit,
          },
          timeouts: { udp: '45s' },
        }
      : {}),
  },
});

/** Number 6 and 7 are IPv6. */
function elasticIps({
  eips,
  second,
}: Choice): { name: string; external: string; bound: boolean; six: boolean; document: Document }[] {
  return eips.flatMap(({ there, target, routed, second: there2, moved, ingress, egress }, i) => {
    if (!there) return [];
    const six = i >= 6;
    const external = second && there2 ? 'second' : 'internet';
    const host = 10 + i + (target === 2 ? 100 : 0);
    const address = six ? `2001:db8:e::${10 + i}` : `203.0.113.${10 + i + (moved ? 50 : 0)}`;
    const bound = target > 0;
    const document = elasticIp(`eip${i}`, address, {
      external,
      announcement: routed ? 'Routed' : 'Neighbor',
      bandwidth: limitsOf(ingress, egress),
      ...(i % 2 === 0 ? { labels: { tier: 'even' } } : {}),
      ...(ingress > 0 ? { limits: { newConnectionsPerSecond: 10 * (1 + egress), connections: 100 } } : {}),
      ...(bound ? { target: six ? `fd00:a::${host}` : `10.0.0.${host}` } : {}),
    });
    return [{ name: `eip${i}`, external, bound, six, document }];
  });
}

/** On an elastic IP of IPv4, inside the VPC, or both. */
function balancersOf({ balancers }: Choice, four: readonly { name: string }[]): Document[] {
  return balancers.flatMap(({ there, eip, inside, hashed, udp, closed, weights }, i) => {
    const elastic = four[eip % Math.max(1, four.length)];
    if (!there || (!elastic && !inside)) return [];
    const protocol = udp ? 'UDP' : 'TCP';
    const port = 20_000 + 1_000 * i;
    const members = weights.map((weight, k) => ({
      address: `10.0.0.${40 + k}`,
      ...(udp ? {} : { port: 8_080 }),
      weight,
      backup: k === 3,
    }));
    return [
      loadBalancer(`balancer${i}`, {
        ...(elastic ? { elasticIP: elastic.name } : {}),
        ...(inside ? { address: `10.0.0.${200 + i}` } : {}),
        members,
        listeners: [
          {
            protocol,
            port,
            ...(udp ? { endPort: port + 5 } : {}),
            ...(closed ? { maxConnections: 50, idleTimeout: '90s' } : {}),
          },
          {
            protocol,
            port: 443 + i,
            algorithm: hashed ? 'Maglev' : 'LeastConnections',
            ...(closed ? { allowedSources: ['192.0.2.0/24'] } : {}),
          },
        ],
      }),
    ];
  });
}

function documentsOf(chosen: Choice): Document[] {
  const eips = elasticIps(chosen);
  const free = eips.filter(({ bound, six, external }) => !bound && !six && external === 'internet');
  const sources = ['10.0.0.0/24', '10.0.0.128/25', '10.0.0.77/32'];
  const snat = chosen.snat.flatMap(({ there, source, pool, ports }, i) => {
    const members = free.filter((_, k) => (pool >> k) & 1).map(({ name }) => name);
    if (!there || members.length === 0 || (i > 0 && source === chosen.snat[0]?.source)) return [];
    return [snatRule(`snat${i}`, [sources[source] ?? ''], members, ports ? { portsPerSource: 512 } : {})];
  });
  const four = eips.filter(({ six }) => !six);
  const dnat = chosen.dnat.flatMap(({ there, eip, protocol, width, shift, target }, i) => {
    const elastic = four[eip % Math.max(1, four.length)];
    if (!there || !elastic) return [];
    const port = 1_000 * (i + 1);
    return [
      dnatRule(`dnat${i}`, {
        elasticIP: elastic.name,
        protocol,
        port,
        ...(width > 0 ? { endPort: port + width } : {}),
        target: `10.0.0.${20 + target}`,
        ...(shift ? { targetPort: 8_000 } : {}),
      }),
    ];
  });
  const six =
    chosen.six === 'None'
      ? []
      : chosen.six === 'Translated'
        ? [ipv6Prefix('six', '2001:db8:b::/64', { external: 'internet', internal: 'fd00:a::/64' })]
        : [ipv6Prefix('six', '2001:db8:a::/64', { external: 'internet', mode: chosen.six })];
  const sharing = eips.filter(({ external }, i) => external === 'internet' && (chosen.pack >> i) & 1);
  const packs =
    sharing.length > 0
      ? [
          bandwidthPackage(
            'pack',
            { egress: '5M' },
            sharing.map(({ name }) => ({ elasticIP: name })),
          ),
        ]
      : [];
  return [
    gatewayOf(chosen),
    ...eips.map(({ document }) => document),
    ...snat,
    ...dnat,
    ...balancersOf(chosen, four),
    ...tunnelsOf(chosen.tunnels, four),
    ...linesOf(chosen.lines),
    ...six,
    ...packs,
    ...firewallOf(chosen, eips),
  ];
}

export const documents: fc.Arbitrary<Document[]> = choice.map(documentsOf);
