/**
 * Who may open a connection. One evaluator for all that asks: ending flows, explaining, tracing; the kernel's chains are
 * compiled of the same rules in the same order. Pure. The order:
 * 1. The operator's baseline; its verdict is final, whatever it is.
 * 2. The policies of the elastic IP, then those of the gateway; of each, the lower priority first.
 * 3. Where any of these has rules of the direction, what none matched is denied.
 * 4. Else what the documents open is open: a port of a DNAT rule, an open prefix, a bound address by `defaultIngress`.
 */
import type { ElasticIp, Origin, PortRange, SnatRule } from './gateway-model.js';
import { type Cidr, contains, type Family, type IpAddress } from './ip.js';
import { remember, rememberPair } from './remember.js';

export type Direction = 'Ingress' | 'Egress';
export type Action = 'Allow' | 'Deny' | 'Reject';

export interface AddressGroup {
  readonly name: string;
  readonly cidrs: readonly Cidr[];
  readonly origin: Origin;
}

export interface PortMatch {
  readonly protocol: 'TCP' | 'UDP' | 'ICMP';
  /** `undefined`: every port. */
  readonly ports: PortRange | undefined;
}

export interface FirewallRule {
  readonly priority: number;
  readonly action: Action;
  readonly direction: Direction;
  /** `undefined`: everybody. */
  readonly peers: { readonly cidrs: readonly Cidr[]; readonly groups: readonly AddressGroup[] } | undefined;
  /** `undefined`: every protocol and port. */
  readonly ports: readonly PortMatch[] | undefined;
  readonly log: boolean;
  /** Of the policy's rules, as they stand in the document. */
  readonly index: number;
}

/** A `FirewallPolicy` or a `FirewallBaseline`. */
export interface Policy {
  readonly name: string;
  readonly rules: readonly FirewallRule[];
  /** Whether an edit ends the established connections that it denies. */
  readonly flushes: boolean;
  readonly origin: Origin;
}

export interface AttachedPolicy extends Policy {
  readonly elasticIps: ReadonlySet<string>;
  readonly labels: ReadonlyMap<string, string> | undefined;
}

export interface Firewall {
  readonly baselines: readonly Policy[];
  /** Of every elastic IP and public prefix. */
  readonly ofGateway: readonly Policy[];
  /** Of some elastic IPs. */
  readonly attached: readonly AttachedPolicy[];
  readonly groups: readonly AddressGroup[];
  readonly defaultIngress: 'Allow' | 'Deny';
}

/** The rules of one direction in the order in which they are asked. */
export interface RuleOf {
  readonly policy: Policy;
  readonly rule: FirewallRule;
}

/** The policies that judge an elastic IP beside the gateway's; mostly none, and then always the same none. */
export const policiesOf: (eip: ElasticIp, firewall: Firewall) => readonly Policy[] = rememberPair((eip, firewall) =>
  firewall.attached.filter(
    ({ elasticIps, labels }) =>
      elasticIps.has(eip.name) ||
      (labels !== undefined && [...labels].every(([key, value]) => eip.labels.get(key) === value)),
  ),
);

/** Which address of a pool a source gets is not known before its translation, so the policies of all of them count. */
export const poolPolicies = (rule: SnatRule, firewall: Firewall): readonly Policy[] => [
  ...new Set(rule.pool.flatMap((eip) => policiesOf(eip, firewall))),
];

/** Of equal priority, what denies stands first. */
export function rulesOf(policies: readonly Policy[], direction: Direction): RuleOf[] {
  return policies
    .flatMap((policy) => policy.rules.map((rule) => ({ policy, rule })))
    .filter(({ rule }) => rule.direction === direction)
    .sort(
      (a, b) =>
        a.rule.priority - b.rule.priority ||
        Number(a.rule.action === 'Allow') - Number(b.rule.action === 'Allow') ||
        (a.policy.name < b.policy.name ? -1 : 1),
    );
}

export const closes = (policies: readonly Policy[], direction: Direction): boolean =>
  policies.some((policy) => policy.rules.some((rule) => rule.direction === direction));

export const judges = (firewall: Firewall, direction: Direction): boolean =>
  [firewall.baselines, firewall.ofGateway, firewall.attached].some((policies) => closes(policies, direction));

export const rejects = ({ baselines, ofGateway, attached }: Firewall, direction: Direction): boolean =>
  rulesOf([...baselines, ...ofGateway, ...attached], direction).some(({ rule }) => rule.action === 'Reject');

export const logs = ({ baselines, ofGateway, attached }: Firewall, others: readonly Policy[]): boolean =>
  [...baselines, ...ofGateway, ...attached, ...others].some((policy) => policy.rules.some((rule) => rule.log));

/** A connection that somebody opens. */
export interface Opening {
  readonly direction: Direction;
  readonly peer: IpAddress;
  /** As conntrack names it: `tcp`, `udp`, `icmp`, `icmpv6`, or a number. */
  readonly protocol: string;
  /** At the public address for `Ingress`, at the far end for `Egress`. */
  readonly port: number;
}

/** What policies say; `undefined` when none does, and the documents' own openings count. */
export interface PolicyVerdict {
  readonly action: Action;
  /** The rule that decided; `undefined` when it was that no rule matched. */
  readonly rule: FirewallRule | undefined;
  readonly policy: Policy;
}

/** `own`: the policies of the elastic IP, or of those that the source leaves by. */
export function verdictOf(firewall: Firewall, own: readonly Policy[], opening: Opening): PolicyVerdict | undefined {
  const { direction } = opening;
  for (const tier of [firewall.baselines, own, firewall.ofGateway]) {
    const found = rulesOf(tier, direction).find(({ rule }) => matches(rule, opening));
    if (found) return { action: found.rule.action, ...found };
  }
  const closing = [...own, ...firewall.ofGateway].filter((policy) => closes([policy], direction));
  // Connections are kept only where every policy that closes the direction would keep them.
  const [policy] = [...closing.filter(({ flushes }) => flushes), ...closing];
  return policy && { action: 'Deny', rule: undefined, policy };
}

export const matches = ({ peers, ports }: FirewallRule, { peer, protocol, port }: Opening): boolean =>
  (peers === undefined || cidrsOf(peers, peer.family).some((cidr) => contains(cidr, peer))) &&
  (ports === undefined || ports.some((match) => matchesPort(match, protocol, port)));

const matchesPort = (match: PortMatch, protocol: string, port: number): boolean =>
  match.protocol === 'ICMP'
    ? protocol.startsWith('icmp')
    : match.protocol.toLowerCase() === protocol &&
      (match.ports === undefined || (port >= match.ports.first && port <= match.ports.last));

export const cidrsOf = ({ cidrs, groups }: NonNullable<FirewallRule['peers']>, family: Family): Cidr[] =>
  [...cidrs, ...groups.flatMap((group) => group.cidrs)].filter((cidr) => cidr.family === family);

/** The kernel's rule set depends on nothing else: the same text for the same meaning. */
export const fingerprintOf = remember((firewall: Firewall): string => fingerprint(firewall));

export const fingerprint = (value: unknown): string =>
  JSON.stringify(value, (_key, value: unknown) =>
    value instanceof Set || value instanceof Map
      ? [...(value as Iterable<unknown>)]
      : typeof value === 'bigint'
        ? value.toString()
        : value,
  );
