import { internet, secondInternet, vpc, withoutPrefix } from './addresses.js';
import { ends } from './site.js';
import type { Tenant } from './topology.js';

// The documents of the standard picture, as objects that `Supervisor` writes as YAML.

export type Document = Readonly<Record<string, unknown>>;

export interface GatewayOptions {
  /** Of the next hop, with prefix lengths. */
  internalAddresses?: readonly string[];
  /** What stands behind the VPC router. */
  prefixes?: readonly { cidr: string; via: string }[];
  /** With the external network `second`, on ext1. */
  secondExternal?: boolean;
  /** Further fields of the spec. */
  spec?: Readonly<Record<string, unknown>>;
}

type Addressed = Pick<Tenant, 'name' | 'externalAddresses' | 'secondExternalAddresses'>;

export function gateway(tenant: Addressed, options: GatewayOptions = {}): Document {
  const { internalAddresses = ['10.0.0.1/24', 'fd00:a::1/64'], prefixes = [], spec = {} } = options;
  const externals = [
    { name: 'internet', interface: 'ext0', addresses: tenant.externalAddresses, gateways: internet.gateways },
    { name: 'second', interface: 'ext1', addresses: tenant.secondExternalAddresses, gateways: secondInternet.gateways },
  ].slice(0, options.secondExternal ? 2 : 1);
  return document('VpcGateway', tenant.name, {
    internal: { interface: 'vpc0', addresses: internalAddresses, prefixes },
    externals,
    ...spec,
  });
}

/** The prefixes behind the VM `router` of a tenant that has one. */
export const prefixesBehindRouter = vpc.behind.prefixes.map((cidr, family) => ({
  cidr,
  via: withoutPrefix(vpc.routerAddresses[family] ?? ''),
}));

/** Rates such as `10M`. */
export interface Bandwidth {
  ingress?: string;
  egress?: string;
}

interface ElasticIpOptions {
  limits?: { connections?: number; newConnectionsPerSecond?: number };
  labels?: Readonly<Record<string, string>>;
  target?: string;
  external?: string;
  announcement?: 'Neighbor' | 'Routed';
  drainTimeout?: string;
  bandwidth?: Bandwidth;
}

export function elasticIp(name: string, address: string, { target, labels, ...more }: ElasticIpOptions = {}): Document {
  const spec = { address, ...(target === undefined ? {} : { target: { address: target } }), ...more };
  return { ...document('ElasticIP', name, spec), metadata: { name, ...(labels ? { labels } : {}) } };
}

export interface RuleOptions {
  priority?: number;
  action: 'Allow' | 'Deny' | 'Reject';
  direction?: 'Ingress' | 'Egress';
  peers?: readonly ({ cidr: string } | { addressGroup: string })[];
  ports?: readonly { protocol: 'TCP' | 'UDP' | 'ICMP'; port?: number; endPort?: number }[];
  log?: boolean;
}

/** Priorities go up by 100 and directions are `Ingress`, unless a rule says otherwise. */
const rules = (given: readonly RuleOptions[]) =>
  given.map((rule, i) => ({ priority: (i + 1) * 100, direction: 'Ingress', ...rule }));

type AppliesTo = 'gateway' | { elasticIPs: readonly string[] } | { matchLabels: Readonly<Record<string, string>> };

export function firewallPolicy(
  name: string,
  appliesTo: AppliesTo,
  given: readonly RuleOptions[],
  more: { onEdit?: 'Flush' | 'Keep' } = {},
): Document {
  const target = appliesTo === 'gateway' ? { gateway: true } : appliesTo;
  return document('FirewallPolicy', name, { appliesTo: target, rules: rules(given), ...more });
}

export const firewallBaseline = (name: string, given: readonly RuleOptions[]): Document =>
  document('FirewallBaseline', name, { rules: rules(given) });

export const addressGroup = (name: string, cidrs: readonly string[]): Document =>
  document('AddressGroup', name, { cidrs });

export function snatRule(
  name: string,
  sources: readonly string[],
  elasticIPs: readonly string[],
  more: { portsPerSource?: number } = {},
): Document {
  return document('SnatRule', name, { sources: sources.map((cidr) => ({ cidr })), elasticIPs, ...more });
}

interface DnatOptions {
  elasticIP: string;
  protocol: 'TCP' | 'UDP' | 'ICMP' | 'Any';
  port?: number;
  endPort?: number;
  target: string;
  targetPort?: number;
}

export function dnatRule(name: string, { target, ...spec }: DnatOptions): Document {
  return document('DnatRule', name, { ...spec, target: { address: target } });
}

export interface BalancerMember {
  address: string;
  port?: number;
  weight?: number;
  backup?: boolean;
  maintenance?: boolean;
}

export interface BalancerListener {
  protocol?: 'TCP' | 'UDP';
  port: number;
  endPort?: number;
  pool?: string;
  algorithm?: 'RoundRobin' | 'LeastConnections' | 'SourceHash' | 'Maglev';
  affinity?: { timeout?: string };
  idleTimeout?: string;
  maxConnections?: number;
  allowedSources?: readonly string[];
}

interface BalancerOptions {
  elasticIP?: string;
  address?: string;
  /** Of the pool `all`, which listeners use that name no other. */
  members: readonly BalancerMember[];
  pool?: { drainTimeout?: string; allDown?: 'Reject' | 'FailOpen'; healthCheck?: Document };
  listeners: readonly BalancerListener[];
}

export function loadBalancer(name: string, { members, pool, listeners, ...where }: BalancerOptions): Document {
  return document('LoadBalancer', name, {
    ...where,
    pools: [{ name: 'all', members, ...pool }],
    listeners: listeners.map((listener) => ({ protocol: 'TCP', pool: 'all', ...listener })),
  });
}

