/** The kernel after an edit of the peers of tunnels alone: their routes, their networks in sets, and what WireGuard is told. */
import { type CompileContext } from '../features/feature.js';
import { siteRoutes } from '../features/site-routes.js';
import { type PlacedSite, placedTunnel } from '../features/sites.js';
import { toldOf } from '../features/wireguard.js';
import { PatchedMap } from '../kernel/patched-map.js';
import type { IpSet, KernelState, Line } from '../kernel/state.js';
import type { GatewayModel } from '../model/gateway-model.js';
import type { Cidr } from '../model/ip.js';
import { siteSet } from '../model/ownership.js';
import {
  isOneOfSeveral,
  type VpnConnection,
  type WireGuardConnection,
  type WireGuardPeer,
  wireGuardsOf,
} from '../model/vpn.js';
import { type Compiled, type CompileInput, contextOf, elementOf, halves, routeEntry } from './compile.js';

/** Of one connection. */
interface Edit {
  readonly connection: WireGuardConnection;
  readonly placed: PlacedSite;
  readonly gone: readonly WireGuardPeer[];
  readonly come: readonly WireGuardPeer[];
}

/** `undefined` when more has changed. */
export function recompilePeers(input: CompileInput, before: Compiled): Compiled | undefined {
  const { model } = input;
  const known = before.input.model;
  if (!sameButPeers(model, known)) return undefined;
  const context = contextOf(input);
  const edits: Edit[] = [];
  const formerly = wireGuardsOf(known);
  for (const [i, connection] of wireGuardsOf(model).entries()) {
    const former = formerly[i];
    if (!former || former === connection) continue;
    // Its ways are made together with those of others.
    if (isOneOfSeveral(connection)) return undefined;
    const [was, is] = [new Set(former.wireGuard.peers), new Set(connection.wireGuard.peers)];
    const placed = placedTunnel(connection, context);
    // A peer of the connection's own document can keep it from having a link, or from having none.
    if ((placedTunnel(former, context).link === undefined) !== (placed.link === undefined)) return undefined;
    const gone = former.wireGuard.peers.filter((peer) => !is.has(peer));
    const come = connection.wireGuard.peers.filter((peer) => !was.has(peer));
    edits.push({ connection, placed, gone, come });
  }
  let { state } = before;
  // What one gives up another may take.
  for (const edit of edits) state = edited(state, { ...edit, come: [] }, model, context);
  for (const edit of edits) state = edited(state, { ...edit, gone: [] }, model, context);
  return { ...before, input, state };
}

function sameButPeers(model: GatewayModel, known: GatewayModel): boolean {
  const names = Object.keys(model.frame) as (keyof GatewayModel['frame'])[];
  return (
    model.elasticIps === known.elasticIps &&
    names.every((name) => name === 'vpnConnections' || model.frame[name] === known.frame[name]) &&
    model.vpnConnections.length === known.vpnConnections.length &&
    model.vpnConnections.every((connection, i) => isSame(connection, known.vpnConnections[i]))
  );
}

function isSame(connection: VpnConnection, known: VpnConnection | undefined): boolean {
  if (connection === known) return true;
  if (connection.type === 'IPsec' || known?.type !== 'WireGuard') return false;
  const { elasticIp, mtu, origin, site, wireGuard } = connection;
  return (
    elasticIp === known.elasticIp &&
    mtu === known.mtu &&
    site.metric === known.site.metric &&
    origin === known.origin &&
    // Of one document: nobody makes a second one of it.
    site.policy === known.site.policy &&
    site.local === known.site.local &&
    site.translate === known.site.translate &&
    wireGuard.listenPort === known.wireGuard.listenPort &&
    wireGuard.key === known.wireGuard.key
  );
}

function edited(state: KernelState, edit: Edit, model: GatewayModel, context: CompileContext): KernelState {
  const { connection, placed, gone, come } = edit;
  const networks = (peers: readonly WireGuardPeer[]): Cidr[] => peers.flatMap((peer) => peer.networks);
  const routesOf = (peers: readonly WireGuardPeer[]) => {
    const site = { ...placed.site, remote: networks(peers) };
    return siteRoutes([{ ...placed, site }], model.internal, context.pressure.doubtful).map(routeEntry);
  };
  const routes = PatchedMap.of(
    state.routes,
    routesOf(gone).map(([key]) => key),
    routesOf(come),
  );
  const name = placed.link?.name;
  const link = name === undefined ? undefined : state.wireguard.get(name);
  if (name === undefined || !link) return { ...state, routes };
  const peers = PatchedMap.of(
    link.peers,
    gone.map(({ publicKey }) => publicKey),
    come.flatMap((peer) => toldOf(peer, connection, model, context)),
  );
  const elements = (of: readonly WireGuardPeer[], family: number): [string, Line][] =>
    networks(of)
      .filter((network) => network.family === family)
      .flatMap(halves)
      .map((network) => [elementOf(network), { text: '' }]);
  const sets = new Map(state.sets);
  for (const family of [4, 6]) {
    const key = `${siteSet('remote', placed.number)}${family}`;
    const set = sets.get(key) as IpSet;
    const left = elements(gone, family).map(([element]) => element);
    sets.set(key, { ...set, elements: PatchedMap.of(set.elements, left, elements(come, family)) });
  }
  return { ...state, routes, sets, wireguard: new Map(state.wireguard).set(name, { ...link, peers }) };
}
