/** Who of each listener's members takes connections, who does not and why, and how many each has. Pure. */
import type { Tally } from '../health/tally.js';
import {
  addressesOf,
  type Listener,
  listenerAt,
  type LoadBalancer,
  type Member,
  memberId,
  servingOf,
  spanOf,
} from '../model/balancer.js';
import type { Flow } from '../model/flow.js';
import type { GatewayModel } from '../model/gateway-model.js';
import type { Pressure } from '../model/pressure.js';

export type MemberState = 'Up' | 'Down' | 'Reserve' | 'Out' | 'Draining';

export interface BalancerRow {
  readonly balancer: string;
  /** `TCP 80` */
  readonly listener: string;
  readonly pool: string;
  readonly member: string;
  readonly state: MemberState;
  /** It takes new connections: also one that is down, where all are and the pool fails open. */
  readonly serves: boolean;
  /** Of a member that is down. */
  readonly reason: string;
  readonly weight: number;
  readonly connections: number;
  /** Since when its checks say so; empty for one that is not checked. */
  readonly since: string;
}

export function balancerRows(
  model: GatewayModel,
  { down, draining }: Pressure,
  tallies: ReadonlyMap<string, Tally>,
  flows: readonly Flow[],
): BalancerRow[] {
  const counts = countsOf(model, flows);
  return model.loadBalancers.flatMap((balancer) =>
    balancer.listeners.flatMap((listener) => {
      const { pool, protocol, ports } = listener;
      const families = new Set(addressesOf(balancer).map(({ family }) => family));
      const serving = new Set([...families].flatMap((family) => servingOf(pool, family, down)));
      const drains = new Set(
        draining.flatMap(({ listener: of, target }) => (of?.ports.first === ports.first ? [target] : [])),
      );
      return pool.members
        .filter(({ address }) => families.has(address.family))
        .map((member): BalancerRow => {
          const id = memberId(pool, member);
          const reason = down.get(id);
          const tally = tallies.get(id);
          return {
            balancer: balancer.name,
            listener: `${protocol} ${spanOf(ports)}`,
            pool: pool.name,
            member: `${member.address.text}${member.port === undefined ? '' : ` port ${member.port}`}`,
            state: stateOf(member, reason, serving, drains),
            serves: serving.has(member),
            reason: reason === undefined ? '' : `${reason}${serving.has(member) ? FAILS_OPEN : ''}`,
            weight: member.weight,
            connections: counts.get(countKey(balancer, listener, member.address.text, member.port)) ?? 0,
            since: tally ? new Date(tally.sinceMs).toISOString() : '',
          };
        });
    }),
  );
}

const FAILS_OPEN = '; takes connections all the same, as allDown is FailOpen';

function stateOf(
  member: Member,
  reason: string | undefined,
  serving: ReadonlySet<Member>,
  drains: ReadonlySet<string>,
): MemberState {
  if (member.maintenance || member.weight === 0) return drains.has(member.address.text) ? 'Draining' : 'Out';
  if (reason !== undefined) return 'Down';
  return serving.has(member) ? 'Up' : 'Reserve';
}

const countKey = ({ name }: LoadBalancer, { protocol, ports }: Listener, address: string, port: number | undefined) =>
  `${name} ${protocol} ${spanOf(ports)} ${address} ${port ?? ''}`;

function countsOf(model: GatewayModel, flows: readonly Flow[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { protocol, original, reply, ended } of flows) {
    const placed = ended ? undefined : listenerAt(model, original.destination, protocol, original.destinationPort);
    if (!placed) continue;
    for (const port of [reply.sourcePort, ...(reply.sourcePort === original.destinationPort ? [undefined] : [])]) {
      const key = countKey(placed.balancer, placed.listener, reply.source, port);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return counts;
}
