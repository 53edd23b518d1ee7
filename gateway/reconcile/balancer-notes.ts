/** What is worth knowing of a load balancer: who serves, and where this engine differs from what was asked. */
import { formatDuration } from '../api/scalars.js';
import { isByHash } from '../features/balancer-rules.js';
import {
  addressesOf,
  type Down,
  type Listener,
  type LoadBalancer,
  type Member,
  memberId,
  type Pool,
  servingOf,
  spanOf,
} from '../model/balancer.js';
import { longestIdleMs } from '../model/idle-timeout.js';
import { sharingEnds } from '../model/shared-ends.js';
import type { Balancing } from '../kernel/state.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { FAMILIES } from '../features/feature.js';

export const BY_RULES = 'load balancers work by rules of iptables, since the kernel has no IPVS';

export function balancerNotes(
  name: string,
  model: GatewayModel,
  { down, engine, untimed }: { readonly down: Down } & Pick<Balancing, 'engine' | 'untimed'>,
): string[] {
  const { loadBalancers } = model;
  const balancer = loadBalancers.find((candidate) => candidate.name === name);
  return balancer
    ? [
        ...balancer.pools.flatMap((pool) => poolNotes(balancer, pool, down)),
        ...balancer.listeners.flatMap((listener) => {
          const shared = engine === 'ipvs' && sharingEnds(loadBalancers).has(listener);
          const timed = idleNotes(listener, engine === 'ipvs' && !shared, model, untimed);
          if (engine === 'ipvs' && !shared) return timed;
          return [...timed, ...(shared ? [sharedNote(listener)] : []), ...difference(listener)];
        }),
        ...insideNotes(balancer, model),
      ]
    : [];
}

function poolNotes(balancer: LoadBalancer, pool: Pool, down: Down): string[] {
  const families = FAMILIES.filter((family) => addressesOf(balancer).some((address) => address.family === family));
  const serving = families.flatMap((family) => servingOf(pool, family, down));
  const isDown = (member: Member): boolean => down.has(memberId(pool, member));
  const reasons = pool.members.flatMap((member) => {
    const reason = down.get(memberId(pool, member));
    return reason === undefined ? [] : [`pool ${pool.name}: ${endOf(member)} is down: ${reason}`];
  });
  return [`pool ${pool.name}: ${sumUp(pool, serving, serving.some(isDown))}`, ...reasons];
}

function sumUp({ members }: Pool, serving: readonly Member[], openly: boolean): string {
  if (serving.length === 0) return 'nobody serves, connections are refused';
  if (openly) return 'all are down, and go on as if they were up';
  const which = serving.some((member) => member.backup) ? ', of its backups' : '';
  return `${serving.length} of ${members.length} members serve${which}`;
}

/** A member in the client's own subnet would answer it past the gateway. */
function insideNotes(balancer: LoadBalancer, { internal }: GatewayModel): string[] {
  const families = new Set(addressesOf(balancer).map(({ family }) => family));
  const own = internal.addresses.flatMap(({ address }) => (families.has(address.family) ? [address.text] : []));
  return own.length > 0 ? [`members see clients inside the VPC as ${own.join(' and ')}`] : [];
}

const endOf = ({ address, port }: Member): string => `${address.text}${port === undefined ? '' : ` port ${port}`}`;

const nameOf = ({ protocol, ports }: Listener): string => `${protocol} ${spanOf(ports)}`;

const sharedNote = (listener: Listener): string =>
  `${nameOf(listener)}: by rules of iptables, since another listener leads to a port of its members, too`;

/** IPVS remembers its flows for as long as the longest timeout of all: it has one for each protocol. */
function idleNotes(listener: Listener, byIpvs: boolean, model: GatewayModel, untimed: string | undefined): string[] {
  const { idleMs, protocol } = listener;
  if (idleMs === undefined) return [];
  if (untimed !== undefined)
    return [`${nameOf(listener)}: no idle timeout of its own, which this kernel lacks: ${untimed}`];
  const longest = longestIdleMs(protocol, model);
  return byIpvs && protocol === 'UDP' && idleMs < longest
    ? [
        `${nameOf(listener)}: a flow that was forgotten comes to its former member for ${formatDuration(longest)} (IPVS)`,
      ]
    : [];
}

function difference(listener: Listener): string[] {
  const { algorithm, affinityMs } = listener;
  const at = nameOf(listener);
  if (affinityMs !== undefined)
    return [`${at}: by a hash of the client in 64 parts, so that its affinity has no end (iptables)`];
  if (isByHash(listener)) return [`${at}: ${algorithm} by a hash of the client in 64 parts (iptables)`];
  return algorithm === 'LeastConnections' ? [`${at}: LeastConnections by chance and weight (iptables)`] : [];
}
