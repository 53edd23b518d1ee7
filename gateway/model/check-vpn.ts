/** What must hold between tunnels, their peers and what the gateway has already. */
import type { Complaints } from './complaints.js';
import type { ElasticIp, GatewayModel } from './gateway-model.js';
import { type Cidr, contains, containsCidr, type IpAddress, overlaps } from './ip.js';
import { ANSWER_PORT, BFD_PORTS, SYNC_PORT } from './ownership.js';
import { sameTranslation, type SiteLink } from './site-link.js';
import {
  type IpsecConnection,
  ipsecsOf,
  isOneOfSeveral,
  peerNameOf,
  type TunnelProbe,
  type VpnConnection,
  type WireGuardConnection,
} from './vpn.js';

/** Whose a network is. */
interface Owner {
  readonly peer: string;
  readonly connection: VpnConnection;
}

/** By network; several where each has a priority. */
type Owners = Map<string, Owner[]>;
export type At = (path: readonly PropertyKey[], message: string) => void;

const list = (cidrs: readonly Cidr[]): string => cidrs.map(({ text }) => text).join(', ');

export function checkVpn(model: GatewayModel, complaints: Complaints): void {
  const networks: Owners = new Map();
  const ports = new Map<number, WireGuardConnection>();
  for (const connection of model.vpnConnections) {
    const at: At = (path, message) => complaints.of(connection.origin.id, ['spec', ...path], message);
    checkLocal(connection, model, at);
    if (connection.type === 'IPsec') checkIpsec(connection, networks, model, complaints, at);
    else {
      checkPort(connection, ports, complaints, at);
      checkPortOfOthers(connection, model, complaints, at);
      checkPortOfIpsec(connection, model, complaints, at);
      checkPeers(connection, networks, model, complaints);
    }
  }
}

/** Of any site. */
export function checkLocal(
  { site: { local, remote, translate } }: { readonly site: SiteLink },
  { internal }: GatewayModel,
  at: At,
): void {
  local.forEach((network, i) => {
    if (!internal.prefixes.some((prefix) => containsCidr(prefix, network)))
      at(['localNetworks', i], `${network.text} is outside the VPC's prefixes (${list(internal.prefixes)})`);
    const twin = local.slice(0, i).find((other) => overlaps(other, network));
    if (twin) at(['localNetworks', i], `${network.text} overlaps ${twin.text}, which stands there already`);
  });
  translate.forEach(({ network, as }, i) => {
    if (!local.some(({ text }) => text === network.text))
      at(['translate', i, 'network'], `${network.text} is none of localNetworks (${list(local)})`);
    if (network.family !== as.family || network.length !== as.length)
      at(['translate', i, 'as'], `${as.text} must be of the same length as ${network.text}`);
    const twin = translate.slice(0, i).find((other) => overlaps(other.as, as) || overlaps(other.network, network));
    if (twin) at(['translate', i], `${network.text} as ${as.text} overlaps ${twin.network.text} as ${twin.as.text}`);
    const there = [...remote, ...internal.prefixes].find((other) => overlaps(other, as));
    if (there) at(['translate', i, 'as'], `${as.text} overlaps ${there.text}, which is in use; choose a free network`);
  });
}

/** A tunnel listens on all addresses of the gateway, and is reached by one. */
function checkPort(
  connection: WireGuardConnection,
  ports: Map<number, WireGuardConnection>,
  complaints: Complaints,
  at: At,
): void {
  const { listenPort } = connection.wireGuard;
  const path = ['wireGuard', 'listenPort'];
  const other = ports.get(listenPort);
  // Of one elastic IP it is a clash of claims.
  if (other && other.elasticIp !== connection.elasticIp)
    at(
      path,
      `${listenPort} is the port of ${complaints.where(other.origin.id)} already; a gateway has each once, whatever the elastic IP`,
    );
  ports.set(listenPort, other ?? connection);
}

/** What the gateway itself takes, on all addresses. */
function checkPortOfOthers(
  { wireGuard: { listenPort } }: WireGuardConnection,
  { highAvailability, dedicatedLines }: GatewayModel,
  complaints: Complaints,
  at: At,
): void {
  const taken = (by: string): void => at(['wireGuard', 'listenPort'], `${listenPort} is where ${by}`);
  if (listenPort === SYNC_PORT) taken('the members of a pair talk to each other');
  if (listenPort === ANSWER_PORT && highAvailability.vote)
    taken('the members of a Strict pair answer each other; choose another port');
  const line = dedicatedLines.find(({ bgp }) => bgp?.bfd);
  if (line && (listenPort === BFD_PORTS.direct || listenPort === BFD_PORTS.multihop))
    taken(`BFD of ${complaints.where(line.origin.id)} listens; choose another port`);
}

const IPSEC_PORTS: readonly number[] = [500, 4500];

function checkPortOfIpsec(
  { elasticIp, wireGuard: { listenPort } }: WireGuardConnection,
  model: GatewayModel,
  complaints: Complaints,
  at: At,
): void {
  // Of one elastic IP it is a clash of claims.
  const other = ipsecsOf(model).find((connection) => connection.elasticIp !== elasticIp);
  if (other && IPSEC_PORTS.includes(listenPort))
    at(
      ['wireGuard', 'listenPort'],
      `${listenPort} is where ${complaints.where(other.origin.id)} listens; a gateway has each once, whatever the elastic IP`,
    );
}

