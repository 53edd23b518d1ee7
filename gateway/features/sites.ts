/** Where the links of sites are in this kernel, and what there is to say of one that cannot be. Pure. */
import type { CertificateEnd, Facts } from '../kernel/state.js';
import type { GatewayModel } from '../model/gateway-model.js';
import type { DedicatedLine } from '../model/line.js';
import { lineParent, roleLink, tunnelLink } from '../model/ownership.js';
import type { SiteLink } from '../model/site-link.js';
import {
  certificateKey,
  type IpsecConnection,
  keysOf,
  type Proposal,
  type VpnConnection,
  type WireGuardConnection,
  type WireGuardPeer,
} from '../model/vpn.js';
import type { CompileContext } from './feature.js';

/** A site with its link. */
export interface PlacedSite {
  readonly site: SiteLink;
  /** In chains, sets, marks and tables. */
  readonly number: number;
  /** `undefined`: it has none here, and what is meant for it is refused. */
  readonly link: PlacedLink | undefined;
}

export interface PlacedLink {
  readonly name: string;
  readonly mtu: number;
  /** What stands on the link itself; `undefined` for a tunnel, which has nobody on it. */
  readonly line: DedicatedLine | undefined;
}

export const placedSites = (model: GatewayModel, context: CompileContext): PlacedSite[] => [
  ...model.dedicatedLines.map((line) => placed(line.site, lineLink(line, context.facts), context)),
  ...model.vpnConnections.map((connection) => placedTunnel(connection, context)),
];

export const placedTunnel = (connection: VpnConnection, context: CompileContext): PlacedSite =>
  placed(connection.site, tunnelOf(connection, context), context);

const placed = (site: SiteLink, link: PlacedLink | undefined, { siteNumber }: CompileContext): PlacedSite => ({
  site,
  number: siteNumber(site.origin.id),
  link,
});

const tunnelOf = (connection: VpnConnection, context: CompileContext): PlacedLink | undefined =>
  troubleOf(connection, context.facts)
    ? undefined
    : { name: linkOf(connection, context.facts), mtu: mtuOf(connection, context), line: undefined };

function lineLink(line: DedicatedLine, facts: Facts): PlacedLink | undefined {
  const mtu = line.mtu ?? facts.mtu.get(line.port) ?? DEFAULT_MTU;
  return lineTroubleOf(line, facts) ? undefined : { name: linkOfLine(line), mtu, line };
}

export const linkOfLine = ({ port, vlan }: DedicatedLine): string => roleLink(lineParent(port, vlan));

/** What keeps a line from having its link. */
export interface LineTrouble {
  readonly reason: 'PortMissing' | 'NoVlan';
  readonly message: string;
}

export function lineTroubleOf({ port, vlan, mtu }: DedicatedLine, facts: Facts): LineTrouble | undefined {
  const most = facts.mtu.get(port);
  if (most === undefined)
    return { reason: 'PortMissing', message: `interface ${port} does not exist here; the platform has to attach it` };
  if (vlan !== undefined && facts.vlans?.lacking !== undefined)
    return { reason: 'NoVlan', message: facts.vlans.lacking };
  if (mtu !== undefined && mtu > most)
    return { reason: 'PortMissing', message: `interface ${port} carries ${most} bytes, and mtu is ${mtu}` };
  return undefined;
}

/** Those that have a link. */
export const linkedSites = (model: GatewayModel, context: CompileContext) =>
  placedSites(model, context).flatMap(({ site, number, link }) => (link ? [{ site, number, link }] : []));

export const linkOf = ({ name, type }: VpnConnection, { tunnels }: Facts): string =>
  tunnelLink(name, type === 'WireGuard' ? (tunnels?.namespace ?? '') : '');

/** Of the outer header, UDP (of IPsec: behind a NAT), and the tunnel's own. */
const overheadOf = (connection: VpnConnection): number =>
  (connection.elasticIp.address.family === 4 ? 20 : 40) +
  8 +
  (connection.type === 'WireGuard' ? 32 : Math.max(...connection.ipsec.proposals.map(espOverhead)));

/** Number and sequence, initialisation vector, padding with its length and the next header, and the check value. */
function espOverhead({ encryption, hash }: Proposal): number {
  if (encryption.includes('gcm')) return 8 + 8 + (3 + 2) + 16;
  return 8 + 16 + (15 + 2) + { sha256: 16, sha384: 24, sha512: 32 }[hash];
}

