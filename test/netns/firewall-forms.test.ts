import { beforeAll, describe, expect, it } from 'vitest';
import type { Agent } from '../support/agent.js';
import {
  addressGroup,
  type Document,
  dnatRule,
  elasticIp,
  firewallPolicy,
  gateway,
  type RuleOptions,
  snatRule,
} from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import type { Namespace } from '../support/namespace.js';
import { pace } from '../support/pace.js';
import { ping } from '../support/ping.js';
import { overTcp, overUdp, silenceMs } from '../support/reach.js';

// Every form of a firewall rule, judged on real packets: each action with each form of ports and of peers, in both
// directions and both families, in front of a 1:1 address and of one that port rules and SNAT share. All forms stand in
// the kernel at once, each on elastic IPs of its own.

type Outcome = 'through' | 'refused' | 'silence';
/** TCP, UDP and ping with a friend as the far end, and TCP with somebody else. */
type Probe = 'tcp' | 'udp' | 'ping' | 'other';
const PROBES: readonly Probe[] = ['tcp', 'udp', 'ping', 'other'];

interface Form {
  readonly name: string;
  readonly rule: Pick<RuleOptions, 'ports' | 'peers' | 'log'>;
  readonly matches: readonly Probe[];
}

const ALL = PROBES;
const PORT_FORMS: readonly Form[] = [
  { name: 'no port', rule: {}, matches: ALL },
  { name: 'one TCP port', rule: { ports: [{ protocol: 'TCP', port: ports.tcp }] }, matches: ['tcp', 'other'] },
  { name: 'a TCP range', rule: { ports: [{ protocol: 'TCP', port: 79, endPort: 81 }] }, matches: ['tcp', 'other'] },
  { name: 'a TCP range beside', rule: { ports: [{ protocol: 'TCP', port: 81, endPort: 90 }] }, matches: [] },
  { name: 'all of TCP', rule: { ports: [{ protocol: 'TCP' }] }, matches: ['tcp', 'other'] },
  { name: 'one UDP port', rule: { ports: [{ protocol: 'UDP', port: ports.udp }] }, matches: ['udp'] },
  { name: 'a UDP range', rule: { ports: [{ protocol: 'UDP', port: 50, endPort: 60 }] }, matches: ['udp'] },
  { name: 'all of UDP', rule: { ports: [{ protocol: 'UDP' }] }, matches: ['udp'] },
  { name: 'ping', rule: { ports: [{ protocol: 'ICMP' }] }, matches: ['ping'] },
  {
    name: 'several ports',
    rule: { ports: [{ protocol: 'UDP', port: ports.udp }, { protocol: 'ICMP' }, { protocol: 'TCP', port: 22 }] },
    matches: ['udp', 'ping'],
  },
];
const FROM_FRIEND: readonly Probe[] = ['tcp', 'udp', 'ping'];
const PEER_FORMS: readonly Form[] = [
  {
    name: 'one peer of each family',
    rule: { peers: peersOf('198.51.100.1/32', '2001:db8:1::1/128') },
    matches: FROM_FRIEND,
  },
  {
    name: 'several peers',
    rule: { peers: peersOf('192.0.2.0/24', '198.51.100.0/31', '2001:db8:9::/48', '2001:db8:1::/127') },
    matches: FROM_FRIEND,
  },
  { name: 'a group', rule: { peers: [{ addressGroup: 'friends' }] }, matches: FROM_FRIEND },
  {
    name: 'a group and a port',
    rule: { peers: [{ addressGroup: 'friends' }], ports: [{ protocol: 'TCP', port: ports.tcp }] },
    matches: ['tcp'],
  },
  { name: 'a log', rule: { ports: [{ protocol: 'TCP' }], log: true }, matches: ['tcp', 'other'] },
];
const ACTIONS = ['Allow', 'Deny', 'Reject'] as const;

function peersOf(...cidrs: readonly string[]): { cidr: string }[] {
  return cidrs.map((cidr) => ({ cidr }));
}

const CASES = ACTIONS.flatMap((action) => [...PORT_FORMS, ...PEER_FORMS].map((form) => ({ action, ...form }))).map(
  (each, index) => ({ ...each, index }),
);
type Case = (typeof CASES)[number];

const WAYS = ['a 1:1 address', 'a shared address'] as const;
type Way = (typeof WAYS)[number];
const FAMILIES = [
  { family: 'IPv4', eip: '203.0.113.', vm: '10.0.0.', length: 32, friend: '198.51.100.1', other: '198.51.100.2' },
  { family: 'IPv6', eip: '2001:db8:e::', vm: 'fd00:a::', length: 128, friend: '2001:db8:1::1', other: '2001:db8:1::2' },
] as const;
type Family = (typeof FAMILIES)[number];

/** Of a case's elastic IP and of the VM behind it, the last number. */
const hostOf = ({ index }: Case, way: Way): number => 20 + index + (way === 'a 1:1 address' ? 0 : 100);
const eipName = (each: Case, way: Way, { family }: Family): string => `${family.toLowerCase()}-${hostOf(each, way)}`;

/** What matches the rule has its action; else an allowing rule closes what it does not allow, and the others let pass. */
function expected({ action, matches }: Case): Record<Probe, Outcome> {
  const outcome = (probe: Probe): Outcome => {
    if (!matches.includes(probe)) return action === 'Allow' ? 'silence' : 'through';
    return action === 'Allow' ? 'through' : action === 'Deny' ? 'silence' : 'refused';
  };
  return Object.fromEntries(PROBES.map((probe) => [probe, outcome(probe)])) as Record<Probe, Outcome>;
}

