import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultCode } from '../../gateway/insight/explain/codes.js';
import {
  bandwidthPackage,
  type BalancerMember,
  dnatRule,
  type Document,
  elasticIp,
  firewallBaseline,
  firewallPolicy,
  gateway,
  loadBalancer,
  snatRule,
} from './documents.js';
import { type GatewayLab, ports } from './gateway-lab.js';
import type { Namespace } from './namespace.js';

// A gateway with something of everything, and what may go wrong with it: each fault is seeded in the documents, in the
// kernel, on the wire or in a VM, and has exactly one code.

export const routes = [{ destination: '203.0.115.0/24', via: '100.64.0.11' }];
const farEnd = '198.51.100.1';

type GatewaySpec = Readonly<Record<string, unknown>>;

export function healthy(lab: GatewayLab, spec: GatewaySpec = {}): Document[] {
  return [
    gateway(lab.tenant, { spec }),
    elasticIp('web', '203.0.113.10', { target: '10.0.0.5' }),
    elasticIp('web6', '2001:db8:e::10', { target: 'fd00:a::5' }),
    elasticIp('shared', '203.0.113.20'),
    elasticIp('shared6', '2001:db8:e::20'),
    elasticIp('routed', '203.0.115.10', { target: '10.0.0.7', announcement: 'Routed' }),
    snatRule('all', ['10.0.0.0/24'], ['shared']),
    snatRule('all6', ['fd00:a::/64'], ['shared6']),
    dnatRule('app', { elasticIP: 'shared', protocol: 'TCP', port: 8080, target: '10.0.0.6', targetPort: 80 }),
    dnatRule('app6', { elasticIP: 'shared6', protocol: 'TCP', port: 8080, target: 'fd00:a::6', targetPort: 80 }),
    balancer([{ address: '10.0.0.5', port: ports.tcp }]),
    dnatRule('names', { elasticIP: 'shared', protocol: 'UDP', port: 53, target: '10.0.0.6' }),
  ];
}

const balancer = (members: readonly BalancerMember[], pool: object = {}, listener: object = {}): Document =>
  loadBalancer('shop', { elasticIP: 'shared', members, listeners: [{ port: 8090, ...listener }], pool });

/** With policies, limits and shaping that nothing is refused or slowed by. */
export const guarded = (lab: GatewayLab): Document[] => [
  ...put(healthy(lab, { limits: { connections: 10_000, connectionsPerSource: 500 }, bandwidth: { ingress: '900M' } }), [
    elasticIp('web', '203.0.113.10', { target: '10.0.0.5', bandwidth: { ingress: '50M', egress: '50M' } }),
    elasticIp('web6', '2001:db8:e::10', { target: 'fd00:a::5', limits: { connections: 100 } }),
    snatRule('all', ['10.0.0.0/24'], ['shared'], { portsPerSource: 128 }),
  ]),
  bandwidthPackage('both', { ingress: '200M', egress: '200M' }, [{ elasticIP: 'shared' }, { elasticIP: 'routed' }]),
  firewallPolicy('whole', 'gateway', [
    { action: 'Allow', ports: [{ protocol: 'TCP' }, { protocol: 'UDP', port: 53 }] },
    { action: 'Allow', direction: 'Egress' },
  ]),
  firewallBaseline('platform', [{ action: 'Deny', ports: [{ protocol: 'TCP', port: 25 }] }]),
];

export const everything = [
  'eip/web',
  'eip/web6',
  'eip/shared',
  'eip/shared6',
  'eip/routed',
  'snat/all',
  'snat/all6',
  'lb/shop',
].concat(
  ['dnat/app', 'dnat/app6', 'dnat/names', 'eip/web?port=80/tcp', 'eip/web6?port=80/tcp&from=2001:db8:1::1'],
  ['eip/shared?port=8080/tcp&from=198.51.100.7', 'snat/all?from=10.0.0.6&port=443/tcp'],
);

type Undo = () => Promise<unknown>;

export interface Seeded {
  readonly what: string;
  readonly code: FaultCode;
  /** As in the path of the route. */
  readonly ask: string;
  /** Instead of, or beside, the healthy ones. */
  readonly documents?: readonly Document[];
  readonly spec?: GatewaySpec;
  /** What the gateway warns of beside. */
  readonly warns?: readonly FaultCode[];
  readonly seed?: (lab: GatewayLab) => Promise<Undo | void>;
}

