/** What is worth knowing of a load balancer: who serves, and where this engine differs from what was asked. */
import { isByHash } from '../features/load-balancer.js';
import { addressesOf, type LoadBalancer, type Pool, servingOf, spanOf } from '../model/balancer.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { FAMILIES } from '../features/feature.js';

export function balancerNotes(name: string, { loadBalancers }: GatewayModel): string[] {
  const balancer = loadBalancers.find((candidate) => candidate.name === name);
  return balancer ? [...balancer.pools.map((pool) => poolNote(balancer, pool)), ...differences(balancer)] : [];
}

function poolNote(balancer: LoadBalancer, pool: Pool): string {
  const families = FAMILIES.filter((family) => addressesOf(balancer).some((address) => address.family === family));
  const serving = families.flatMap((family) => servingOf(pool, family));
  if (serving.length === 0) return `pool ${pool.name}: nobody serves, connections are refused`;
  const which = serving.some((member) => member.backup) ? ', of its backups' : '';
  return `pool ${pool.name}: ${serving.length} of ${pool.members.length} members serve${which}`;
}

function differences({ listeners }: LoadBalancer): string[] {
  return listeners.flatMap((listener): string[] => {
    const { protocol, ports, algorithm, affinityMs } = listener;
    const at = `${protocol} ${spanOf(ports)}`;
    if (affinityMs !== undefined)
      return [`${at}: by a hash of the client in 64 parts, so that its affinity has no end (iptables)`];
    if (isByHash(listener)) return [`${at}: ${algorithm} by a hash of the client in 64 parts (iptables)`];
    return algorithm === 'LeastConnections' ? [`${at}: LeastConnections by chance and weight (iptables)`] : [];
  });
}
