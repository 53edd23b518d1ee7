/** VPN connections: a site link, and the tunnel that it is made of. */
import type { Endpoint } from '../api/keys.js';
import type { ElasticIp, GatewayModel, Origin } from './gateway-model.js';
import type { Cidr, IpAddress } from './ip.js';
import type { SiteLink } from './site-link.js';

export type VpnConnection = WireGuardConnection | IpsecConnection;

interface Connection {
  readonly name: string;
  readonly elasticIp: ElasticIp;
  /** In bytes; `undefined`: what the external interface leaves. */
  readonly mtu: number | undefined;
  readonly site: SiteLink;
  readonly origin: Origin;
}

export interface WireGuardConnection extends Connection {
  readonly type: 'WireGuard';
  readonly wireGuard: WireGuardEnd;
}

export interface IpsecConnection extends Connection {
  readonly type: 'IPsec';
  readonly ipsec: IpsecEnd;
}

/** Above that of a dedicated line, which is taken while it is up. */
export const VPN_METRIC = 200;

/** It has a priority: its networks may be those of other connections too, which carry them while it does not. */
export const isOneOfSeveral = ({ site }: Pick<VpnConnection, 'site'>): boolean => site.metric > VPN_METRIC;

type Connections = Pick<GatewayModel, 'vpnConnections'>;

export const wireGuardsOf = ({ vpnConnections }: Connections): WireGuardConnection[] =>
  vpnConnections.filter((connection) => connection.type === 'WireGuard');
export const ipsecsOf = ({ vpnConnections }: Connections): IpsecConnection[] =>
  vpnConnections.filter((connection) => connection.type === 'IPsec');

/** One for each elastic IP: one daemon speaks for all tunnels of IPsec that end there, which share its ports. */
export function ipsecSpeakersOf(model: Connections): IpsecConnection[] {
  const all = ipsecsOf(model);
  return all.filter(({ elasticIp }, i) => all.findIndex((other) => other.elasticIp === elasticIp) === i);
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
  readonly probe: TunnelProbe | undefined;
}

/** The name of a file. */
export interface PresharedKey {
  readonly kind: 'preshared';
  readonly key: string;
}

/** Names of files. */
export interface CertificateFiles {
  readonly kind: 'certificate';
  readonly own: string;
  readonly key: string;
  readonly trusted: string;
}

/** What is known of the files, by all of their names. */
export const certificateKey = ({ own, key, trusted }: CertificateFiles): string => `${own} ${key} ${trusted}`;

/** What the other end is called where people read of it. */
export const peerNameOf = ({ peer, peerId }: Pick<IpsecEnd, 'peer' | 'peerId'>): string => peer?.text ?? peerId;

export interface TunnelProbe {
  readonly address: IpAddress;
  readonly intervalMs: number;
}

/** Both ends of a tunnel of IPsec. */
export interface IpsecEnd {
  /** `undefined`: it calls from anywhere, and is known by its name. */
  readonly peer: IpAddress | undefined;
  /** What each end calls itself; `undefined`: as its certificate does. */
  readonly localId: string | undefined;
  readonly peerId: string;
  readonly credentials: PresharedKey | CertificateFiles;
  readonly proposals: readonly Proposal[];
  /** From one question whether the peer lives to the next, while it says nothing. */
  readonly dpdMs: number;
  readonly probe: TunnelProbe | undefined;
}

/** In strongSwan's words. */
export interface Proposal {
  readonly encryption: 'aes128gcm16' | 'aes256gcm16' | 'aes128' | 'aes256';
  readonly hash: 'sha256' | 'sha384' | 'sha512';
  readonly group: string;
}

/** The files that the keys of a connection's own document are in, the gateway's first. */
export function keysOf(connection: VpnConnection): string[] {
  if (connection.type === 'IPsec') {
    const { credentials } = connection.ipsec;
    return credentials.kind === 'preshared' ? [credentials.key] : [];
  }
  const { key, peers } = connection.wireGuard;
  return [key, ...peers.flatMap(({ presharedKey, place }) => (place.own ? [] : (presharedKey ?? [])))];
}

/** IKE, IKE and ESP behind a NAT, and ESP by itself. */
const IPSEC_ENDS = [
  { protocol: 'udp', port: 500 },
  { protocol: 'udp', port: 4500 },
  { protocol: 'esp', port: 0 },
] as const;

/** At its elastic IP. A protocol without ports has port 0. */
export const endsOf = (connection: VpnConnection): readonly { protocol: 'udp' | 'esp'; port: number }[] =>
  connection.type === 'IPsec' ? IPSEC_ENDS : [{ protocol: 'udp', port: connection.wireGuard.listenPort }];

/** Where a tunnel ends, in the words of iptables. */
export const endMatches = (connection: VpnConnection): string[] =>
  endsOf(connection).map(({ protocol, port }) => (protocol === 'udp' ? `-p udp -m udp --dport ${port}` : '-p esp'));

/** As it is called, and as connection tracking prints it. */
const ESP_NAMES = ['esp', '50'];

/** The connection whose tunnel ends at a port of an elastic IP. */
export const endAt = (
  { vpnConnections }: Connections,
  address: string,
  protocol: string,
  port: number,
): VpnConnection | undefined =>
  vpnConnections.find(
    (connection) =>
      connection.elasticIp.address.text === address &&
      endsOf(connection).some((end) =>
        end.protocol === 'udp' ? protocol === 'udp' && end.port === port : ESP_NAMES.includes(protocol),
      ),
  );