interface VpnOptions {
  elasticIP: string;
  priority?: number;
  localNetworks?: readonly string[];
  translate?: readonly { network: string; as: string }[];
  mtu?: number;
  bandwidth?: Bandwidth;
  rules?: readonly RuleOptions[];
  listenPort?: number;
  key: string;
  peers: readonly VpnPeer[];
}

export interface VpnPeer {
  name: string;
  publicKey: string;
  psk?: string;
  endpoint?: string;
  networks: readonly string[];
  keepalive?: string;
  probe?: { address: string; interval?: string };
}

export function vpnConnection(name: string, options: VpnOptions): Document {
  const { localNetworks = ['10.0.0.0/24', 'fd00:a::/64'], rules: given, listenPort, key, peers, ...more } = options;
  return document('VpnConnection', name, {
    type: 'WireGuard',
    localNetworks,
    ...more,
    ...(given ? { rules: rules(given) } : {}),
    wireGuard: {
      ...(listenPort === undefined ? {} : { listenPort }),
      keyRef: { file: key },
      peers: peers.map(({ psk, ...peer }) => ({
        ...peer,
        ...(psk === undefined ? {} : { presharedKeyRef: { file: psk } }),
      })),
    },
  });
}

interface IpsecOptions extends Pick<
  VpnOptions,
  'elasticIP' | 'localNetworks' | 'translate' | 'bandwidth' | 'mtu' | 'rules' | 'priority'
> {
  /** Without one it calls. */
  peer?: string;
  networks: readonly string[];
  psk?: string;
  /** Files: the gateway's, its key, and what is trusted. */
  certificates?: readonly [own: string, key: string, trusted: string];
  /** Further fields of `ipsec`. */
  more?: Readonly<Record<string, unknown>>;
}

export function ipsecConnection(name: string, options: IpsecOptions): Document {
  const { localNetworks = ['10.0.0.0/24', 'fd00:a::/64'], rules: given, ...others } = options;
  const { peer, networks, psk, certificates, more, ...rest } = others;
  const [ownRef, keyRef, trustedRef] = (certificates ?? []).map((file) => ({ file }));
  return document('VpnConnection', name, {
    type: 'IPsec',
    localNetworks,
    ...rest,
    ...(given ? { rules: rules(given) } : {}),
    ipsec: {
      ...(peer === undefined ? {} : { peer }),
      networks,
      ...(psk === undefined ? {} : { presharedKeyRef: { file: psk } }),
      ...(certificates ? { certificates: { ownRef, keyRef, trustedRef } } : {}),
      ...more,
    },
  });
}

/** In a document of its own. */
export const vpnPeer = (connection: string, { name, psk, ...peer }: VpnPeer): Document =>
  document('VpnPeer', name, {
    connection,
    ...peer,
    ...(psk === undefined ? {} : { presharedKeyRef: { file: psk } }),
  });
interface LineOptions {
  /** Of the addresses at both ends. */
  number: number;
  port: string;
  vlan?: number;
  localNetworks?: readonly string[];
  /** Of a line that learns them: what it accepts. */
  networks: readonly string[];
  priority?: number;
  mtu?: number;
  bandwidth?: Bandwidth;
  rules?: readonly RuleOptions[];
  probe?: Readonly<Record<string, string | number>>;
  backup?: string;
  bgp?: Readonly<Record<string, unknown>>;
}

/** A dedicated line whose ends have the addresses that `Site` gives them. */
export function dedicatedLine(name: string, options: LineOptions): Document {
  const {
    number: n,
    port,
    vlan,
    localNetworks = ['10.0.0.0/24', 'fd00:a::/64'],
    networks,
    rules: given,
    bgp,
    ...more
  } = options;
  const both = [ends(n, false), ends(n, true)];
  return document('DedicatedLine', name, {
    port: { interface: port, ...(vlan === undefined ? {} : { vlan }) },
    localAddresses: both.map(([own]) => own),
    peerAddresses: both.map(([, peer]) => peer),
    localNetworks,
    ...(bgp ? { bgp: { accept: networks.map((cidr) => ({ cidr })), ...bgp } } : { static: { networks } }),
    ...more,
    ...(given ? { rules: rules(given) } : {}),
  });
}

/** A gateway with something of the usual: one VM's own elastic IP, and one that all others share. */
export const smallGateway = (tenant: Tenant): Document[] => [
  gateway(tenant),
  elasticIp('web', '203.0.113.10', { target: '10.0.0.5' }),
  elasticIp('nat', '203.0.113.20'),
  snatRule('all', ['10.0.0.0/24'], ['nat']),
];

interface PrefixOptions {
  mode?: 'Full' | 'EgressOnly';
  external?: string;
  /** The prefix in the VPC that this one is translated to. */
  internal?: string;
}

export function ipv6Prefix(name: string, prefix: string, { internal, ...more }: PrefixOptions = {}): Document {
  return document('Ipv6Prefix', name, {
    prefix,
    ...(internal === undefined ? {} : { translate: { internal } }),
    ...more,
  });
}

interface MemberOptions {
  elasticIP: string;
  guaranteed?: Bandwidth;
  max?: Bandwidth;
}

export function bandwidthPackage(name: string, bandwidth: Bandwidth, members: readonly MemberOptions[]): Document {
  return document('BandwidthPackage', name, { bandwidth, members });
}

export function document(kind: string, name: string, spec: Document): Document {
  return { apiVersion: 'vpcgw.io/v1alpha1', kind, metadata: { name }, spec };
}
