/** Dedicated lines: a site link, and the port that it ends at. */
import type { Origin } from './gateway-model.js';
import type { Family, InterfaceAddress, IpAddress } from './ip.js';
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
  /** `undefined`: its carrier alone counts. */
  readonly probe: LineProbe | undefined;
  readonly steadyMs: number;
  /** Carries its networks while it does not. */
  readonly backup: VpnConnection | undefined;
  readonly site: SiteLink;
  readonly origin: Origin;
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