const put = (documents: readonly Document[], others: readonly Document[]): Document[] => {
  const idOf = ({ kind, metadata }: Document): string => `${kind as string}/${(metadata as { name: string }).name}`;
  return [...new Map([...documents, ...others].map((each) => [idOf(each), each])).values()];
};

export const documentsOf = ({ documents = [], spec }: Seeded, lab: GatewayLab): Document[] =>
  put(healthy(lab, spec), documents);

/** Done, and undone by the same commands with the other words. */
const toggled =
  (where: (lab: GatewayLab) => Namespace, command: string, on: string, off: string) =>
  async (lab: GatewayLab): Promise<Undo> => {
    const run = (word: string) => where(lab).exec(command.replace('%', word).split(' '));
    await run(on);
    return () => run(off);
  };
const inet = (lab: GatewayLab): Namespace => lab.topology.inet.namespace;
const vm =
  (name: string) =>
  (lab: GatewayLab): Namespace =>
    lab.tenant.vm(name).namespace;
const gw = (lab: GatewayLab): Namespace => lab.tenant.gateway;
/** Whoever solicits is not answered. */
const deaf4 = (where: (lab: GatewayLab) => Namespace, link: string) =>
  toggled(where, `sysctl -q -w net.ipv4.conf.${link}.arp_ignore=%`, '8', '0');
const deaf6 = (where: (lab: GatewayLab) => Namespace) =>
  toggled(where, 'ip6tables % INPUT -p icmpv6 --icmpv6-type neighbour-solicitation -j DROP', '-A', '-D');
/** Not put back, as nothing writes to a paused gateway; the next documents do. */
const once =
  (where: (lab: GatewayLab) => Namespace, command: string) =>
  async (lab: GatewayLab): Promise<void> => {
    await where(lab).exec(command.split(' '));
  };

const allow = (port: number) => ({ action: 'Allow' as const, ports: [{ protocol: 'TCP' as const, port }] });
const of = (...names: string[]) => ({ elasticIPs: names });
const denyOut = { action: 'Deny' as const, direction: 'Egress' as const };
const paused = { paused: true };
const open5 = { address: '10.0.0.5', port: ports.tcp };
const closed6 = { address: '10.0.0.6', port: 81 };
const checked = { healthCheck: { type: 'TCP', interval: '200ms', timeout: '200ms' } };

const isDown = async (lab: GatewayLab): Promise<void> => {
  await lab.supervisor().statusWhen(({ objects }) => JSON.stringify(objects).includes(' is down: '));
};

