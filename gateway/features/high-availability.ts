/**
 * A pair: the fence around the role links, a way in for the peer, and where it is asked for links to it that encrypt. All
 * else is the same on both members, always.
 */
import { fenceTables } from '../kernel/fence/render.js';
import type { WireGuardPeer } from '../kernel/state.js';
import { isPair, type MemberPath, roleMac, sidesWithMac } from '../model/high-availability.js';
import { BALANCED_GROUP, lineParent, roleLink, ROUTE_PROTOCOL } from '../model/ownership.js';
import type { CompileContext, Contribution, Feature } from './feature.js';
import { placedLines } from './line.js';
import { PAIR_SYSCTLS } from './network-sysctls.js';

export const highAvailability: Feature = {
  name: 'high availability',
  compile(model, context) {
    const { member } = context.facts;
    if (!isPair(model)) return {};
    const sides = sidesWithMac(model).map(({ parent, macMode }) => ({
      name: roleLink(parent),
      parent,
      mac: member && roleMac(model, parent, macMode, member),
    }));
    const lines = placedLines(model, context).map(({ line: { port, vlan }, link: { name } }) => ({
      name,
      parent: port,
      mac: member && roleMac(model, lineParent(port, vlan), 'Own', member),
    }));
    const links = [...sides, ...lines];
    const { highAvailability } = model;
    return {
      sysctls: PAIR_SYSCTLS,
      fence: fenceTables({ links, highAvailability, member }),
      ...memberTunnels(member?.paths ?? [], context),
      macs: links.flatMap(({ name, mac }) => (mac === undefined ? [] : [[name, mac] as const])),
    };
  },
};

/** A call at once, so that who comes back is heard before it could take the other for dead. */
const KEEPALIVE_S = 25;
/** Of WireGuard and UDP, below the header of the way. */
const OVERHEAD = 40;
const HEADER = { 4: 20, 6: 40 } as const;
const DEFAULT_MTU = 1500;

/** The peer is told always, since no role decides who may be heard. */
function memberTunnels(
  paths: readonly MemberPath[],
  { facts }: CompileContext,
): Pick<Contribution, 'tunnels' | 'memberAddresses' | 'routes'> {
  const carried = paths.flatMap(({ under, ...path }) => (under ? [{ ...path, ...under }] : []));
  return {
    tunnels: carried.map(({ interface: name, peer, way, engine, port, keys }) => {
      const mtu = (facts.mtu.get(way.interface) ?? DEFAULT_MTU) - HEADER[way.peer.family] - OVERHEAD;
      const host = way.peer.family === 4 ? way.peer.text : `[${way.peer.text}]`;
      const told: WireGuardPeer = {
        presharedKey: keys.preshared,
        endpoint: `${host}:${port}`,
        networks: [`${peer.text}/32`, `${BALANCED_GROUP[4]}/32`].sort(),
        keepaliveS: KEEPALIVE_S,
      };
      const wireGuard = { key: keys.own, listenPort: port, mark: 0, peers: new Map([[keys.peer, told]]) };
      return { link: { name, kind: engine, parent: '', up: true, mtu }, wireGuard };
    }),
    memberAddresses: carried.map(({ interface: link, address }) => ({ link, text: `${address.text}/30` })),
    routes: carried.map(({ interface: link, address, network }) => ({
      family: 4,
      text: `${network} dev ${link} table main proto ${ROUTE_PROTOCOL} scope link src ${address.text}`,
    })),
  };
}
