/**
 * Load balancing by the kernel's own balancer, in its masquerading mode with connection tracking, so that the firewall,
 * limits and counters see its connections. A port is a service by its address; a range is one by the mark of its packets.
 */
import {
  type IpvsEntry,
  memberKey,
  memberText,
  type Scheduler,
  serviceAt,
  serviceOfMark,
  serviceText,
  SYNCS,
  syncText,
  TIMEOUTS,
} from '../kernel/ipvs/entry.js';
import type { Line } from '../kernel/state.js';
import {
  addressesOf,
  type Algorithm,
  keepingOf,
  type Listener,
  type LoadBalancer,
  servingOf,
  spanOf,
} from '../model/balancer.js';
import type { GatewayModel, PortRange } from '../model/gateway-model.js';
import { fnv1a64 } from '../model/hash.js';
import { longestIdleMs } from '../model/idle-timeout.js';
import { isPair } from '../model/high-availability.js';
import { type Cidr, type Family, hostCidr, type IpAddress, parseIp } from '../model/ip.js';
import {
  BALANCED_GROUP,
  BALANCED_MSS_CHAIN,
  MARK,
  markBit,
  markOfRange,
  MAX_RANGES,
  RANGE_CHAIN,
  roleLink,
  RULE_PREF,
  TABLE_VPC,
} from '../model/ownership.js';
import { type CompileContext, type Contribution, FAMILIES, type NatEntry } from './feature.js';
import { sharingEnds } from '../model/shared-ends.js';
import { type Engine, matchOf, type Part, type Place } from './balancer-engine.js';
import { RULES } from './balancer-rules.js';
import { IPVS_SYSCTLS } from './network-sysctls.js';

const SCHEDULER: Readonly<Record<Algorithm, Scheduler>> = {
  RoundRobin: 'wrr',
  LeastConnections: 'wlc',
  SourceHash: 'sh',
  Maglev: 'mh',
};
const BALANCED = markBit(MARK.balanced);
const DEFAULT_FIN_WAIT_MS = 120_000;
const DEFAULT_MTU = 1500;

/** `ipvsadm` takes no longer time. */
const MOST_SECONDS = 31 * 86_400;
const seconds = (ms: number): number => Math.min(MOST_SECONDS, Math.max(1, Math.round(ms / 1000)));

export class Ipvs implements Engine {
  readonly #marks: ReadonlyMap<string, number>;

  constructor(
    private readonly model: GatewayModel,
    private readonly context: CompileContext,
  ) {
    this.#marks = marksOf(model, context);
  }

