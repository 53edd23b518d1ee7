/** VPN connections, with their elastic IP and the groups of their rules found. */
import type { DocumentOf, GatewayDocument } from '../documents/document.js';
import { NO_LIMIT } from './bandwidth.js';
import type { Complaints } from './complaints.js';
import type { AddressGroup, Policy } from './firewall.js';
import type { ElasticIp } from './gateway-model.js';
import { elasticIpNamed, named } from './named.js';
import { originOf } from './origin.js';
import { remember } from './remember.js';
import { resolveRules } from './resolve-firewall.js';
import {
  type IpsecEnd,
  ipsecsOf,
  isOneOfSeveral,
  type VpnConnection,
  VPN_METRIC,
  type WireGuardConnection,
  type WireGuardPeer,
  wireGuardsOf,
} from './vpn.js';

type ConnectionDocument = DocumentOf<'VpnConnection'> & GatewayDocument;
type PeerDocument = DocumentOf<'VpnPeer'> & GatewayDocument;

/** Connections with all of their peers. */
export function resolveVpns(
  documents: { readonly connections: readonly ConnectionDocument[]; readonly peers: readonly PeerDocument[] },
  elasticIps: ReadonlyMap<string, ElasticIp>,
  groups: readonly AddressGroup[],
  complaints: Complaints,
): VpnConnection[] {
  const having = (type: VpnConnection['type']): string[] =>
    documents.connections.filter(({ spec }) => spec.type === type).map(({ metadata }) => metadata.name);
  const peers = new Map(having('WireGuard').map((name) => [name, [] as WireGuardPeer[]]));
  const others = new Set(having('IPsec'));
  for (const document of documents.peers) addPeer(document, peers, others, complaints);
  return documents.connections
    .flatMap((document) => resolveVpn(document, elasticIps, groups, complaints))
    .map((connection) =>
      connection.type === 'IPsec'
        ? connection
        : withPeers(connection, [...connection.wireGuard.peers, ...(peers.get(connection.name) ?? [])]),
    );
}

/** The same with some peers taken away, by the ids of their documents, and others put in. */
export function exchangePeers(
  before: readonly VpnConnection[],
  taken: ReadonlySet<string>,
  given: readonly PeerDocument[],
  complaints: Complaints,
): VpnConnection[] {
  const coming = new Map(wireGuardsOf({ vpnConnections: before }).map(({ name }) => [name, [] as WireGuardPeer[]]));
  const others = new Set(ipsecsOf({ vpnConnections: before }).map(({ name }) => name));
  for (const document of given) addPeer(document, coming, others, complaints);
  return before.map((connection) => {
    if (connection.type === 'IPsec') return connection;
    const staying = connection.wireGuard.peers.filter(({ place }) => !taken.has(place.id));
    const come = coming.get(connection.name) ?? [];
    const same = staying.length === connection.wireGuard.peers.length && come.length === 0;
    return same ? connection : withPeers(connection, [...staying, ...come]);
  });
}

/** `others`: connections that have no peers of their own. */
function addPeer(
  document: PeerDocument,
  peers: ReadonlyMap<string, WireGuardPeer[]>,
  others: ReadonlySet<string>,
  complaints: Complaints,
): void {
  const { connection } = document.spec;
  const path = ['spec', 'connection'];
  if (others.has(connection))
    complaints.at(
      document,
      path,
      `${connection} is of type IPsec, whose one peer stands in its own document; name one of type WireGuard`,
    );
  else named('VpnConnection', connection, peers, document, path, complaints)?.push(ownPeerOf(document));
}

const withPeers = (connection: WireGuardConnection, peers: readonly WireGuardPeer[]): WireGuardConnection => ({
  ...connection,
  site: { ...connection.site, remote: peers.flatMap(({ networks }) => networks) },
  wireGuard: { ...connection.wireGuard, peers: isOneOfSeveral(connection) ? peers.map(spokenTo) : peers },
});