const DEFAULT_MTU = 1500;

export function mtuOf(connection: VpnConnection, { facts, external }: CompileContext): number {
  const outer = facts.mtu.get(external(connection.elasticIp.external).interface) ?? DEFAULT_MTU;
  return connection.mtu ?? outer - overheadOf(connection);
}

/** What keeps a connection from having a tunnel. */
export interface Trouble {
  readonly reason: 'NoWireGuard' | 'NoIpsec' | 'KeyUnusable' | 'CertificateUnusable' | 'PortTaken';
  readonly message: string;
}

export function troubleOf(connection: VpnConnection, facts: Facts): Trouble | undefined {
  return (
    engineTrouble(connection, facts) ??
    keyTroubles(connection, facts) ??
    (connection.type === 'WireGuard'
      ? (portTrouble(connection, facts) ?? twinTroubles(connection, facts))
      : certificateTrouble(connection, facts))
  );
}

function portTrouble({ wireGuard: { listenPort } }: WireGuardConnection, { member }: Facts): Trouble | undefined {
  if (!member?.paths.some(({ under }) => under?.port === listenPort)) return undefined;
  const message = `${listenPort} is where the members of this pair talk to each other; choose another listenPort`;
  return { reason: 'PortTaken', message };
}

function engineTrouble({ type }: VpnConnection, { tunnels, ipsec }: Facts): Trouble | undefined {
  const lacking = type === 'WireGuard' ? tunnels?.lacking : ipsec?.lacking;
  return lacking === undefined
    ? undefined
    : { reason: type === 'WireGuard' ? 'NoWireGuard' : 'NoIpsec', message: lacking };
}

function keyTroubles(connection: VpnConnection, facts: Facts): Trouble | undefined {
  for (const file of keysOf(connection)) {
    const trouble = keyTrouble(file, facts);
    if (trouble) return trouble;
  }
  return undefined;
}

function twinTroubles(connection: WireGuardConnection, facts: Facts): Trouble | undefined {
  for (const peer of connection.wireGuard.peers) {
    const trouble = peer.place.own ? undefined : twinTrouble(peer, connection, facts);
    if (trouble) return trouble;
  }
  return undefined;
}

/** What keeps a peer that has a document of its own out of a tunnel, which is there for the others. */
export const peerTrouble = (peer: WireGuardPeer, connection: WireGuardConnection, facts: Facts): Trouble | undefined =>
  (peer.presharedKey === undefined ? undefined : keyTrouble(peer.presharedKey, facts)) ??
  twinTrouble(peer, connection, facts);

function certificateTrouble({ ipsec }: IpsecConnection, { certificates }: Facts): Trouble | undefined {
  const { credentials, localId } = ipsec;
  if (credentials.kind === 'preshared') return undefined;
  const trouble = (message: string): Trouble => ({ reason: 'CertificateUnusable', message });
  const fact = certificates?.get(certificateKey(credentials));
  if (!fact) return trouble(`${credentials.own}: was not read yet`);
  if ('wrong' in fact) return trouble(fact.wrong);
  const { names } = fact.certificates;
  if (localId !== undefined && !names.includes(localId))
    return trouble(`${credentials.own}: calls the gateway ${names.join(' and ')}, and localId is ${localId}`);
  return undefined;
}

/** Of a connection by certificates that can be used. */
export function firstEndOf(connection: VpnConnection, { certificates }: Facts): CertificateEnd | undefined {
  const credentials = connection.type === 'IPsec' ? connection.ipsec.credentials : undefined;
  const fact = credentials?.kind === 'certificate' ? certificates?.get(certificateKey(credentials)) : undefined;
  return fact && 'certificates' in fact ? fact.certificates.firstEnd : undefined;
}

function keyTrouble(file: string, { keys }: Facts): Trouble | undefined {
  const fact = keys?.get(file);
  if (fact && 'key' in fact) return undefined;
  return { reason: 'KeyUnusable', message: `${file}: ${fact ? fact.wrong : 'was not read yet'}` };
}

function twinTrouble({ name, publicKey }: WireGuardPeer, { wireGuard }: WireGuardConnection, { keys }: Facts) {
  const own = keys?.get(wireGuard.key);
  if (!own || !('key' in own) || publicKey !== own.key.fingerprint) return undefined;
  return { reason: 'KeyUnusable', message: `peer ${name} has the public key of this gateway` } as const;
}