  termsOf(balancer: LoadBalancer): string {
    const marks = addressesOf(balancer).flatMap((address) =>
      balancer.listeners.flatMap(({ protocol, ports }) =>
        isRange(ports) ? [this.#markOf(protocol, address, ports)] : [],
      ),
    );
    const shared = balancer.listeners.map((listener) => (this.#byRules({ listener }) ? 'rules' : '')).join();
    return `ipvs ${shared} ${marks.join()}`;
  }

  #byRules({ listener }: Pick<Place, 'listener'>): boolean {
    return sharingEnds(this.model.loadBalancers).has(listener);
  }

  admits(place: Place): readonly string[] {
    return this.#byRules(place) ? [] : [`-j MARK --set-xmark ${BALANCED}`];
  }

  verdict(place: Place, chain: string): Line {
    return this.#byRules(place) ? RULES.verdict(place, chain) : { text: '-j ACCEPT', origin: place.balancer.origin };
  }

  /** One that goes by rules has a service as well, so that the connections that it had before do not end. */
  lead(place: Place, addresses: readonly IpAddress[], chain: string, context: CompileContext): Part {
    const byRules = this.#byRules(place);
    const rules = byRules ? RULES.lead(place, addresses, chain, context) : {};
    return { ...rules, ipvs: this.#entries(place, addresses, !byRules) };
  }

  #entries(
    { balancer: { origin }, listener, family }: Place,
    addresses: readonly IpAddress[],
    takesNew: boolean,
  ): IpvsEntry[] {
    const { down } = this.context.pressure;
    const { protocol, ports, pool, algorithm, affinityMs } = listener;
    const text = serviceText(SCHEDULER[algorithm], affinityMs === undefined ? undefined : seconds(affinityMs));
    const serving = new Set(servingOf(pool, family, down));
    const members = new Set([...keepingOf(listener, family, down), ...serving]);
    return addresses.flatMap((address): IpvsEntry[] => {
      const service = this.#service(protocol, address, ports);
      const entry = (key: string, line: string): IpvsEntry => [key, { text: line, origin }];
      return [
        entry(service, text),
        ...[...members].map((member) =>
          entry(
            memberKey(service, member.address, portOf(ports, member.port)),
            memberText(takesNew && serving.has(member) ? member.weight : 0),
          ),
        ),
      ];
    });
  }

  /**
   * Beside the entries of the listeners: members that drain, whose listener may be gone, and how long connections are
   * remembered.
   */
  rest(entries: readonly IpvsEntry[]): IpvsEntry[] {
    const { draining: all } = this.context.pressure;
    const services = new Set(all.length > 0 ? entries.map(([key]) => key) : []);
    const draining = all.flatMap(({ address, target, listener }): IpvsEntry[] => {
      const [at, member] = [parseIp(address), parseIp(target)];
      if (!listener || !at || !member) return [];
      const service = this.#service('TCP', at, listener.ports);
      const own: IpvsEntry[] = services.has(service) ? [] : [[service, { text: serviceText('wrr') }]];
      services.add(service);
      const key = memberKey(service, member, portOf(listener.ports, listener.memberPort));
      // Who serves, under whichever spelling of its port, has its own weight.
      return services.has(key) ? own : [...own, [key, { text: memberText(0) }]];
    });
    return [...draining, [TIMEOUTS, timeoutsOf(this.model)], ...this.#syncs()];
  }

  /** Both members tell and hear all the time, so that a takeover changes nothing here. */
  #syncs(): IpvsEntry[] {
    const { highAvailability } = this.model;
    const [path] = this.context.facts.member?.paths ?? [];
    if (!isPair(this.model) || !path) return [];
    const text = syncText(path.interface, BALANCED_GROUP[path.address.family], highAvailability.virtualRouterId);
    return SYNCS.map((key): IpvsEntry => [key, { text }]);
  }

  /** Each packet of a range is marked on its way in, after all rules that ask for other marks. */
  ranges(family: Family): NatEntry[] {
    return rangesOf(this.model, family).map(({ address, listener, origin }) => ({
      prefix: hostCidr(address),
      rank: 0,
      rules: [
        {
          text: `${matchOf(listener)}-j MARK --set-xmark 0x${this.#markOf(listener.protocol, address, listener.ports).toString(16)}/0xffffffff`,
          origin,
        },
      ],
    }));
  }

  #service(protocol: Listener['protocol'], address: IpAddress, ports: PortRange): string {
    return isRange(ports)
      ? serviceOfMark(this.#markOf(protocol, address, ports), address)
      : serviceAt(protocol, address, ports);
  }

  #markOf(protocol: Listener['protocol'], address: IpAddress, ports: PortRange): number {
    return this.#marks.get(rangeKey(protocol, address.text, ports)) ?? 0;
  }
}

const isRange = ({ first, last }: PortRange): boolean => last > first;

/** 0 leaves the port as it is. */
const portOf = (ports: PortRange, own: number | undefined): number => own ?? (isRange(ports) ? 0 : ports.first);

const rangeKey = (protocol: Listener['protocol'], address: string, ports: PortRange): string =>
  `${address} ${protocol} ${spanOf(ports)}`;

const rangesOf = ({ loadBalancers }: GatewayModel, family?: Family) =>
  loadBalancers.flatMap((balancer) =>
    addressesOf(balancer)
      .filter((address) => family === undefined || address.family === family)
      .flatMap((address) =>
        balancer.listeners
          .filter(({ ports }) => isRange(ports))
          .map((listener) => ({ address, listener, origin: balancer.origin })),
      ),
  );

/** From what each range is, so that both of a pair and a restart find the same; the next free one where two collide. */
function marksOf(model: GatewayModel, { pressure }: CompileContext): ReadonlyMap<string, number> {
  const keys = new Set([
    ...rangesOf(model).map(({ address, listener }) => rangeKey(listener.protocol, address.text, listener.ports)),
    ...pressure.draining.flatMap(({ address, listener }) =>
      listener && isRange(listener.ports) ? [rangeKey('TCP', address, listener.ports)] : [],
    ),
  ]);
  const taken = new Set<number>();
  return new Map(
    [...keys].sort().map((key) => {
      let number = Number(BigInt(`0x${fnv1a64(key)}`) % BigInt(MAX_RANGES));
      while (taken.has(number) && taken.size < MAX_RANGES) number = (number + 1) % MAX_RANGES;
      taken.add(number);
      return [key, markOfRange(number)];
    }),
  );
}

/**
 * Not forgotten before connection tracking does, whichever the listener, if `ipvsadm` takes so long a time: with a
 * connection of IPVS the tracked one ends.
 */
function timeoutsOf(model: GatewayModel): Line {
  const { tcpFinWait = DEFAULT_FIN_WAIT_MS } = model.timeouts;
  return { text: [longestIdleMs('TCP', model), tcpFinWait, longestIdleMs('UDP', model)].map(seconds).join(' ') };
}

/** What else the kernel needs, for IPVS to fit in. */
export function aroundIpvs(
  model: GatewayModel,
  context: CompileContext,
  engine: Ipvs,
  entries: readonly IpvsEntry[],
): Contribution {
  const ranges = FAMILIES.flatMap((family) => engine.ranges(family));
  return {
    ipvs: engine.rest(entries),
    sysctls: IPVS_SYSCTLS,
    rules: FAMILIES.flatMap((family) => routingRules(family, model.internal.prefixes)),
    ranges,
    chains: FAMILIES.map((family) => mssChain(family, model, context)),
    hooks: FAMILIES.flatMap((family) => [
      {
        family,
        table: 'mangle' as const,
        chain: 'POSTROUTING',
        line: { text: `${OPENS_TCP} -m mark --mark ${BALANCED} -j ${BALANCED_MSS_CHAIN}` },
      },
      ...(ranges.some(({ prefix }) => prefix.family === family) ? rangeHooks(family) : []),
    ]),
  };
}

/** IPVS looks for a member's route as if from nobody, where programs have at least a protocol: those go past. */
function routingRules(family: Family, prefixes: readonly Cidr[]): { family: Family; text: string }[] {
  const protocols = ['tcp', 'udp', family === 4 ? 'icmp' : 'ipv6-icmp'];
  const text = (cidr: Cidr): string => cidr.text.replace(family === 4 ? /\/32$/ : /\/128$/, '');
  return [
    ...protocols.map((name) => `${RULE_PREF.notIpvs}: from all iif lo ipproto ${name} goto ${RULE_PREF.refuse}`),
    ...prefixes
      .filter((prefix) => prefix.family === family)
      .map((prefix) => `${RULE_PREF.ipvs}: from all to ${text(prefix)} iif lo lookup ${TABLE_VPC}`),
  ].map((rule) => ({ family, text: rule }));
}

const OPENS_TCP = '-p tcp -m tcp --tcp-flags SYN,RST SYN';

/** What IPVS sends on is not forwarded, so that the clamp of what is does not see it. */
function mssChain(family: Family, { internal, externals }: GatewayModel, { facts: { mtu } }: CompileContext) {
  const least = Math.min(...[internal, ...externals].map((side) => mtu.get(side.interface) ?? DEFAULT_MTU));
  const text = `-o ${roleLink(internal.interface)} ${OPENS_TCP} -j TCPMSS --set-mss ${least - (family === 4 ? 40 : 60)}`;
  return { family, table: 'mangle' as const, chain: BALANCED_MSS_CHAIN, lines: [{ text }] };
}

/** The mark of a range hides that the VPC has opened the connection, which the connection's own still says. */
function rangeHooks(family: Family): NonNullable<Contribution['hooks']>[number][] {
  const range = markBit(MARK.range);
  return [
    {
      family,
      table: 'mangle',
      chain: 'INPUT',
      line: { text: `-m mark --mark 0x0/0x${MARK.rejected.toString(16)} -j ${RANGE_CHAIN}` },
    },
    {
      family,
      table: 'nat',
      chain: 'POSTROUTING',
      line: { text: `-m mark --mark ${range} -m connmark --mark ${markBit(MARK.fromVpc)} -j VG-SNAT` },
    },
  ];
}