function checkPeers(
  connection: WireGuardConnection,
  networks: Owners,
  model: GatewayModel,
  complaints: Complaints,
): void {
  const { name, elasticIp, wireGuard } = connection;
  const seen = new Map<string, string>();
  const own = ownNetworks(model);
  for (const peer of wireGuard.peers) {
    const { place, probe, endpoint } = peer;
    const at: At = (path, message) => complaints.of(place.id, [...place.path, ...path], message);
    if (seen.has(`name ${peer.name}`))
      complaints.of(
        place.id,
        place.own ? ['metadata', 'name'] : [...place.path, 'name'],
        `a second peer ${peer.name}${place.own ? ` of ${name}` : ''}`,
      );
    const twin = seen.get(peer.publicKey);
    if (twin !== undefined) at(['publicKey'], `is the public key of peer ${twin} already`);
    seen.set(`name ${peer.name}`, '').set(peer.publicKey, peer.name);
    if (endpoint) checkFamily(endpoint.text, endpoint.address, elasticIp, ['endpoint'], at);
    checkProbe(probe, peer.networks, at);
    checkNetworks(peer.networks, { peer: peer.name, connection }, networks, own, complaints, at);
    if (peer.presharedKey === wireGuard.key)
      at(['presharedKeyRef', 'file'], `${wireGuard.key} is the private key of ${name} already`);
  }
}

function checkIpsec(
  connection: IpsecConnection,
  networks: Owners,
  model: GatewayModel,
  complaints: Complaints,
  at: At,
): void {
  const { name, elasticIp, site, ipsec } = connection;
  const inside: At = (path, message) => at(['ipsec', ...path], message);
  if (ipsec.peer) checkFamily(ipsec.peer.text, ipsec.peer, elasticIp, ['peer'], inside);
  checkProbe(ipsec.probe, site.remote, inside);
  checkNetworks(site.remote, { peer: name, connection }, networks, ownNetworks(model), complaints, inside);
  // Who calls is known by its address or its name: of two with the same, one would answer for the other.
  const all = ipsecsOf(model);
  const earlier = all.slice(0, all.indexOf(connection));
  const twin = earlier.find((other) => other.elasticIp === elasticIp && peerNameOf(other.ipsec) === peerNameOf(ipsec));
  const namesake = earlier.find(
    (other) => other.ipsec.peerId === ipsec.peerId && ownNameOf(other) === ownNameOf(connection),
  );
  if (!twin && namesake)
    inside(
      ['localId'],
      `both ends are called the same by ${complaints.where(namesake.origin.id)}, of which one tunnel would end the other; give the gateway another name in each`,
    );
  if (twin)
    inside(
      [ipsec.peer ? 'peer' : 'peerId'],
      `${peerNameOf(ipsec)} has a tunnel with elastic IP ${elasticIp.name} by ${complaints.where(twin.origin.id)} already`,
    );
}

function checkFamily(text: string, address: IpAddress, eip: ElasticIp, path: readonly PropertyKey[], at: At): void {
  if (address.family !== eip.address.family)
    at(path, `${text} is IPv${address.family}, and elastic IP ${eip.name} is IPv${eip.address.family}`);
}

function checkProbe(probe: TunnelProbe | undefined, networks: readonly Cidr[], at: At): void {
  if (probe && !networks.some((network) => contains(network, probe.address)))
    at(['probe', 'address'], `${probe.address.text} is in none of its networks (${list(networks)})`);
}

/** Certificates that are not named otherwise are known by their file. */
const ownNameOf = ({ ipsec: { localId, credentials } }: IpsecConnection): string =>
  localId ?? (credentials.kind === 'certificate' ? credentials.own : '');

/** What keeps two peers from having one network; `undefined`: nothing. */
function clashOf(owner: Owner, other: Owner, complaints: Complaints): string | undefined {
  const where = `peer ${other.peer} of ${complaints.where(other.connection.origin.id)} already`;
  if (other.connection === owner.connection) return where;
  const both = [owner.connection, other.connection];
  if (!both.every(isOneOfSeveral)) return `${where}; where either may carry it, give each connection a priority`;
  return sameTranslation(owner.connection.site, other.connection.site)
    ? undefined
    : `${where}, which has another translate; a connection keeps its addresses whichever tunnel carries it`;
}

function checkNetworks(
  given: readonly Cidr[],
  owner: Owner,
  owners: Owners,
  own: ReturnType<typeof ownNetworks>,
  complaints: Complaints,
  at: At,
): void {
  given.forEach((network, k) => {
    const others = owners.get(network.text) ?? [];
    const clash = others.map((other) => clashOf(owner, other, complaints)).find((wrong) => wrong !== undefined);
    if (clash !== undefined) at(['networks', k], `${network.text} is a network of ${clash}`);
    owners.set(network.text, [...others, owner]);
    const taken = own.find(({ cidr }) => overlaps(cidr, network));
    if (taken) at(['networks', k], `${network.text} ${relation(network, taken.cidr)} ${taken.what} ${taken.cidr.text}`);
  });
}

export const relation = (network: Cidr, own: Cidr): string =>
  containsCidr(network, own) && network.text !== own.text ? 'swallows' : 'overlaps';

export const ownNetworks = ({
  internal,
  externals,
}: GatewayModel): { readonly cidr: Cidr; readonly what: string }[] => [
  ...internal.prefixes.map((cidr) => ({ cidr, what: "the VPC's" })),
  ...externals.flatMap(({ name, addresses }) =>
    addresses.map(({ network }) => ({ cidr: network, what: `external network ${name}'s` })),
  ),
];
