/** Load balancers, with their elastic IP and the pools of their listeners found. */
import type { DocumentOf } from '../documents/document.js';
import { type HealthCheck, type Listener, type LoadBalancer, type Pool } from './balancer.js';
import type { Complaints } from './complaints.js';
import type { ElasticIp } from './gateway-model.js';
import { elasticIpNamed, named } from './named.js';
import { originOf } from './origin.js';
import { remember, rememberWithin } from './remember.js';

type BalancerDocument = DocumentOf<'LoadBalancer'>;
type Checked = NonNullable<BalancerDocument['spec']['pools'][number]['healthCheck']>;

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
  document: BalancerDocument,
  elasticIps: ReadonlyMap<string, ElasticIp>,
  complaints: Complaints,
): LoadBalancer {
  const { pools, listeners, elasticIP: name } = document.spec;
  const names = pools.map((pool) => pool.name);
  names.forEach((pool, i) => {
    if (names.indexOf(pool) < i) complaints.at(document, ['spec', 'pools', i, 'name'], `a second pool ${pool}`);
  });
  const known = poolsOf(document);
  listeners.forEach(({ pool }, i) =>
    named('pool', pool, known, document, ['spec', 'listeners', i, 'pool'], complaints),
  );
  const path = ['spec', 'elasticIP'];
  return balancerOf(
    document,
    name === undefined ? undefined : elasticIpNamed(name, elasticIps, document, path, complaints),
  );
}

const poolsOf = remember(
  ({ spec, metadata }: BalancerDocument): ReadonlyMap<string, Pool> =>
    new Map(
      spec.pools.map(({ name, members, drainTimeout, allDown, healthCheck }): [string, Pool] => [
        name,
        {
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
        },
      ]),
    ),
);

/** The same object for as long as document and elastic IP are: what was made of it is still right. */
const balancerOf = rememberWithin((document: BalancerDocument, elasticIp: ElasticIp | undefined): LoadBalancer => {
  const { metadata, spec } = document;
  const pools = poolsOf(document);
  return {
    name: metadata.name,
    elasticIp,
    address: spec.address,
    listeners: spec.listeners.flatMap((listener): Listener[] => {
      const pool = pools.get(listener.pool);
      const { protocol, port, endPort, algorithm, affinity, idleTimeout, ...limits } = listener;
      const ports = { first: port, last: endPort ?? port };
      const { maxConnections, allowedSources } = limits;
      const times = { affinityMs: affinity?.timeout, idleMs: idleTimeout };
      const rest = { algorithm, ...times, maxConnections, allowedSources };
      return pool ? [{ protocol, ports, pool, ...rest }] : [];
    }),
    pools: [...pools.values()],
    origin: originOf(document),
  };
});
