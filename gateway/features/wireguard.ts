/**
 * Tunnels of WireGuard: the link, what it is told, and its way out. What it sends carries a mark, by which it leaves from
 * its elastic IP whatever else the gateway has.
 */
import type { Facts, WireGuardLink, WireGuardPeer } from '../kernel/state.js';
import type { ExternalNetwork, Frame, GatewayModel } from '../model/gateway-model.js';
import { isPair } from '../model/high-availability.js';
import { hostCidr, isLinkLocal } from '../model/ip.js';
import { MARK, markOfTunnel, roleLink, ROUTE_PROTOCOL, RULE_PREF, tableOfTunnel } from '../model/ownership.js';
import type { VpnConnection, WireGuardPeer as VpnPeer } from '../model/vpn.js';
import { type CompileContext, type Contribution, type Feature, INBOUND_RANK, scope } from './feature.js';
import { linkOf, mtuOf, peerTrouble, troubleOf } from './sites.js';

/** A packet that is balanced by a range of ports has that in bits of a tunnel's number. */
const TUNNEL_BITS = MARK.tunnelMask | MARK.range;

export const wireGuard: Feature = {
  name: 'wireguard',
  compile(model: GatewayModel, context): Contribution {
    const { vpnConnections } = model;
    const usable = vpnConnections.filter((connection) => !troubleOf(connection, context.facts));
    return {
      // Its port is the connection's, also while there is no tunnel.
      inbound: vpnConnections.map(({ elasticIp, wireGuard: { listenPort }, origin }) => ({
        prefix: hostCidr(elasticIp.address),
        rank: INBOUND_RANK.localClaim,
        rules: [{ text: `-p udp -m udp --dport ${listenPort} -j ACCEPT`, origin }],
      })),
      tunnels: usable.map((connection) => tunnelOf(connection, model, context)),
      routes: usable.flatMap((connection) =>
        wayOut(connection, context.external(connection.elasticIp.external), context),
      ),
      rules: usable.map(({ elasticIp, site }) => {
        const number = context.siteNumber(site.origin.id);
        const mark = `0x${markOfTunnel(number).toString(16)}/0x${TUNNEL_BITS.toString(16)}`;
        return {
          family: elasticIp.address.family,
          text: `${RULE_PREF.tunnel + number}: from all fwmark ${mark} lookup ${tableOfTunnel(number)}`,
        };
      }),
    };
  },
};

/** So that a member of a pair that becomes active speaks first: who calls in needs a quarter of a minute to notice. */
const PAIR_KEEPALIVE_S = 25;

/** A standby has no peers: no session of an earlier time, and nothing to say. */
function tunnelOf(
  connection: VpnConnection,
  model: GatewayModel,
  context: CompileContext,
): NonNullable<Contribution['tunnels']>[number] {
  const { facts, pressure } = context;
  const pair = isPair(model);
  const { name, wireGuard: end, origin } = connection;
  const heard = !pair || pressure.active ? end.peers : [];
  const peers = heard.flatMap((peer) => toldOf(peer, connection, model, context));
  const link = linkOf(name, facts);
  const wireGuard: WireGuardLink = {
    key: keyIn(end.key, facts) ?? { fingerprint: '' },
    listenPort: end.listenPort,
    mark: markOfTunnel(context.siteNumber(connection.site.origin.id)),
    peers: new Map(peers),
    origin,
  };
  const kind = facts.tunnels?.engine ?? 'wireguard';
  return { link: { name: link, kind, parent: '', up: true, mtu: mtuOf(connection, context) }, wireGuard };
}

const keyIn = (file: string, { keys }: Facts) => {
  const fact = keys?.get(file);
  return fact && 'key' in fact ? fact.key : undefined;
};

/** By its public key. */
export function toldOf(
  peer: VpnPeer,
  connection: VpnConnection,
  frame: Pick<Frame, 'highAvailability'>,
  { facts }: CompileContext,
): [string, WireGuardPeer][] {
  if (peer.place.own && peerTrouble(peer, connection, facts)) return [];
  const { publicKey, presharedKey, endpoint, networks, keepaliveMs } = peer;
  const told: WireGuardPeer = {
    presharedKey: presharedKey === undefined ? undefined : keyIn(presharedKey, facts),
    endpoint: endpoint?.text,
    networks: networks.map(({ text }) => text).sort(),
    keepaliveS: keepaliveMs / 1000 || (isPair(frame) ? PAIR_KEEPALIVE_S : 0),
  };
  return [[publicKey, told]];
}

function wayOut(
  { elasticIp, site, origin }: VpnConnection,
  external: ExternalNetwork,
  { siteNumber }: CompileContext,
): NonNullable<Contribution['routes']>[number][] {
  const { address } = elasticIp;
  const { family } = address;
  const dev = roleLink(external.interface);
  const tail = `table ${tableOfTunnel(siteNumber(site.origin.id))} proto ${ROUTE_PROTOCOL}`;
  const networks = external.addresses.filter((own) => own.address.family === family);
  const hops = external.gateways.filter((hop) => hop.family === family);
  return [
    ...networks.map(({ network }) => `${network.text} dev ${dev} ${tail}${scope(family, 'link')} src ${address.text}`),
    ...hops.map((hop) => {
      const onlink = isLinkLocal(hop) && family === 4 ? ' onlink' : '';
      return `default via ${hop.text} dev ${dev} ${tail} src ${address.text}${onlink}`;
    }),
  ].map((text) => ({ family, text, origin }));
}
