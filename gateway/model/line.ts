/** Dedicated lines: a site link, and the port that it ends at. */
import type { Origin } from './gateway-model.js';
import type { Cidr, Family, InterfaceAddress, IpAddress } from './ip.js';
import type { SiteLink } from './site-link.js';
import type { VpnConnection } from './vpn.js';

export interface DedicatedLine {
  readonly name: string;
  /** The platform's interface. */
  readonly port: string;
  readonly vlan: number | undefined;
  /** The gateway's own addresses on it, at most one per family. */
  readonly addresses: readonly InterfaceAddress[];
  /** The other end's, at most one per family. */
  readonly peers: readonly IpAddress[];
  /** In bytes; `undefined`: the port's. */
  readonly mtu: number | undefined;
  /** Of what the networks are learnt; `undefined`: they are those of the site, always. */
  readonly bgp: BgpTerms | undefined;
  /** `undefined`: its carrier alone counts. */
  readonly probe: LineProbe | undefined;
  readonly steadyMs: number;
  /** Carries its networks while it does not. */
  readonly backup: VpnConnection | undefined;
  readonly site: SiteLink;
  readonly origin: Origin;
}

/** What a session with the other end's router is to keep to. What it may lead to are the networks of the site. */
export interface BgpTerms {
  readonly localAsn: number;
  readonly peerAsn: number;
  /** The name of a file. */
  readonly authKey: string | undefined;
  readonly accept: readonly { readonly cidr: Cidr; readonly upTo: number }[];
  readonly maxPrefixes: number;
  readonly advertise: readonly Cidr[];
  /** Such as `65000:100`. */
  readonly communities: readonly string[];
  readonly med: number | undefined;
  readonly gracefulRestart: boolean;
  readonly bfd: { readonly intervalMs: number; readonly multiplier: number } | undefined;
}

/** What is asked through a line to know whether it forwards. */
export interface LineProbe {
  readonly type: 'ICMP' | 'TCP';
  readonly address: IpAddress;
  /** 0 for a ping. */
  readonly port: number;
  readonly intervalMs: number;
  readonly unhealthyThreshold: number;
}

export const peerOf = ({ peers }: Pick<DedicatedLine, 'peers'>, family: Family): IpAddress | undefined =>
  peers.find((peer) => peer.family === family);

/** Of all lines, each once. */
export const portsOf = (lines: readonly DedicatedLine[]): string[] => [...new Set(lines.map(({ port }) => port))];
