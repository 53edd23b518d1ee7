/** What is worth knowing of a load balancer: who serves, and where this engine differs from what was asked. */
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
import { sharingEnds } from '../model/shared-ends.js';
import type { Balancing } from '../kernel/state.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { FAMILIES } from '../features/feature.js';

export const BY_RULES = 'load balancers work by rules of iptables, since the kernel has no IPVS';

export function balancerNotes(
  name: string,
  { loadBalancers }: GatewayModel,
  { down, engine }: { readonly down: Down; readonly engine: Balancing['engine'] },
): string[] {
  const balancer = loadBalancers.find((candidate) => candidate.name === name);
  return balancer
    ? [
        ...balancer.pools.flatMap((pool) => poolNotes(balancer, pool, down)),
        ...balancer.listeners.flatMap((listener) => {
          const shared = engine === 'ipvs' && sharingEnds(loadBalancers).has(listener);
          if (engine === 'ipvs' && !shared) return [];
          return [...(shared ? [sharedNote(listener)] : []), ...difference(listener)];
        }),
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

const endOf = ({ address, port }: Member): string => `${address.text}${port === undefined ? '' : ` port ${port}`}`;

const nameOf = ({ protocol, ports }: Listener): string => `${protocol} ${spanOf(ports)}`;

const sharedNote = (listener: Listener): string =>
  `${nameOf(listener)}: by rules of iptables, since another listener leads to a port of its members, too`;

function difference(listener: Listener): string[] {
  const { algorithm, affinityMs } = listener;
  const at = nameOf(listener);
  if (affinityMs !== undefined)
    return [`${at}: by a hash of the client in 64 parts, so that its affinity has no end (iptables)`];
  if (isByHash(listener)) return [`${at}: ${algorithm} by a hash of the client in 64 parts (iptables)`];
  return algorithm === 'LeastConnections' ? [`${at}: LeastConnections by chance and weight (iptables)`] : [];
}
