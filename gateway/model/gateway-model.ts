/**
 * The gateway as its documents mean it: names resolved, defaults explicit, every address parsed. What this holds is
 * consistent: two objects never claim the same address, protocol and port.
 */
import type { LoadBalancer } from './balancer.js';
import type { Bandwidth, BandwidthPackage } from './bandwidth.js';
import type { Firewall } from './firewall.js';
import type { HighAvailability, MacMode } from './high-availability.js';
import type { Cidr, InterfaceAddress, IpAddress } from './ip.js';
import type { DedicatedLine } from './line.js';
import type { VpnConnection } from './vpn.js';

/** Names a document: the key of status, of counters and of the journal. */
export interface Origin {
  readonly id: string;
  readonly file: string;
  readonly line: number;
}

/** The gateway between its networks; the same object for as long as its document is the same. */
export interface Sides {
  readonly internal: InternalSide;
  readonly externals: readonly ExternalNetwork[];
}

/** All of the model but its elastic IPs; the same object for as long as none of it has changed. */
export interface Frame extends Sides {
  readonly name: string;
  readonly paused: boolean;
  readonly sides: Sides;
  readonly management: string | undefined;
  readonly highAvailability: HighAvailability;
  readonly timeouts: Timeouts;
  readonly conntrackSize: number | undefined;
  readonly limits: GatewayLimits;
  readonly firewall: Firewall;
  /** On each external network by itself. */
  readonly bandwidth: Bandwidth;
  readonly packages: readonly BandwidthPackage[];
  readonly snatRules: readonly SnatRule[];
  readonly dnatRules: readonly DnatRule[];
  readonly loadBalancers: readonly LoadBalancer[];
  readonly ipv6Prefixes: readonly Ipv6Prefix[];
  readonly vpnConnections: readonly VpnConnection[];
  readonly dedicatedLines: readonly DedicatedLine[];
}

/** `undefined`: no limit. Of new connections in a second. */
export interface GatewayLimits {
  readonly connections: number | undefined;
  readonly newConnectionsPerSecond: number | undefined;
  readonly connectionsPerSource: number | undefined;
  readonly newConnectionsPerSecondPerSource: number | undefined;
}

/** Of connections that are opened to an elastic IP. */
export interface ElasticIpLimits {
  readonly connections?: number | undefined;
  readonly newConnectionsPerSecond?: number | undefined;
}

export interface ElasticIps {
  /** By name. */
  readonly elasticIps: ReadonlyMap<string, ElasticIp>;
  readonly byAddress: ReadonlyMap<string, ElasticIp>;
  /** Those that are bound 1:1, by the address they lead to. */
  readonly byTarget: ReadonlyMap<string, ElasticIp>;
}

export interface GatewayModel extends Frame, ElasticIps {
  readonly frame: Frame;
}

export interface InternalSide {
  readonly interface: string;
  readonly addresses: readonly InterfaceAddress[];
  readonly routed: readonly { readonly cidr: Cidr; readonly via: IpAddress }[];
  /** All that may be a tenant's source: the subnets of `addresses` and the routed prefixes. */
  readonly prefixes: readonly Cidr[];
  readonly macMode: MacMode;
}

export interface ExternalNetwork {
  readonly name: string;
  readonly interface: string;
  readonly addresses: readonly InterfaceAddress[];
  readonly gateways: readonly IpAddress[];
  readonly macMode: MacMode;
}

/** Milliseconds; `undefined` leaves the kernel's own. */
export interface Timeouts {
  readonly tcpEstablished: number;
  readonly tcpSynSent?: number | undefined;
  readonly tcpFinWait?: number | undefined;
  readonly tcpTimeWait?: number | undefined;
  readonly tcpClose?: number | undefined;
  readonly udp: number;
  readonly udpStream: number;
  readonly icmp?: number | undefined;
  readonly generic?: number | undefined;
}

export interface ElasticIp {
  readonly name: string;
  readonly address: IpAddress;
  readonly external: string;
  readonly announced: boolean;
  readonly target: IpAddress | undefined;
  readonly bandwidth: Bandwidth;
  readonly drainTimeoutMs: number;
  readonly limits: ElasticIpLimits | undefined;
  /** By which policies find it. */
  readonly labels: ReadonlyMap<string, string>;
  readonly origin: Origin;
}

export interface SnatRule {
  readonly name: string;
  readonly sources: readonly Cidr[];
  /** In the order of the document, of both families. */
  readonly pool: readonly ElasticIp[];
  readonly portsPerSource: number | undefined;
  readonly origin: Origin;
}

/** Inclusive. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export interface DnatRule {
  readonly name: string;
  readonly elasticIp: ElasticIp;
  readonly protocol: 'TCP' | 'UDP' | 'ICMP' | 'Any';
  /** Only of TCP and UDP. */
  readonly ports: PortRange | undefined;
  readonly target: IpAddress;
  readonly targetPort: number | undefined;
  readonly origin: Origin;
}

export interface Ipv6Prefix {
  readonly name: string;
  readonly prefix: Cidr;
  readonly external: string;
  readonly mode: 'Full' | 'EgressOnly';
  /** NAT66: the prefix in use inside the VPC. */
  readonly internalPrefix: Cidr | undefined;
  readonly origin: Origin;
}
