/**
 * Load balancers: which members take new connections, and which connections a change leaves to their members. Pure.
 * Guarantees:
 * 1. Every engine asks `servingOf`, so that all agree on who serves.
 * 2. A connection of a member that is in is never stale; one of a member that was taken out is, unless it drains.
 */
import { type Drain, drainKey } from './drain.js';
import type { Flow } from './flow.js';
import type { ElasticIp, GatewayModel, Origin, PortRange } from './gateway-model.js';
import { type Cidr, contains, type Family, type IpAddress, parseIp } from './ip.js';
import { remember } from './remember.js';

export type Algorithm = 'RoundRobin' | 'LeastConnections' | 'SourceHash' | 'Maglev';

export interface LoadBalancer {
  readonly name: string;
  readonly elasticIp: ElasticIp | undefined;
  /** Inside the VPC. */
  readonly address: IpAddress | undefined;
  readonly listeners: readonly Listener[];
  readonly pools: readonly Pool[];
  readonly origin: Origin;
}

export interface Listener {
  readonly protocol: 'TCP' | 'UDP';
  readonly ports: PortRange;
  readonly pool: Pool;
  readonly algorithm: Algorithm;
  readonly affinityMs: number | undefined;
  /** Of its own. */
  readonly idleMs: number | undefined;
  readonly maxConnections: number | undefined;
  readonly allowedSources: readonly Cidr[] | undefined;
}

export interface Pool {
  readonly name: string;
  /** Names it among those of all balancers. */
  readonly id: string;
  readonly members: readonly Member[];
  readonly drainMs: number;
  readonly failsOpen: boolean;
  readonly check: HealthCheck | undefined;
}

/** Defaults explicit; what is of HTTP has no meaning for others. */
export interface HealthCheck {
  readonly type: 'TCP' | 'HTTP' | 'HTTPS' | 'UDP' | 'Ping';
  readonly port: number | undefined;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
  readonly method: string;
  readonly path: string;
  readonly host: string | undefined;
  readonly codes: readonly PortRange[];
  readonly body: string | undefined;
  readonly serverName: string | undefined;
}

/** Names a member among those of all pools: the key of its health. */
export const memberId = (pool: Pool, { address, port }: Member): string => `${pool.id} ${address.text} ${port ?? ''}`;

/** Members that their checks found down, with the reason. */
export type Down = ReadonlyMap<string, string>;
export const NONE_DOWN: Down = new Map();

export interface Member {
  readonly address: IpAddress;
  readonly port: number | undefined;
  readonly weight: number;
  readonly backup: boolean;
  readonly maintenance: boolean;
}

export const spanOf = ({ first, last }: PortRange): string => (last > first ? `${first}-${last}` : `${first}`);

/** Where a balancer is reached. */
export const addressesOf = ({ elasticIp, address }: LoadBalancer): IpAddress[] => [
  ...(elasticIp ? [elasticIp.address] : []),
  ...(address ? [address] : []),
];

const isIn = ({ weight, maintenance }: Member): boolean => weight > 0 && !maintenance;

/** Who takes new connections: members that are up, else backups, else what the pool says for the case that all are down. */
export function servingOf(pool: Pool, family: Family, down: Down): readonly Member[] {
  const own = pool.members.filter((member) => member.address.family === family && isIn(member));
  const up = down.size === 0 ? own : own.filter((member) => !down.has(memberId(pool, member)));
  return firstOf(up) ?? (pool.failsOpen ? firstOf(own) : undefined) ?? [];
}

function firstOf(members: readonly Member[]): readonly Member[] | undefined {
  const main = members.filter((member) => !member.backup);
  return main.length > 0 ? main : members.length > 0 ? members : undefined;
}

/** Whose connections may go on: over TCP of all that are in, also of one that is down or a backup again. */
export const keepingOf = ({ protocol, pool }: Listener, family: Family, down: Down): readonly Member[] =>
  protocol === 'TCP'
    ? pool.members.filter((member) => member.address.family === family && isIn(member))
    : servingOf(pool, family, down);

