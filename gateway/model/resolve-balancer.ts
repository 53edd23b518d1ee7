/** Load balancers, with their elastic IP and the pools of their listeners found. */
import type { DocumentOf } from '../documents/document.js';
import { type HealthCheck, type Listener, type LoadBalancer, type Pool } from './balancer.js';
import type { Complaints } from './complaints.js';
import type { ElasticIp } from './gateway-model.js';
import { elasticIpNamed, named } from './named.js';
import { originOf } from './origin.js';

type Checked = NonNullable<DocumentOf<'LoadBalancer'>['spec']['pools'][number]['healthCheck']>;

function checkOf(check: Checked): HealthCheck {
  const { interval, timeout, method = 'GET', path = '/', expectedCodes = ['200-399'], ...rest } = check;
  const codes = expectedCodes.map((code) => {
    const [first = '', last = first] = code.split('-');
    return { first: Number(first), last: Number(last) };
  });
  const { type, port, healthyThreshold, unhealthyThreshold, host, body, serverName } = rest;
  return {
    ...{ type, port, intervalMs: interval, timeoutMs: timeout, healthyThreshold, unhealthyThreshold },
    ...{ method, path, host, codes, body, serverName },
  };
}

export function resolveBalancer(
  document: DocumentOf<'LoadBalancer'>,
  elasticIps: ReadonlyMap<string, ElasticIp>,
  complaints: Complaints,
): LoadBalancer {
  const { spec, metadata } = document;
  const pools = new Map<string, Pool>();
  spec.pools.forEach(({ name, members, drainTimeout, allDown, healthCheck }, i) => {
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
      check: healthCheck && checkOf(healthCheck),
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
