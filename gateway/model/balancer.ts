/**
 * Load balancers: which members take new connections, and which connections a change leaves to their members. Pure.
 * Guarantees:
 * 1. Every engine asks `servingOf`, so that all agree on who serves.
 * 2. A connection of a member that still serves is never stale; one of a member that was taken out is, unless it drains.
 */
import type { Drain, Flow } from './flow.js';
import type { ElasticIp, GatewayModel, Origin, PortRange } from './gateway-model.js';
import type { Cidr, Family, IpAddress } from './ip.js';
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
}

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

/** Who takes new connections: members, else backups, else what the pool says for the case that nobody is there. */
export function servingOf({ members, failsOpen }: Pool, family: Family): readonly Member[] {
  const own = members.filter((member) => member.address.family === family && isIn(member));
  const main = own.filter((member) => !member.backup);
  if (main.length > 0) return main;
  return own.length > 0 || !failsOpen ? own : [];
}

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
export function staleAtListener({ listener }: Placed, flow: Flow, drains: ReadonlySet<string>): string | undefined {
  const { original, reply } = flow;
  const port = (member: Member): number => member.port ?? original.destinationPort;
  const target = `${reply.source} port ${reply.sourcePort}`;
  const serves = servingOf(listener.pool, flow.family).some(
    (member) => member.address.text === reply.source && port(member) === reply.sourcePort,
  );
  if (serves || (flow.protocol === 'tcp' && drains.has(`${original.destination} ${reply.source}`))) return undefined;
  return reply.source === original.destination
    ? `${original.destination} now leads to the members of ${listener.pool.name}`
    : `${target} no longer serves in pool ${listener.pool.name}`;
}

interface Bound {
  readonly binding: Omit<Drain, 'untilMs'>;
  readonly drainMs: number;
}

/** Address and member of all that serves, as drains name them, with the time that the member's connections may have. */
export const bindingsOf = remember((balancers: readonly LoadBalancer[]): ReadonlyMap<string, Bound> => {
  const bindings = new Map<string, Bound>();
  for (const balancer of balancers)
    for (const { text, family } of addressesOf(balancer))
      for (const { pool, protocol } of balancer.listeners)
        for (const member of protocol === 'TCP' ? servingOf(pool, family) : [])
          bindings.set(`${text} ${member.address.text}`, {
            binding: { address: text, target: member.address.text },
            drainMs: pool.drainMs,
          });
  return bindings;
});

/** What listeners allow, as keys: one that goes may leave a connection stale, and so may a listener that comes. */
export function listenerKeys(balancers: readonly LoadBalancer[]): string[] {
  return balancers.flatMap((balancer) =>
    addressesOf(balancer).flatMap(({ text, family }) =>
      balancer.listeners.flatMap(({ protocol, ports, pool }) => {
        const where = `${text} ${protocol} ${spanOf(ports)}`;
        return [
          `dnat ${where} listener`,
          ...servingOf(pool, family).map((member) => `member ${where} ${member.address.text} ${member.port ?? ''}`),
        ];
      }),
    ),
  );
}