export interface Placed {
  readonly balancer: LoadBalancer;
  readonly listener: Listener;
}

const placeKey = (address: string, protocol: string): string => `${address} ${protocol}`;

/** Listeners by address and protocol, as conntrack names it. */
const placesOf = remember((balancers: readonly LoadBalancer[]): ReadonlyMap<string, readonly Placed[]> => {
  const places = new Map<string, Placed[]>();
  for (const balancer of balancers)
    for (const address of addressesOf(balancer))
      for (const listener of balancer.listeners) {
        const key = placeKey(address.text, listener.protocol.toLowerCase());
        const known = places.get(key);
        if (known) known.push({ balancer, listener });
        else places.set(key, [{ balancer, listener }]);
      }
  return places;
});

export const listenerAt = (
  { loadBalancers }: Pick<GatewayModel, 'loadBalancers'>,
  address: string,
  protocol: string,
  port: number,
): Placed | undefined =>
  placesOf(loadBalancers)
    .get(placeKey(address, protocol))
    ?.find(({ listener: { ports } }) => port >= ports.first && port <= ports.last);

/** Why a connection to a listener may not go on; `undefined` where it may. */
export function staleAtListener({ listener }: Placed, flow: Flow, drains: boolean, down: Down): string | undefined {
  const { original, reply } = flow;
  const source = listener.allowedSources && parseIp(original.source);
  if (source && !listener.allowedSources?.some((cidr) => contains(cidr, source)))
    return `${original.source} is none of the listener's allowedSources`;
  const port = (member: Member): number => member.port ?? original.destinationPort;
  const target = `${reply.source} port ${reply.sourcePort}`;
  const serves = keepingOf(listener, flow.family, down).some(
    (member) => member.address.text === reply.source && port(member) === reply.sourcePort,
  );
  if (serves || (flow.protocol === 'tcp' && drains)) return undefined;
  return reply.source === original.destination
    ? `${original.destination} now leads to the members of ${listener.pool.name}`
    : `${target} no longer serves in pool ${listener.pool.name}`;
}

interface Bound {
  readonly binding: Omit<Drain, 'untilMs'>;
  readonly drainMs: number;
}

/** All that serves, as drains name it, with the time that the member's connections may have. */
export const bindingsOf = remember((balancers: readonly LoadBalancer[]): ReadonlyMap<string, Bound> => {
  const bindings = new Map<string, Bound>();
  for (const balancer of balancers)
    for (const { text, family } of addressesOf(balancer))
      for (const listener of balancer.listeners)
        for (const member of listener.protocol === 'TCP' ? keepingOf(listener, family, NONE_DOWN) : []) {
          const { ports, pool } = listener;
          const binding = { address: text, target: member.address.text, listener: { ports, memberPort: member.port } };
          bindings.set(drainKey(binding), { binding, drainMs: pool.drainMs });
        }
  return bindings;
});

/** Those of some that are not among others; an unchanged one is the very same object before and after an edit. */
export function notAmong(some: readonly LoadBalancer[], others: readonly LoadBalancer[]): readonly LoadBalancer[] {
  const known = new Set(others);
  return some.filter((balancer) => !known.has(balancer));
}

/** What listeners allow, as keys: one that goes may leave a connection stale, and so may a listener that comes. */
export function* listenerKeys(balancers: readonly LoadBalancer[]): Generator<string> {
  for (const balancer of balancers)
    for (const { text, family } of addressesOf(balancer))
      for (const listener of balancer.listeners) {
        const where = `${text} ${listener.protocol} ${spanOf(listener.ports)}`;
        yield `dnat ${where} listener`;
        for (const cidr of listener.allowedSources ?? [undefined])
          yield `allowed ${where} ${cidr?.text ?? 'everybody'}`;
        for (const member of keepingOf(listener, family, NONE_DOWN))
          yield `member ${where} ${member.address.text} ${member.port ?? ''}`;
      }
}
