/** The rules of policies as lines of a chain, in the order in which they are asked. */
import type { Line } from '../kernel/state.js';
import type { Action, Direction, FirewallRule, Policy, PortMatch, RuleOf } from '../model/firewall.js';
import { cidrsOf } from '../model/firewall.js';
import { fnv1a64 } from '../model/hash.js';
import type { Cidr, Family } from '../model/ip.js';
import { dropChain, NFLOG_GROUP, REJECT_CHAIN } from '../model/ownership.js';
import type { Contribution } from './feature.js';

/** Chains that mark a verdict: in PREROUTING nothing can be rejected, and what is allowed has limits to pass yet. */
export const INGRESS_ALLOW = 'VG-FA';
export const INGRESS_REJECT = 'VG-FR';

type Verdicts = Readonly<Record<Action, string>>;

const VERDICTS: Readonly<Record<Direction, Verdicts>> = {
  Ingress: { Allow: `-g ${INGRESS_ALLOW}`, Deny: `-j ${dropChain('Firewall')}`, Reject: `-g ${INGRESS_REJECT}` },
  Egress: { Allow: '-j ACCEPT', Deny: `-j ${dropChain('Firewall')}`, Reject: `-j ${REJECT_CHAIN}` },
};

/** A set for each rule that names more than one prefix: an edit of its peers leaves the chain alone. */
export interface PeerSet {
  readonly name: string;
  readonly prefixes: readonly Cidr[];
}

export const ruleLines = (rules: readonly RuleOf[], family: Family): Line[] =>
  rules.flatMap((ruleOf) => linesOf(ruleOf, family, VERDICTS[ruleOf.rule.direction]));

/** In FORWARD, where a verdict of either direction is final. */
export const forwardLines = (rules: readonly RuleOf[], family: Family): Line[] =>
  rules.flatMap((ruleOf) => linesOf(ruleOf, family, VERDICTS.Egress));

function linesOf({ policy, rule }: RuleOf, family: Family, verdictTexts: Verdicts): Line[] {
  const { action, log } = rule;
  const logged = `-m limit --limit 10/sec -j NFLOG --nflog-prefix "${logPrefix(policy, rule)}" --nflog-group ${NFLOG_GROUP}`;
  const verdicts = [...(log ? [logged] : []), verdictTexts[action]];
  return peerMatches(policy, rule, family).flatMap(({ address = '', set = '' }) =>
    portMatches(rule.ports, family).flatMap(({ protocol, port = '' }) =>
      // As iptables prints it: addresses and protocol before all matches.
      verdicts.map((verdict) => ({ text: `${address}${protocol}${set}${port}${verdict}`, origin: policy.origin })),
    ),
  );
}

/** What a logged packet is found by again: 63 characters are all that the kernel takes. */
export const logPrefix = (policy: Policy, { action, priority }: FirewallRule): string =>
  `${action}/${priority}/${policy.origin.id}`.slice(0, 63);

interface PeerMatch {
  readonly address?: string;
  readonly set?: string;
}

function peerMatches(policy: Policy, rule: FirewallRule, family: Family): PeerMatch[] {
  if (rule.peers === undefined) return [{}];
  const all = cidrsOf(rule.peers, family);
  if (all.some((cidr) => cidr.length === 0)) return [{}];
  const [side, option] = rule.direction === 'Ingress' ? ['src', '-s'] : ['dst', '-d'];
  const sets = peerSets(policy, rule, family).map(({ name }) => ({
    set: `-m set --match-set ${name}${family} ${side} `,
  }));
  const single = rule.peers.cidrs.filter((cidr) => cidr.family === family);
  return [...(single.length === 1 ? [{ address: `${option} ${single[0]?.text} ` }] : []), ...sets];
}

/** The sets that a rule's peers need: one of its own prefixes, if they are several, and one for each group. */
export function peerSets(policy: Policy, rule: FirewallRule, family: Family): PeerSet[] {
  if (rule.peers === undefined) return [];
  const own = rule.peers.cidrs.filter((cidr) => cidr.family === family);
  const key = `${policy.origin.id} ${rule.direction} ${rule.priority}`;
  return [
    ...(own.length > 1 ? [{ name: `vg-p${fnv1a64(key)}`, prefixes: own }] : []),
    ...rule.peers.groups.map((group) => ({
      name: `vg-g${fnv1a64(group.name)}`,
      prefixes: group.cidrs.filter((cidr) => cidr.family === family),
    })),
  ];
}

function portMatches(
  ports: readonly PortMatch[] | undefined,
  family: Family,
): { readonly protocol: string; readonly port?: string }[] {
  if (ports === undefined) return [{ protocol: '' }];
  return ports.map(({ protocol, ports: range }) => {
    if (protocol === 'ICMP') return { protocol: family === 4 ? '-p icmp ' : '-p ipv6-icmp ' };
    const name = protocol.toLowerCase();
    if (range === undefined) return { protocol: `-p ${name} ` };
    const span = range.last > range.first ? `${range.first}:${range.last}` : `${range.first}`;
    return { protocol: `-p ${name} `, port: `-m ${name} --dport ${span} ` };
  });
}

/** Answers what is refused; the same from whoever contributes it. */
export const rejectChain = (family: Family): NonNullable<Contribution['chains']>[number] => ({
  family,
  table: 'filter',
  chain: REJECT_CHAIN,
  lines: [
    { text: '-p tcp -j REJECT --reject-with tcp-reset' },
    { text: `-j REJECT --reject-with ${family === 4 ? 'icmp-admin-prohibited' : 'icmp6-adm-prohibited'}` },
  ],
});
