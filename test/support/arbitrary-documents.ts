import fc from 'fast-check';
import { internet, secondInternet } from './addresses.js';
import {
  type Bandwidth,
  bandwidthPackage,
  type Document,
  dnatRule,
  elasticIp,
  ipv6Prefix,
  snatRule,
} from './documents.js';

// Random documents that are valid by construction, small enough that two of them often share and often differ.

interface Choice {
  readonly second: boolean;
  readonly prefix: boolean;
  readonly limit: boolean;
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
  readonly six: 'None' | 'Full' | 'EgressOnly' | 'Translated';
}

const list = <T>(item: fc.Arbitrary<T>, length: number): fc.Arbitrary<T[]> =>
  fc.array(item, { minLength: length, maxLength: length });

const choice: fc.Arbitrary<Choice> = fc.record({
  second: fc.boolean(),
  prefix: fc.boolean(),
  limit: fc.boolean(),
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
  six: fc.constantFrom<Choice['six']>('None', 'Full', 'EgressOnly', 'Translated'),
});

/** 0 is none. */
const limitsOf = (ingress: number, egress: number): Bandwidth => ({
  ...(ingress > 0 ? { ingress: `${ingress * 10}M` } : {}),
  ...(egress > 0 ? { egress: `${egress * 100}k` } : {}),
});

const gatewayOf = ({ second, prefix, limit, six, ceiling }: Choice): Document => ({
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
    ...(limit ? { limits: { connectionsPerSource: 500 }, timeouts: { udp: '45s' } } : {}),
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
      ...(bound ? { target: six ? `fd00:a::${host}` : `10.0.0.${host}` } : {}),
    });
    return [{ name: `eip${i}`, external, bound, six, document }];
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
  return [gatewayOf(chosen), ...eips.map(({ document }) => document), ...snat, ...dnat, ...six, ...packs];
}

export const documents: fc.Arbitrary<Document[]> = choice.map(documentsOf);