export const FAULTS_SEEDED: readonly Seeded[] = [
  // ---- firewall ---------------------------------------------------------------------------------------------------
  {
    what: 'a policy that allows another port',
    code: 'FirewallDenies',
    ask: 'eip/web?port=80/tcp',
    documents: [firewallPolicy('web', of('web'), [allow(8080)])],
  },
  {
    what: 'a policy that allows another port than the DNAT rule has',
    code: 'FirewallDenies',
    ask: 'dnat/app6',
    documents: [firewallPolicy('shared', of('shared6'), [allow(22)])],
  },
  {
    what: 'a policy that allows other clients',
    code: 'FirewallDenies',
    ask: 'eip/web?port=80/tcp&from=198.51.100.7',
    documents: [firewallPolicy('web', of('web'), [{ ...allow(80), peers: [{ cidr: '198.51.100.0/31' }] }])],
  },
  {
    what: 'a rule that allows behind one that denies',
    code: 'FirewallShadowed',
    ask: 'eip/web?port=80/tcp',
    documents: [firewallPolicy('web', of('web'), [{ action: 'Deny', ports: [{ protocol: 'TCP' }] }, allow(80)])],
  },
  {
    what: "the operator's baseline",
    code: 'BaselineDenies',
    ask: 'dnat/app',
    documents: [
      firewallBaseline('platform', [{ action: 'Deny', ports: [{ protocol: 'TCP', port: 8080 }] }]),
      firewallPolicy('shared', of('shared'), [allow(8080)]),
    ],
  },
  { what: 'defaultIngress Deny', code: 'DefaultIngressDenies', ask: 'eip/web', spec: { defaultIngress: 'Deny' } },
  {
    what: 'a policy that lets nothing out',
    code: 'EgressDenied',
    ask: 'snat/all',
    documents: [firewallPolicy('in', of('shared'), [denyOut])],
  },
  {
    what: 'a policy that lets a VM open nothing',
    code: 'NothingMayLeave',
    ask: 'eip/web6',
    documents: [firewallPolicy('in', 'gateway', [denyOut])],
  },
  // ---- translation ------------------------------------------------------------------------------------------------
  { what: 'an elastic IP that is held', code: 'Held', ask: 'eip/held', documents: [elasticIp('held', '203.0.113.40')] },
  { what: 'a port that nothing leads', code: 'NotLed', ask: 'eip/shared?port=443/tcp' },
  {
    what: 'a SNAT rule below more specific ones',
    code: 'SnatShadowed',
    ask: 'snat/all',
    documents: [snatRule('low', ['10.0.0.0/25'], ['shared']), snatRule('high', ['10.0.0.128/25'], ['shared'])],
  },
  { what: 'a source with an elastic IP of its own', code: 'LeavesByAnother', ask: 'snat/all?from=10.0.0.5' },
  // ---- the external network ---------------------------------------------------------------------------------------
  { what: 'a dead next hop', code: 'NextHopSilent', ask: 'eip/web', seed: deaf4(inet, 'ext') },
  { what: 'a dead IPv6 next hop', code: 'NextHopSilent', ask: 'snat/all6', seed: deaf6(inet) },
  {
    what: 'the same address at another machine',
    code: 'AddressConflict',
    ask: 'eip/web',
    seed: toggled(inet, 'ip address % 203.0.113.10/32 dev lo', 'add', 'del'),
  },
  {
    what: 'the same IPv6 address at another machine',
    code: 'AddressConflict',
    ask: 'dnat/app6',
    seed: toggled(inet, 'ip address % 2001:db8:e::20/128 dev ext nodad', 'add', 'del'),
  },
  {
    what: 'a former owner that the router remembers',
    code: 'NotFoundUpstream',
    ask: 'eip/web',
    seed: toggled(inet, 'ip neigh % 203.0.113.10 lladdr 02:00:00:00:00:99 dev ext nud permanent', 'replace', 'del'),
  },
  {
    what: 'a former owner of an IPv6 address that the router remembers',
    code: 'NotFoundUpstream',
    ask: 'eip/web6',
    seed: toggled(inet, 'ip neigh % 2001:db8:e::10 lladdr 02:00:00:00:00:99 dev ext nud permanent', 'replace', 'del'),
  },
  {
    what: 'a router without a route to a routed elastic IP',
    code: 'NotRoutedHere',
    ask: 'eip/routed',
    seed: toggled(inet, 'ip route % 203.0.115.0/24 via 100.64.0.11', 'del', 'add'),
  },
  // ---- the VPC ----------------------------------------------------------------------------------------------------
  { what: 'a VM that is gone', code: 'TargetSilent', ask: 'eip/web', seed: deaf4(vm('web'), 'eth0') },
  { what: 'a VM that has lost its IPv6', code: 'TargetSilent', ask: 'dnat/app6', seed: deaf6(vm('app')) },
  {
    what: 'a router in the VPC that is gone',
    code: 'RouterSilent',
    ask: 'eip/behind',
    documents: [elasticIp('behind', '203.0.113.41', { target: '10.0.1.5' })],
    spec: {
      internal: {
        interface: 'vpc0',
        addresses: ['10.0.0.1/24', 'fd00:a::1/64'],
        prefixes: [{ cidr: '10.0.1.0/24', via: '10.0.0.99' }],
      },
    },
  },
  {
    what: 'a targetPort at which nothing listens',
    code: 'PortClosed',
    ask: 'dnat/app',
    documents: [
      dnatRule('app', { elasticIP: 'shared', protocol: 'TCP', port: 8080, target: '10.0.0.6', targetPort: 81 }),
    ],
  },
  { what: 'a closed port of a 1:1 VM', code: 'PortClosed', ask: 'eip/web6?port=8443/tcp' },
  {
    what: "the VM's own firewall",
    code: 'ServiceSilent',
    ask: 'dnat/app',
    seed: toggled(vm('app'), 'iptables % INPUT -p tcp --dport 80 -j DROP', '-A', '-D'),
  },
  {
    what: "the VM's own IPv6 firewall",
    code: 'ServiceSilent',
    ask: 'dnat/app6',
    seed: toggled(vm('app'), 'ip6tables % INPUT -p tcp --dport 80 -j DROP', '-A', '-D'),
  },
  {
    what: 'a VM with another default route',
    code: 'AnswersElsewhere',
    ask: 'eip/web?port=80/tcp',
    seed: toggled(vm('web'), 'ip route replace default via %', '10.0.0.77', '10.0.0.1'),
  },
  {
    what: 'a VM without an IPv6 default route',
    code: 'AnswersElsewhere',
    ask: 'eip/web6',
    seed: toggled(vm('web'), 'ip -6 route % default via fd00:a::1', 'del', 'add'),
  },
  {
    what: 'far ends that answer nothing',
    code: 'NothingAnswers',
    ask: 'snat/all',
    async seed(lab) {
      const undo = await toggled(inet, 'iptables % INPUT -p udp --dport 9 -j DROP', '-A', '-D')(lab);
      const app = await lab.vm('app');
      for (const to of [farEnd, '198.51.100.2']) await (await app.udpOpen({ to, port: 9 })).send({ payload: 'x' });
      return undo;
    },
  },
  // ---- load balancers ---------------------------------------------------------------------------------------------
  {
    what: 'a policy that allows other ports than the listener has',
    code: 'FirewallDenies',
    ask: 'lb/shop',
    documents: [firewallPolicy('shared', of('shared'), [allow(8080)])],
  },
  {
    what: 'a client that is no allowed source of a listener',
    code: 'SourceNotAllowed',
    ask: 'lb/shop?port=8090/tcp&from=198.51.100.7',
    documents: [balancer([open5], {}, { allowedSources: ['192.0.2.0/24'] })],
  },
  {
    what: 'a pool of which all members were taken out',
    code: 'NobodyServes',
    ask: 'lb/shop',
    documents: [balancer([{ address: '10.0.0.5', port: ports.tcp, weight: 0 }])],
  },
  {
    what: 'a member that its checks find down',
    code: 'MembersDown',
    ask: 'lb/shop',
    documents: [balancer([open5, closed6], checked)],
    seed: isDown,
  },
  {
    what: 'a pool that goes on although all of it is down',
    code: 'FailsOpen',
    ask: 'lb/shop',
    documents: [balancer([closed6], { ...checked, allDown: 'FailOpen' })],
    warns: ['MembersClosed'],
    seed: isDown,
  },
  {
    what: 'a member without checks at which nothing listens',
    code: 'MembersClosed',
    ask: 'lb/shop',
    documents: [balancer([open5, closed6])],
  },
  // ---- what is used up --------------------------------------------------------------------------------------------
  {
    what: 'the limit of an elastic IP',
    code: 'ElasticIpLimitReached',
    ask: 'eip/web',
    documents: [elasticIp('web', '203.0.113.10', { target: '10.0.0.5', limits: { connections: 2 } })],
    seed: (lab) => open(lab, 'inet', '203.0.113.10', 2),
  },
  {
    what: 'the limit of the gateway',
    code: 'GatewayLimitReached',
    ask: 'eip/web6',
    spec: { limits: { connections: 3 } },
    seed: (lab) => open(lab, 'inet', '203.0.113.10', 3),
  },
  {
    what: 'the limit of a VM',
    code: 'SourceLimitReached',
    ask: 'snat/all',
    spec: { limits: { connectionsPerSource: 3 } },
    seed: (lab) => open(lab, 'app', farEnd, 3),
  },
  {
    what: 'a block of ports that is used up',
    code: 'SourcePortsExhausted',
    ask: 'snat/all',
    documents: [snatRule('all', ['10.0.0.0/24'], ['shared'], { portsPerSource: 64 })],
    seed: (lab) => open(lab, 'app', farEnd, 64),
  },
  { what: 'a pool without ports', code: 'PortsExhausted', ask: 'snat/all', seed: fillPorts },
  {
    what: 'a pool with one address that has no ports left',
    code: 'PortsLow',
    ask: 'snat/all',
    documents: [elasticIp('more', '203.0.113.21'), snatRule('all', ['10.0.0.0/24'], ['shared', 'more'])],
    seed: fillPorts,
  },
  {
    what: 'bandwidth that is used up',
    code: 'BandwidthSaturated',
    ask: 'eip/web',
    documents: [elasticIp('web', '203.0.113.10', { target: '10.0.0.5', bandwidth: { egress: '2M' } })],
    async seed(lab) {
      const bytes = 1 << 20;
      await (await lab.vm('web')).tcpServer({ port: 9_000, mode: 'source', bytes });
      const passing = (await lab.inet()).transfer({ to: '203.0.113.10', port: 9_000, bytes, direction: 'down' });
      return () => passing;
    },
  },
  // ---- the gateway ------------------------------------------------------------------------------------------------
  {
    what: 'an edit of a paused gateway',
    code: 'Paused',
    ask: 'eip/web',
    seed: async (lab) => {
      await lab.apply(put(healthy(lab, paused), [elasticIp('web', '203.0.113.10', { target: '10.0.0.6' })]));
    },
  },
  { what: 'a paused gateway', code: 'PausedUnchanged', ask: 'snat/all', spec: paused },
  {
    what: 'a rule that somebody took away',
    code: 'Drifted',
    ask: 'dnat/app',
    spec: paused,
    warns: ['PausedUnchanged'],
    seed: once(gw, 'iptables -t nat -F VG-D-cb007114-32'),
  },
  {
    what: 'a route that somebody took away',
    code: 'Drifted',
    ask: 'eip/web6',
    spec: paused,
    warns: ['PausedUnchanged'],
    seed: once(gw, 'ip -6 route del default table 1101'),
  },
  {
    what: 'an address that somebody took away',
    code: 'NotAnnounced',
    ask: 'eip/web',
    spec: paused,
    warns: ['PausedUnchanged'],
    seed: once(gw, 'ip address del 203.0.113.10/32 dev vg-ext0'),
  },
  {
    what: 'the route of a routed elastic IP that somebody withdrew',
    code: 'RouteWithdrawn',
    ask: 'eip/routed',
    spec: paused,
    warns: ['PausedUnchanged'],
    seed: once(gw, 'ip route del local 203.0.115.10 dev lo table local'),
  },
  {
    what: 'documents that were refused',
    code: 'DocumentsRefused',
    ask: 'eip/web',
    seed: async (lab) => {
      await lab.supervisor().applyRefused([...healthy(lab), elasticIp('twice', '203.0.113.10')]);
    },
  },
  {
    what: 'an elastic IP that is in refused documents alone',
    code: 'DocumentsRefused',
    ask: 'eip/twice',
    seed: async (lab) => {
      await lab.supervisor().applyRefused([...healthy(lab), elasticIp('twice', '203.0.113.10')]);
    },
  },
  {
    what: 'a VPC interface that is down',
    code: 'LinkDown',
    ask: 'eip/web',
    seed: toggled(gw, 'ip link set vpc0 %', 'down', 'up'),
  },
  {
    what: 'an external interface that is down',
    code: 'LinkDown',
    ask: 'dnat/app6',
    seed: toggled(gw, 'ip link set ext0 %', 'down', 'up'),
  },
  {
    what: 'an external interface that is gone',
    code: 'InterfaceMissing',
    ask: 'snat/all',
    async seed(lab) {
      await gw(lab).ip(['link set ext0 down', 'link set ext0 name gone0']);
      return () => gw(lab).ip(['link set gone0 name ext0', 'link set ext0 up']);
    },
  },
];

async function open(lab: GatewayLab, from: string, to: string, count: number): Promise<Undo> {
  const agent = from === 'inet' ? await lab.inet() : await lab.vm(from);
  const connections = await agent.tcpConnectMany({ targets: [{ to, port: ports.tcp }], count });
  if (connections.errors.length > 0) throw new Error(`not all were opened: ${JSON.stringify(connections.errors[0])}`);
  return () => connections.close({ reset: true });
}

/** What the address would hold after as many flows, each from a port of its own. */
async function fillPorts(lab: GatewayLab): Promise<void> {
  const flows = join(lab.supervisor().stateDirectory, 'flows');
  const lines = Array.from({ length: 59_000 }, (_, index) => {
    const port = 1024 + index;
    const way = `-s 10.0.0.6 -d ${farEnd} --sport ${port} --dport 9 -r ${farEnd} -q 203.0.113.20`;
    return `-I -p udp ${way} --reply-port-src 9 --reply-port-dst ${port} -t 120 -u SEEN_REPLY\n`;
  });
  writeFileSync(flows, lines.join(''));
  await gw(lab).exec(['conntrack', '-R', flows], { timeoutMs: 50_000 });
}
