/** Load balancers, with their elastic IP and the pools of their listeners found. */
import type { DocumentOf } from '../documents/document.js';
import { type Listener, type LoadBalancer, type Pool } from './balancer.js';
import type { Complaints } from './complaints.js';
import type { ElasticIp } from './gateway-model.js';
import { elasticIpNamed, named } from './named.js';
import { originOf } from './origin.js';

export function resolveBalancer(
  document: DocumentOf<'LoadBalancer'>,
  elasticIps: ReadonlyMap<string, ElasticIp>,
  complaints: Complaints,
): LoadBalancer {
  const { spec, metadata } = document;
  const pools = new Map<string, Pool>();
  spec.pools.forEach(({ name, members, drainTimeout, allDown }, i) => {
    if (pools.has(name)) complaints.at(document, ['spec', 'pools', i, 'name'], `a second pool ${name}`);
    pools.set(name, {
      name,
      id: `${metadata.name}/${name}`,
      members: members.map(({ address, port, weight, backup, maintenance }) => ({
        address,
        port,
        weight,
        backup,
        maintenance,
      })),
      drainMs: drainTimeout,
      failsOpen: allDown === 'FailOpen',
    });
  });
  const listeners = spec.listeners.flatMap((listener, i): Listener[] => {
    const pool = named('pool', listener.pool, pools, document, ['spec', 'listeners', i, 'pool'], complaints);
    if (!pool) return [];
    const { protocol, port, endPort, algorithm, affinity, maxConnections, allowedSources } = listener;
    return [
      {
        protocol,
        ports: { first: port, last: endPort ?? port },
        pool,
        algorithm,
        affinityMs: affinity?.timeout,
        maxConnections,
        allowedSources,
      },
    ];
  });
  const path = ['spec', 'elasticIP'];
  return {
    name: metadata.name,
    elasticIp:
      spec.elasticIP === undefined ? undefined : elasticIpNamed(spec.elasticIP, elasticIps, document, path, complaints),
    address: spec.address,
    listeners,
    pools: [...pools.values()],
    origin: originOf(document),
  };
}
