/** A tracked connection, and whether the model would still allow its translation. Pure. */
import { type Down, listenerAt, listenerKeys, NONE_DOWN, notAmong, type Placed, staleAtListener } from './balancer.js';
import type { Drain } from './drain.js';
import { fingerprint, fingerprintOf, judges, policiesOf, type Policy, poolPolicies, verdictOf } from './firewall.js';
import type { DnatRule, ElasticIp, GatewayModel, Ipv6Prefix, Origin, SnatRule } from './gateway-model.js';
import { type Cidr, contains, type IpAddress, parseIp } from './ip.js';
import { MARK } from './ownership.js';
import { rememberPair } from './remember.js';
import { meantBy, offeredBy, permits, seenAs, type SiteLink, sitesOf, waysElsewhere, waysTo } from './site-link.js';
import { endAt, endsOf, type VpnConnection } from './vpn.js';

export interface Tuple {
  readonly source: string;
  readonly destination: string;
  /** 0 where the protocol has no ports. */
  readonly sourcePort: number;
  readonly destinationPort: number;
}

export interface Flow {
  readonly family: 4 | 6;
  /** As conntrack names it: `tcp`, `udp`, `icmp`, `icmpv6`, or a number. */
  readonly protocol: string;
  readonly original: Tuple;
  readonly reply: Tuple;
  readonly icmp?: { readonly type: number; readonly code: number; readonly id: number } | undefined;
  readonly mark: number;
  /** Of both directions; `replyBytes` of the answers alone. */
  readonly bytes: number;
  readonly replyBytes: number;
  /** A TCP connection that both sides have closed: it stands in the table for a while, and nobody would miss it. */
  readonly ended?: boolean;
  /** Nothing has come back. */
  readonly unanswered?: boolean;
}

export interface Verdict {
  readonly stale: boolean;
  readonly reason: string;
}

/** Where a new connection to an address is led: by a port rule, by its binding, or by a translated prefix. */
export interface WayIn {
  readonly address: string;
  /** `undefined`: the port stays as it is. */
  readonly port: number | undefined;
  readonly by: Origin;
}

/** By what a source of the VPC goes out: an elastic IP of its own, a rule that shares some, or a public prefix. */
export type WayOut =
  | { readonly kind: 'Bound'; readonly elasticIp: ElasticIp }
  | { readonly kind: 'Shared'; readonly rule: SnatRule }
  | { readonly kind: 'Prefix'; readonly prefix: Ipv6Prefix };

const KEEP: Verdict = { stale: false, reason: '' };
const stale = (reason: string): Verdict => ({ stale: true, reason });
/** The first that lets it stay, or the first of all. */
const mildest = (verdicts: readonly Verdict[]): Verdict =>
  verdicts.find((verdict) => !verdict.stale) ?? verdicts[0] ?? KEEP;
const verdictFor = (reason: string | undefined): Verdict => (reason === undefined ? KEEP : stale(reason));

/** Answers for many flows of one model; look-ups are by hash. */
export class FlowJudge {
  readonly #dnat: Map<string, GatewayModel['dnatRules'][number][]>;
  readonly #draining: Set<string>;
  /** Members of balancers, whose connections to their listener alone may go on. */
  readonly #leaving: readonly Drain[];
  readonly #own: Set<string>;
  readonly #sites: readonly SiteLink[];
  /** The gateway's own addresses on dedicated lines. */
  readonly #lineEnds: ReadonlySet<string>;

