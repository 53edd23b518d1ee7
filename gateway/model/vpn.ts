/** VPN connections: a site link, and the tunnel that it is made of. */
import type { Endpoint } from '../api/keys.js';
import type { ElasticIp, GatewayModel, Origin } from './gateway-model.js';
import type { Cidr, IpAddress } from './ip.js';
import type { SiteLink } from './site-link.js';

export interface VpnConnection {
  readonly name: string;
  readonly elasticIp: ElasticIp;
  /** In bytes; `undefined`: what the external interface leaves. */
  readonly mtu: number | undefined;
  readonly site: SiteLink;
  readonly wireGuard: WireGuardEnd;
  readonly origin: Origin;
}

/** This gateway's end. Keys are names of files. */
export interface WireGuardEnd {
  readonly listenPort: number;
  readonly key: string;
  readonly peers: readonly WireGuardPeer[];
}

export interface WireGuardPeer {
  readonly name: string;
  /** Where it is described: in a document of its own, or in the connection's. */
  readonly place: { readonly id: string; readonly path: readonly PropertyKey[]; readonly own: boolean };
  readonly publicKey: string;
  readonly presharedKey: string | undefined;
  readonly endpoint: Endpoint | undefined;
  readonly networks: readonly Cidr[];
  /** 0: none. */
  readonly keepaliveMs: number;
  readonly probe: { readonly address: IpAddress; readonly intervalMs: number } | undefined;
}

/** The files that the keys of a connection's own document are in, the gateway's first. */
export const keysOf = ({ wireGuard }: VpnConnection): string[] => [
  wireGuard.key,
  ...wireGuard.peers.flatMap(({ presharedKey, place }) => (place.own ? [] : (presharedKey ?? []))),
];

/** The connection whose tunnel ends at a port of an elastic IP. */
export const endAt = (
  { vpnConnections }: Pick<GatewayModel, 'vpnConnections'>,
  address: string,
  protocol: string,
  port: number,
): VpnConnection | undefined =>
  protocol === 'udp'
    ? vpnConnections.find(
        ({ elasticIp, wireGuard }) => elasticIp.address.text === address && wireGuard.listenPort === port,
      )
    : undefined;