const SPOKEN_TO_MS = 25_000;

/** While another tunnel carries, nobody else would find that a peer is back. */
const spokenTo = remember((peer: WireGuardPeer): WireGuardPeer =>
  peer.endpoint && !peer.probe && peer.keepaliveMs === 0 ? { ...peer, keepaliveMs: SPOKEN_TO_MS } : peer,
);

type PeerSpec = Omit<DocumentOf<'VpnPeer'>['spec'], 'connection'>;

const peerOf = (
  name: string,
  { publicKey, presharedKeyRef, endpoint, networks, keepalive, probe }: PeerSpec,
  place: WireGuardPeer['place'],
): WireGuardPeer => ({
  name,
  place,
  publicKey,
  presharedKey: presharedKeyRef?.file,
  endpoint,
  networks,
  keepaliveMs: keepalive,
  probe: probe && { address: probe.address, intervalMs: probe.interval },
});

/** The same object for an unchanged document, so that what was compiled of it can be used again. */
export const ownPeerOf = remember(({ id, metadata, spec }: PeerDocument): WireGuardPeer =>
  peerOf(metadata.name, spec, { id, path: ['spec'], own: true }),
);

const inlinePeersOf = remember(({ id, spec }: ConnectionDocument): readonly WireGuardPeer[] =>
  (spec.wireGuard?.peers ?? []).map((peer, i) =>
    peerOf(peer.name, peer, { id, path: ['spec', 'wireGuard', 'peers', i], own: false }),
  ),
);

function resolveVpn(
  document: ConnectionDocument,
  elasticIps: ReadonlyMap<string, ElasticIp>,
  groups: readonly AddressGroup[],
  complaints: Complaints,
): VpnConnection[] {
  const { spec, metadata } = document;
  const elasticIp = elasticIpNamed(spec.elasticIP, elasticIps, document, ['spec', 'elasticIP'], complaints);
  if (!elasticIp) return [];
  const origin = originOf(document);
  const policy: Policy | undefined = spec.rules && {
    name: metadata.name,
    rules: resolveRules(document, spec.rules, new Map(groups.map((group) => [group.name, group])), complaints),
    flushes: true,
    origin,
  };
  const common = {
    name: metadata.name,
    elasticIp,
    mtu: spec.mtu,
    origin,
    site: {
      local: spec.localNetworks,
      remote: spec.ipsec?.networks ?? [],
      translate: spec.translate,
      elsewhere: [],
      metric: VPN_METRIC + (spec.priority ?? 0),
      bandwidth: spec.bandwidth ?? NO_LIMIT,
      policy,
      origin,
    },
  };
  if (spec.ipsec) return [{ ...common, type: 'IPsec', ipsec: ipsecEndOf(spec.ipsec, elasticIp) }];
  if (!spec.wireGuard) return [];
  const { listenPort, keyRef } = spec.wireGuard;
  const wireGuard = { listenPort, key: keyRef.file, peers: inlinePeersOf(document) };
  return [{ ...common, type: 'WireGuard', wireGuard }];
}

type IpsecSpec = NonNullable<ConnectionDocument['spec']['ipsec']>;

const ipsecEndOf = (
  { peer, localId, peerId, presharedKeyRef, certificates, proposals, dpd, probe }: IpsecSpec,
  { address }: ElasticIp,
): IpsecEnd => ({
  peer,
  localId: localId ?? (certificates ? undefined : address.text),
  peerId: peerId ?? peer?.text ?? '',
  credentials: certificates
    ? {
        kind: 'certificate',
        own: certificates.ownRef.file,
        key: certificates.keyRef.file,
        trusted: certificates.trustedRef.file,
      }
    : { kind: 'preshared', key: presharedKeyRef?.file ?? '' },
  proposals,
  dpdMs: dpd,
  probe: probe && { address: probe.address, intervalMs: probe.interval },
});