  constructor(
    private readonly model: GatewayModel,
    drains: readonly Drain[] = [],
    private readonly down: Down = NONE_DOWN,
    /** Numbers of external networks, in connections' marks; without them none is compared. */
    private readonly externals?: Readonly<Record<string, number>>,
    /** What an edit has changed; without it an elastic IP may be reached by any external network. */
    private readonly before?: GatewayModel,
  ) {
    this.#dnat = new Map();
    this.#sites = sitesOf(model);
    this.#lineEnds = new Set(
      model.dedicatedLines.flatMap(({ addresses }) => addresses.map(({ address }) => address.text)),
    );
    for (const rule of model.dnatRules) {
      const key = rule.elasticIp.address.text;
      this.#dnat.set(key, [...(this.#dnat.get(key) ?? []), rule]);
    }
    this.#draining = new Set(
      drains.filter(({ listener }) => !listener).map(({ address, target }) => `${address} ${target}`),
    );
    this.#leaving = drains.filter(({ listener }) => listener);
    this.#own = new Set(
      [...model.internal.addresses, ...model.externals.flatMap((external) => external.addresses)].map(
        ({ address }) => address.text,
      ),
    );
  }

  judge(flow: Flow): Verdict {
    const { original, reply } = flow;
    const site = this.#sites.length > 0 ? this.#judgeSite(flow) : undefined;
    if (site) return site;
    const fromVpc = this.#inVpc(original.source);
    const elsewhere = this.#leadsElsewhere(flow, fromVpc);
    if (elsewhere !== undefined) return stale(elsewhere);
    if (!fromVpc && !this.#inVpc(reply.source) && !this.model.byAddress.has(original.destination)) return KEEP;
    const destination = this.#judgeDestination(flow);
    if (destination.stale) return destination;
    const opening = this.#judgeOpening(flow, fromVpc);
    if (opening.stale || !fromVpc) return opening;
    return this.#judgeSource(original.source, reply.destination, reply.source);
  }

  /** What was the VPC's when it was opened, and is no more; or is on another external network by now. */
  #leadsElsewhere({ mark, original, reply }: Flow, fromVpc: boolean): string | undefined {
    if ((mark & MARK.fromVpc) !== 0 && !fromVpc && !this.#own.has(original.source))
      return `${original.source} is no longer in the VPC`;
    const isLed = (mark & MARK.gateway) !== 0 && (mark & MARK.fromVpc) === 0 && reply.source !== original.destination;
    if (isLed && !this.#inVpc(reply.source) && !this.#own.has(reply.source))
      return `${reply.source} is no longer in the VPC`;
    const number = (mark & MARK.externalMask) >> MARK.externalShift;
    if (number === 0 || !this.externals) return undefined;
    if (!Object.values(this.externals).includes(number)) return 'its external network is gone';
    const seenAs = fromVpc ? this.model.byAddress.get(reply.destination) : this.#movedFrom(original.destination);
    return seenAs && this.externals[seenAs.external] !== number
      ? `${seenAs.address.text} is on ${seenAs.external} now`
      : undefined;
  }

  /** The elastic IP of this address, if it was on another external network. */
  #movedFrom(address: string): ElasticIp | undefined {
    const [was, is] = [this.before?.byAddress.get(address), this.model.byAddress.get(address)];
    return was && is && was.external !== is.external ? is : undefined;
  }

  /** `undefined`: neither end is a site. Of several ways to it one that allows the connection is enough. */
  #judgeSite(flow: Flow): Verdict | undefined {
    const source = parseIp(flow.original.source);
    const destination = parseIp(flow.original.destination);
    if (!source || !destination) return undefined;
    if (this.#lineEnds.has(source.text) || this.#lineEnds.has(destination.text)) return KEEP;
    const to = this.#inVpc(flow.original.source) || this.#own.has(flow.original.source);
    const ways = to ? this.#waysOfVpc(source, destination) : [];
    if (ways.length > 0) return mildest(ways.map((site) => this.#judgeToSite(flow, site, source, destination)));
    const from = waysTo(this.#sites, source);
    if (from.length === 0 || this.model.byAddress.has(flow.original.destination)) return undefined;
    const verdict = mildest(from.map((site) => this.#judgeFromSite(flow, site, source, destination)));
    const { protocol, original } = flow;
    // What a listener takes is led by it.
    const listened = listenerAt(this.model, original.destination, protocol, original.destinationPort);
    return listened && !verdict.stale ? undefined : verdict;
  }

  #waysOfVpc(source: IpAddress, destination: IpAddress): SiteLink[] {
    const known = waysTo(this.#sites, destination);
    const ways = known.length > 0 ? known : waysElsewhere(this.#sites, destination);
    return known.length > 0 || ways.length === 0 || this.goesElsewhere(source.text, destination.text) ? ways : [];
  }

  /** Neither to the VPC nor to an elastic IP, and not out by a way of its own. */
  goesElsewhere = (source: string, destination: string): boolean =>
    !this.#inVpc(destination) &&
    !this.#own.has(destination) &&
    !this.model.byAddress.has(destination) &&
    this.wayOut(source) === undefined;

  #judgeToSite({ protocol, original, reply }: Flow, to: SiteLink, source: IpAddress, destination: IpAddress): Verdict {
    const { id } = to.origin;
    if (!to.local.some((cidr) => contains(cidr, source)))
      return stale(`${original.source} is no local network of ${id}`);
    if (reply.destination !== seenAs(to, source).text) return stale(`${original.destination} is reached by ${id} now`);
    if (this.#own.has(original.source)) return KEEP;
    const opening = { direction: 'Egress', peer: destination, protocol, port: original.destinationPort } as const;
    return permits(to, opening) ? KEEP : stale(`${id} denies it`);
  }

  #judgeFromSite(
    { protocol, original, reply }: Flow,
    from: SiteLink,
    source: IpAddress,
    destination: IpAddress,
  ): Verdict {
    const { id } = from.origin;
    const port = original.destinationPort;
    const meant = meantBy(from, destination);
    if (!offeredBy(from).some((cidr) => contains(cidr, destination)))
      return stale(`${id} does not offer ${original.destination}`);
    if (listenerAt(this.model, original.destination, protocol, port)) return KEEP;
    if (reply.source !== meant.text) return stale(`${original.destination} is ${meant.text} to ${id} now`);
    if (this.#own.has(meant.text)) return KEEP;
    const opening = { direction: 'Ingress', peer: source, protocol, port } as const;
    return permits(from, opening) ? KEEP : stale(`${id} denies it`);
  }

  #judgeDestination(flow: Flow): Verdict {
    const { protocol, original, reply } = flow;
    const placed = listenerAt(this.model, original.destination, protocol, original.destinationPort);
    if (placed) return verdictFor(staleAtListener(placed, flow, this.#drains(flow), this.down));
    const translated = reply.source !== original.destination || reply.sourcePort !== original.destinationPort;
    const end = endAt(this.model, original.destination, protocol, original.destinationPort);
    if (end) return translated ? stale(`${original.destination} is where ${end.origin.id} ends now`) : KEEP;
    const wanted = this.destinationOf(original.destination, protocol, original.destinationPort);
    if (wanted) {
      const portSame =
        wanted.port === undefined ? reply.sourcePort === original.destinationPort : reply.sourcePort === wanted.port;
      if (reply.source === wanted.address && (portSame || protocol.startsWith('icmp'))) return KEEP;
    } else if (!translated)
      return this.#isClosed(original) ? stale(`${original.destination} is no longer open to outside`) : KEEP;
    if (this.#drains(flow)) return KEEP;
    return stale(
      wanted
        ? `${original.destination} now leads to ${wanted.address}`
        : `${original.destination} no longer leads to ${reply.source}`,
    );
  }

  #drains({ protocol, original: { destination, destinationPort: port }, reply }: Flow): boolean {
    const leaves = ({ address, target, listener }: Drain): boolean =>
      listener !== undefined &&
      address === destination &&
      target === reply.source &&
      port >= listener.ports.first &&
      port <= listener.ports.last;
    return this.#draining.has(`${destination} ${reply.source}`) || (protocol === 'tcp' && this.#leaving.some(leaves));
  }

  /** What policies say of its opening; those of `onEdit: Keep` leave what was opened before them. */
  #judgeOpening({ protocol, original }: Flow, fromVpc: boolean): Verdict {
    const { firewall } = this.model;
    const { source, destination, destinationPort: port } = original;
    const eip = this.model.byAddress.get(destination);
    const direction = eip || !fromVpc ? 'Ingress' : 'Egress';
    if (!judges(firewall, direction)) return this.#judgeDefault(eip, protocol, port);
    if (this.#own.has(destination) || (direction === 'Egress' && this.#inVpc(destination))) return KEEP;
    const peer = parseIp(direction === 'Ingress' ? source : destination);
    if (!peer) return KEEP;
    const own = direction === 'Ingress' ? (eip ? policiesOf(eip, firewall) : []) : this.leavingPolicies(source);
    const verdict = verdictOf(firewall, own, { direction, peer, protocol, port });
    if (!verdict) return this.#judgeDefault(eip, protocol, port);
    return verdict.action === 'Allow' || !verdict.policy.flushes
      ? KEEP
      : stale(`${verdict.policy.origin.id} denies it`);
  }

  #judgeDefault(eip: ElasticIp | undefined, protocol: string, port: number): Verdict {
    return !eip || this.isOpenByDefault(eip, protocol, port) ? KEEP : stale("the gateway's defaultIngress is Deny");
  }

  /** Where no policy says anything. */
  isOpenByDefault({ target, address }: ElasticIp, protocol: string, port: number): boolean {
    if (!target || this.model.firewall.defaultIngress === 'Allow') return true;
    const taken =
      this.ruleFor(address.text, protocol, port) ??
      listenerAt(this.model, address.text, protocol, port) ??
      endAt(this.model, address.text, protocol, port);
    return taken !== undefined;
  }

  /** The policies of the elastic IPs that a source of the VPC leaves by. */
  leavingPolicies(source: string): readonly Policy[] {
    const way = this.wayOut(source);
    if (way?.kind === 'Bound') return policiesOf(way.elasticIp, this.model.firewall);
    return way?.kind === 'Shared' ? poolPolicies(way.rule, this.model.firewall) : [];
  }

  /** Its own elastic IP before all else, then the most specific prefix; of equal ones the rule. */
  wayOut(source: string): WayOut | undefined {
    const { byTarget, snatRules, ipv6Prefixes } = this.model;
    const elasticIp = byTarget.get(source);
    if (elasticIp) return { kind: 'Bound', elasticIp };
    const address = parseIp(source);
    if (!address) return undefined;
    let length = -1;
    let way: WayOut | undefined;
    const offer = (cidr: Cidr, offered: WayOut): void => {
      if (cidr.length <= length || !contains(cidr, address)) return;
      length = cidr.length;
      way = offered;
    };
    for (const rule of snatRules) for (const cidr of rule.sources) offer(cidr, { kind: 'Shared', rule });
    for (const prefix of ipv6Prefixes) offer(prefix.internalPrefix ?? prefix.prefix, { kind: 'Prefix', prefix });
    return way;
  }

  /** The rule that a source leaves by which has no way of its own. */
  sharedWayOf(source: string): SnatRule | undefined {
    const way = this.wayOut(source);
    return way?.kind === 'Shared' ? way.rule : undefined;
  }

  /** Where a new connection to an address would be led, or `undefined` for nowhere else. */
  destinationOf(address: string, protocol: string, port: number): WayIn | undefined {
    const rule = this.ruleFor(address, protocol, port);
    if (rule) {
      const { ports, targetPort, target, origin } = rule;
      const shifted = ports && targetPort !== undefined ? targetPort + port - ports.first : undefined;
      return { address: target.text, port: shifted, by: origin };
    }
    const bound = this.model.byAddress.get(address);
    return bound?.target
      ? { address: bound.target.text, port: undefined, by: bound.origin }
      : this.#prefixTarget(address);
  }

  /** The listener that takes a connection, before all rules. */
  listenerFor = (address: string, protocol: string, port: number): Placed | undefined =>
    listenerAt(this.model, address, protocol, port);

  /** The tunnel that ends there, before all rules too. */
  tunnelFor = (address: string, protocol: string, port: number): VpnConnection | undefined =>
    endAt(this.model, address, protocol, port);

  /** The port rule that takes a connection; one of the whole address comes last. */
  ruleFor(address: string, protocol: string, port: number): DnatRule | undefined {
    const rules = this.#dnat.get(address) ?? [];
    const takes = ({ protocol: wanted, ports }: DnatRule): boolean =>
      (wanted === 'ICMP' ? protocol.startsWith('icmp') : wanted.toLowerCase() === protocol) &&
      (!ports || (port >= ports.first && port <= ports.last));
    return rules.find(takes) ?? rules.find((rule) => rule.protocol === 'Any');
  }

  #prefixTarget(text: string): WayIn | undefined {
    const address = parseIp(text);
    const rule =
      address &&
      this.model.ipv6Prefixes.find(
        ({ prefix, internalPrefix, mode }) => internalPrefix && mode === 'Full' && contains(prefix, address),
      );
    return rule?.internalPrefix && address
      ? { address: moved(address, rule.internalPrefix), port: undefined, by: rule.origin }
      : undefined;
  }

  #judgeSource(source: string, seenAs: string, destination: string): Verdict {
    if (source === seenAs) {
      if (this.#inVpc(destination) || this.#own.has(destination) || this.#isPublic(source)) return KEEP;
      return stale(`${source} left without translation`);
    }
    if (this.#own.has(seenAs) && this.#inVpc(destination)) return KEEP;
    if (this.model.byTarget.get(source)?.address.text === seenAs || this.#draining.has(`${seenAs} ${source}`))
      return KEEP;
    const address = parseIp(source);
    if (address && this.#mayLeaveBy(address, seenAs)) return KEEP;
    return stale(`${source} may no longer leave by ${seenAs}`);
  }

  #mayLeaveBy(source: IpAddress, seenAs: string): boolean {
    const { snatRules, ipv6Prefixes } = this.model;
    return (
      snatRules.some(
        (rule) =>
          rule.sources.some((cidr) => contains(cidr, source)) && rule.pool.some((eip) => eip.address.text === seenAs),
      ) ||
      ipv6Prefixes.some(
        ({ prefix, internalPrefix }) =>
          internalPrefix && contains(internalPrefix, source) && moved(source, prefix) === seenAs,
      )
    );
  }

  isOwn = (text: string): boolean => this.#own.has(text);

  #inVpc = (text: string): boolean => {
    const address = parseIp(text);
    return (
      address !== undefined &&
      !this.#own.has(text) &&
      this.model.internal.prefixes.some((prefix) => contains(prefix, address))
    );
  };

  /** Opened from outside to a public prefix that lets nothing in any more. */
  #isClosed({ source, destination }: Tuple): boolean {
    const address = parseIp(destination);
    if (!address || this.#inVpc(source)) return false;
    return this.model.ipv6Prefixes.some(
      ({ prefix, internalPrefix, mode }) => !internalPrefix && mode === 'EgressOnly' && contains(prefix, address),
    );
  }

  #isPublic = (text: string): boolean => {
    const address = parseIp(text);
    return (
      address !== undefined &&
      this.model.ipv6Prefixes.some(({ prefix, internalPrefix }) => !internalPrefix && contains(prefix, address))
    );
  };
}

/** An address with its prefix exchanged, host bits kept (NETMAP). */
export function moved(address: IpAddress, prefix: Cidr): string {
  const hostBits = BigInt(128 - prefix.length);
  const host = address.value & ((1n << hostBits) - 1n);
  return parseIp(textOf(prefix.base | host))?.text ?? '';
}

const textOf = (value: bigint): string =>
  value
    .toString(16)
    .padStart(32, '0')
    .replace(/(.{4})(?!$)/g, '$1:');

/** What translations the objects allow, as keys. */
function* translationsOf({
  elasticIps,
  dnatRules,
  loadBalancers,
  snatRules,
  ipv6Prefixes,
  vpnConnections,
  dedicatedLines,
}: Translators): Generator<string> {
  yield* listenerKeys(loadBalancers);
  for (const { address, target, external } of elasticIps)
    if (target) yield `eip ${address.text} ${target.text} ${external}`;
  for (const { elasticIp, protocol, ports, target, targetPort } of dnatRules)
    yield `dnat ${elasticIp.address.text} ${protocol} ${ports?.first}-${ports?.last} ${target.text} ${targetPort}`;
  for (const rule of snatRules)
    for (const source of rule.sources)
      for (const eip of rule.pool) yield `snat ${source.text} ${eip.address.text} ${eip.external}`;
  for (const { prefix, internalPrefix, mode, external } of ipv6Prefixes)
    yield `prefix ${prefix.text} ${internalPrefix?.text} ${mode} ${external}`;
  for (const connection of vpnConnections)
    for (const { protocol, port } of endsOf(connection))
      yield `end ${connection.elasticIp.address.text} ${protocol} ${port}`;
  for (const site of sitesOf({ vpnConnections, dedicatedLines })) {
    for (const network of [...site.local, ...site.remote, ...site.translate.map(({ as }) => as)])
      yield `site ${site.origin.id} ${network.text}`;
    for (const family of site.elsewhere) yield `site ${site.origin.id} elsewhere ${family}`;
    // Which of them a rule lets through is known of each connection only.
    for (const rule of site.policy?.rules ?? []) yield `site ${site.origin.id} ${fingerprint(rule)}`;
  }
}

type Translators = Pick<
  GatewayModel,
  'dnatRules' | 'loadBalancers' | 'snatRules' | 'ipv6Prefixes' | 'vpnConnections' | 'dedicatedLines'
> & {
  readonly elasticIps: readonly ElasticIp[];
};

const NO_RULES = {
  dnatRules: [],
  loadBalancers: [],
  snatRules: [],
  ipv6Prefixes: [],
  vpnConnections: [],
  dedicatedLines: [],
} as const;

/** Where an edit that adds one takes away what others had. */
const TAKES = /^(dnat|site|end) /;
/** And where a line may lead out who has no way of their own. */
const TAKES_FROM_LINE = /^(dnat|site|end|eip|snat|prefix) /;

/** The elastic IPs that an edit takes and gives; an unchanged one is the very same object in both models. */
export const exchanged = rememberPair((after: GatewayModel, before: GatewayModel) => {
  const come: ElasticIp[] = [];
  const gone: ElasticIp[] = [];
  let same = 0;
  for (const [name, eip] of after.elasticIps) {
    const known = before.elasticIps.get(name);
    if (known === eip) same++;
    else come.push(eip);
  }
  if (same < before.elasticIps.size)
    for (const [name, eip] of before.elasticIps) if (after.elasticIps.get(name) !== eip) gone.push(eip);
  return { come, gone };
});

/** Whether other policies judge after an edit, in all or of an address that was there before. */
function judgesOtherwise(before: GatewayModel, after: GatewayModel, come: readonly ElasticIp[]): boolean {
  if (before.firewall !== after.firewall && fingerprintOf(before.firewall) !== fingerprintOf(after.firewall))
    return true;
  const names = (eip: ElasticIp): string =>
    policiesOf(eip, after.firewall)
      .map(({ name }) => name)
      .join(' ');
  return come.some((eip) => {
    const known = before.byAddress.get(eip.address.text);
    return known !== undefined && names(known) !== names(eip);
  });
}

/**
 * Whether an edit can leave a flow stale: it takes a translation away, or adds a port rule, which changes where an
 * elastic IP's other connections lead.
 */
export function mayLeaveStale(before: GatewayModel, after: GatewayModel): boolean {
  if (before === after) return false;
  const same = before.frame === after.frame;
  const { gone, come } = exchanged(after, before);
  if (judgesOtherwise(before, after, come)) return true;
  const translations = (model: GatewayModel, other: GatewayModel, elasticIps: readonly ElasticIp[]) =>
    translationsOf({
      ...(same ? NO_RULES : { ...model, loadBalancers: notAmong(model.loadBalancers, other.loadBalancers) }),
      elasticIps,
    });
  const was = new Set(translations(before, after, gone));
  const is = new Set<string>();
  const takes = before.dedicatedLines.some(({ site }) => site.elsewhere.length > 0) ? TAKES_FROM_LINE : TAKES;
  for (const key of translations(after, before, come)) {
    if (takes.test(key) && !was.has(key)) return true;
    is.add(key);
  }
  for (const key of was) if (!is.has(key)) return true;
  return before.sides !== after.sides;
}