function policyOf(each: Case): Document {
  const rules = (direction: 'Ingress' | 'Egress'): RuleOptions[] => [
    { priority: 100, direction, action: each.action, ...each.rule },
    ...(each.action === 'Allow' ? [] : [{ priority: 200, direction, action: 'Allow' as const }]),
  ];
  const elasticIPs = WAYS.flatMap((way) => FAMILIES.map((family) => eipName(each, way, family)));
  return firewallPolicy(`case-${each.index}`, { elasticIPs }, [...rules('Ingress'), ...rules('Egress')]);
}

function addressesOf(each: Case, family: Family): Document[] {
  const [own, shared] = WAYS.map((way) => ({ name: eipName(each, way, family), host: hostOf(each, way) }));
  if (!own || !shared) return [];
  const target = `${family.vm}${shared.host}`;
  return [
    elasticIp(own.name, `${family.eip}${own.host}`, { target: `${family.vm}${own.host}` }),
    elasticIp(shared.name, `${family.eip}${shared.host}`),
    snatRule(shared.name, [`${target}/${family.length}`], [shared.name]),
    ...(['TCP', 'UDP'] as const).map((protocol) =>
      dnatRule(`${protocol.toLowerCase()}-${shared.name}`, {
        elasticIP: shared.name,
        protocol,
        port: 1,
        endPort: 999,
        target,
      }),
    ),
    dnatRule(`ping-${shared.name}`, { elasticIP: shared.name, protocol: 'ICMP', target }),
  ];
}

const hosts = CASES.flatMap((each) => WAYS.map((way) => hostOf(each, way)));
const friends = addressGroup('friends', ['198.51.100.1/32', '2001:db8:1::1/128', '192.0.2.0/24']);

describe('a firewall rule', () => {
  const lab = useGatewayLab({
    tenants: [
      {
        name: 'blue',
        vms: [{ name: 'web', addresses: hosts.flatMap((host) => [`10.0.0.${host}/24`, `fd00:a::${host}/64`]) }],
      },
    ],
    documents: (tenant) => [
      gateway(tenant),
      friends,
      ...CASES.flatMap((each) => [policyOf(each), ...FAMILIES.flatMap((family) => addressesOf(each, family))]),
    ],
    // Else the kernel answers a few of those who are rejected, and then one a second.
    prepare: async ({ tenants }) => {
      const unlimited = ['net.ipv4.icmp_ratelimit=0', 'net.ipv6.icmp.ratelimit=0', 'net.ipv4.icmp_msgs_per_sec=100000'];
      for (const { gateway } of tenants)
        await gateway.exec(['sysctl', '-qe', ...unlimited], { okExitCodes: [0, 1, 255] });
    },
  });
  let inet: Agent;
  let web: Agent;

  beforeAll(async () => {
    await lab.topology.inet.namespace.exec(['ip', 'address', 'add', '2001:db8:1::2/128', 'dev', 'lo']);
    await serve(lab.topology.inet, lab.tenant.vm('web'));
    inet = await lab.inet();
    await inet.udpServer({ port: ports.udp, address: '2001:db8:1::2', mode: 'whoami' });
    web = await lab.vm('web');
  });

  const named = CASES.map((each) => ({ title: `${each.action} with ${each.name}`, each }));

  // Several at once: what is silent takes its time.
  it.concurrent.each(named)('$title, in both directions', async ({ each }) => {
    const seen = FAMILIES.flatMap((family) => WAYS.map((way) => bothDirections(each, way, family)));
    for (const { where, outcomes } of (await Promise.all(seen)).flat()) expect(outcomes, where).toEqual(expected(each));
  });

  async function bothDirections(each: Case, way: Way, family: Family) {
    const { friend, other, eip, vm } = family;
    const peer = (probe: Probe): string => (probe === 'other' ? other : friend);
    const host = hostOf(each, way);
    const [into, out] = await Promise.all([
      probed(inet, lab.topology.inet.namespace, (probe) => ({ to: `${eip}${host}`, from: peer(probe) })),
      probed(web, lab.tenant.vm('web').namespace, (probe) => ({ to: peer(probe), from: `${vm}${host}` })),
    ]);
    return [
      { where: `${family.family}, in front of ${way}`, outcomes: into },
      { where: `${family.family}, out of ${way}`, outcomes: out },
    ];
  }
});

type Ends = (probe: Probe) => { to: string; from: string };

/** All four at once: what is silent takes its time. */
async function probed(agent: Agent, namespace: Namespace, ends: Ends): Promise<Record<Probe, Outcome>> {
  const timeoutMs = silenceMs * pace;
  const outcomes = await Promise.all([
    overTcp(agent, { ...ends('tcp'), timeoutMs }).then(outcomeOf),
    overUdp(agent, { ...ends('udp'), timeoutMs }).then(outcomeOf),
    ping(namespace, { ...ends('ping'), timeoutMs }).then(({ received, errors }): Outcome =>
      received > 0 ? 'through' : errors.length > 0 ? 'refused' : 'silence',
    ),
    overTcp(agent, { ...ends('other'), timeoutMs }).then(outcomeOf),
  ]);
  return Object.fromEntries(PROBES.map((probe, i) => [probe, outcomes[i]])) as Record<Probe, Outcome>;
}

/** A rejection is a reset or, of what is no TCP, an error that the kernel tells by several names. */
function outcomeOf(reached: object): Outcome {
  if (!('error' in reached)) return 'through';
  return reached.error === 'TIMEOUT' ? 'silence' : 'refused';
}
