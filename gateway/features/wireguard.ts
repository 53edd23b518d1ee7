/**
 * Tunnels of WireGuard: the link, what it is told, and its way out. What it sends carries a mark, by which it leaves from
 * its elastic IP whatever else the gateway has.
 */
import type { Facts, WireGuardLink, WireGuardPeer } from '../kernel/state.js';
import type { Frame, GatewayModel } from '../model/gateway-model.js';
import { isPair } from '../model/high-availability.js';
import { markOfTunnel } from '../model/ownership.js';
import { type WireGuardConnection, type WireGuardPeer as VpnPeer, wireGuardsOf } from '../model/vpn.js';
import type { CompileContext, Contribution, Feature } from './feature.js';
import { linkOf, mtuOf, peerTrouble, troubleOf } from './sites.js';
import { endOf, waysOut } from './tunnel-ways.js';

export const wireGuard: Feature = {
  name: 'wireguard',
  compile(model: GatewayModel, context): Contribution {
    const connections = wireGuardsOf(model);
    const usable = connections.filter((connection) => !troubleOf(connection, context.facts));
    return {
      // Its port is the connection's, also while there is no tunnel.
      inbound: connections.map(endOf),
      tunnels: usable.map((connection) => tunnelOf(connection, model, context)),
      ...waysOut(usable, context),
    };
  },
};

/** So that a member of a pair that becomes active speaks first: who calls in needs a quarter of a minute to notice. */
const PAIR_KEEPALIVE_S = 25;

/** A standby has no peers: no session of an earlier time, and nothing to say. */
function tunnelOf(
  connection: WireGuardConnection,
  model: GatewayModel,
  context: CompileContext,
): NonNullable<Contribution['tunnels']>[number] {
  const { facts, pressure } = context;
  const pair = isPair(model);
  const { wireGuard: end, origin } = connection;
  const heard = !pair || pressure.active ? end.peers : [];
  const peers = heard.flatMap((peer) => toldOf(peer, connection, model, context));
  const link = linkOf(connection, facts);
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
  connection: WireGuardConnection,
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
