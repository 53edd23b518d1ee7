/**
 * Who may open connections. Ingress is judged once, in mangle PREROUTING, on the public address and port, before any
 * translation, so that it is the same whatever ends behind; egress in FORWARD, on the tenant's own source. Guarantees:
 * 1. Nothing of it stands in the kernel when no document asks for it.
 * 2. The chains ask in the order of `model/firewall.ts`.
 */
import type { Line } from '../kernel/state.js';
import {
  closes,
  type Direction,
  type Firewall,
  judges,
  policiesOf,
  poolPolicies,
  type Policy,
  rulesOf,
} from '../model/firewall.js';
import type { ElasticIp, Frame, GatewayModel } from '../model/gateway-model.js';
import { fnv1a64 } from '../model/hash.js';
import { type Cidr, type Family, hostCidr } from '../model/ip.js';
import { dropChain, EGRESS_CHAIN, INGRESS_CHAIN, MARK, markBit } from '../model/ownership.js';
import { remember, rememberWithin } from '../model/remember.js';
import { type Contribution, FAMILIES, type Feature, type NatEntry } from './feature.js';
import { INGRESS_ALLOW, INGRESS_REJECT, peerSets, rejectChain, ruleLines } from './firewall-rules.js';

type Chain = NonNullable<Contribution['chains']>[number];

const UNDECIDED = `-m mark --mark 0x0/0x${(MARK.allowed | MARK.rejected).toString(16)}`;
const DENY: Line = { text: `-j ${dropChain('Firewall')}` };

export const firewall: Feature = {
  name: 'firewall',
  compile(model) {
    const eips = [...model.elasticIps.values()];
    const known = model.firewall;
    const ingress = judges(known, 'Ingress');
    const egress = judges(known, 'Egress');
    if (!ingress && !egress) return {};
    return {
      ...(ingress && { judged: eips.flatMap((eip) => judgedEntry(eip, known) ?? []) }),
      ...(egress && { leaving: [...eips.flatMap((eip) => leavingEntry(eip, model.frame) ?? []), ...shared(model)] }),
      chains: FAMILIES.flatMap((family) => [
        ...(ingress ? ingressChains(family, model) : []),
        ...(egress ? egressChains(family, model) : []),
        rejectChain(family),
      ]),
      sets: FAMILIES.flatMap((family) => setsOf(family, known)),
    };
  },
};

/** Elastic IPs that have the same policies share the chain that judges them. */
const chainOf = (letters: string, policies: readonly Policy[]): string =>
  `VG-${letters}-${fnv1a64(
    policies
      .map(({ name }) => name)
      .sort()
      .join(' '),
  )}`;

const ownOf = (eip: ElasticIp, known: Firewall, direction: Direction): readonly Policy[] => {
  const policies = policiesOf(eip, known);
  return closes(policies, direction) ? policies : [];
};

/** Chains that stand for what an elastic IP is judged by, and for as long as one is. */
export const policyChainsOf = rememberWithin((eip: ElasticIp, known: Firewall): readonly string[] =>
  (['Ingress', 'Egress'] as const).flatMap((direction) => {
    const policies = ownOf(eip, known, direction);
    return policies.length === 0 ? [] : [chainOf(direction === 'Ingress' ? 'FI' : 'FE', policies)];
  }),
);

/** What one elastic IP adds to the tree of those that have policies of their own. */
export const judgedEntry = rememberWithin((eip: ElasticIp, known: Firewall): NatEntry | undefined => {
  const policies = ownOf(eip, known, 'Ingress');
  return policies.length === 0 ? undefined : entry(hostCidr(eip.address), chainOf('FI', policies), eip.origin);
});

/** Of a bound elastic IP, for the address that leaves by it. */
export const leavingEntry = rememberWithin((eip: ElasticIp, frame: Frame): NatEntry | undefined => {
  if (!eip.target) return undefined;
  const policies = ownOf(eip, frame.firewall, 'Egress');
  // Where shared ways out are judged, an address with a way of its own must not be taken for one of theirs.
  if (policies.length === 0 && !judgesShared(frame)) return undefined;
  return entry(hostCidr(eip.target), chainOf('FE', policies), eip.origin);
});

const entry = (prefix: Cidr, chain: string, origin: ElasticIp['origin']): NatEntry => ({
  prefix,
  rank: 0,
  rules: [{ text: `-j ${chain}`, origin }],
});

const judgesShared = remember((frame: Frame): boolean =>
  frame.snatRules.some((rule) => closes(poolPolicies(rule, frame.firewall), 'Egress')),
);

/** Sources that share elastic IPs, and public prefixes, which no policy of an elastic IP concerns. */
function shared({ frame }: GatewayModel): NatEntry[] {
  if (!judgesShared(frame)) return [];
  return [
    ...frame.snatRules.flatMap((rule) => {
      const chain = chainOf('FE', poolPolicies(rule, frame.firewall));
      return rule.sources.map((source) => entry(source, chain, rule.origin));
    }),
    ...frame.ipv6Prefixes.map(({ prefix, internalPrefix, origin }) =>
      entry(internalPrefix ?? prefix, chainOf('FE', []), origin),
    ),
  ];
}

/** Verdicts are marks: a chain that has one is left by `-g`, and what follows asks only what is undecided. */
function ingressChains(family: Family, model: GatewayModel): Chain[] {
  const { baselines, ofGateway } = model.firewall;
  const chain = (name: string, lines: readonly Line[]): Chain => ({ family, table: 'mangle', chain: name, lines });
  const baseline = rulesOf(baselines, 'Ingress');
  const general = closes(ofGateway, 'Ingress');
  const rest = general ? [{ text: '-g VG-FG' }] : [DENY];
  return [
    chain(INGRESS_CHAIN, [
      ...(baseline.length > 0 ? [{ text: '-j VG-FB' }] : []),
      { text: `${UNDECIDED} -j VG-FT` },
      ...(general ? [{ text: `${UNDECIDED} -j VG-FG` }] : []),
    ]),
    chain(INGRESS_ALLOW, [setMark(MARK.allowed)]),
    chain(INGRESS_REJECT, [setMark(MARK.rejected)]),
    ...(baseline.length > 0 ? [chain('VG-FB', ruleLines(baseline, family))] : []),
    ...(general ? [chain('VG-FG', [...ruleLines(rulesOf(ofGateway, 'Ingress'), family), DENY])] : []),
    ...combinations(model, 'Ingress').map((policies) =>
      chain(chainOf('FI', policies), [...ruleLines(rulesOf(policies, 'Ingress'), family), ...rest]),
    ),
  ];
}

const setMark = (bit: number): Line => ({ text: `-j MARK --set-xmark ${markBit(bit)}` });

/** Every list of policies that some elastic IP has. */
function combinations(model: GatewayModel, direction: Direction): (readonly Policy[])[] {
  if (model.firewall.attached.length === 0) return [];
  const lists = [...model.elasticIps.values()].map((eip) => ownOf(eip, model.firewall, direction));
  return distinct(lists.filter((policies) => policies.length > 0));
}

const distinct = (lists: readonly (readonly Policy[])[]): (readonly Policy[])[] => [
  ...new Map(lists.map((policies) => [chainOf('', policies), policies])).values(),
];

function egressChains(family: Family, model: GatewayModel): Chain[] {
  const { baselines, ofGateway } = model.firewall;
  const chain = (name: string, lines: readonly Line[]): Chain => ({ family, table: 'filter', chain: name, lines });
  const baseline = rulesOf(baselines, 'Egress');
  const general = closes(ofGateway, 'Egress');
  const pools = model.snatRules.map((rule) => poolPolicies(rule, model.firewall));
  const lists = judgesShared(model.frame)
    ? distinct([...combinations(model, 'Egress'), ...pools, []])
    : combinations(model, 'Egress');
  return [
    chain(EGRESS_CHAIN, [
      ...(baseline.length > 0 ? [{ text: '-j VG-EB' }] : []),
      { text: '-j VG-ET' },
      ...(general ? [{ text: '-j VG-EG' }] : []),
    ]),
    ...(baseline.length > 0 ? [chain('VG-EB', ruleLines(baseline, family))] : []),
    ...(general ? [chain('VG-EG', [...ruleLines(rulesOf(ofGateway, 'Egress'), family), DENY])] : []),
    ...lists.map((policies) => {
      const otherwise = closes(policies, 'Egress') ? DENY : { text: '-j ACCEPT' };
      const rest = general ? { text: '-g VG-EG' } : otherwise;
      return chain(chainOf('FE', policies), [...ruleLines(rulesOf(policies, 'Egress'), family), rest]);
    }),
  ];
}

function setsOf(
  family: Family,
  { baselines, ofGateway, attached }: Firewall,
): NonNullable<Contribution['sets']>[number][] {
  const sets = [...baselines, ...ofGateway, ...attached].flatMap((policy) =>
    policy.rules.flatMap((rule) => peerSets(policy, rule, family)),
  );
  return [...new Map(sets.map((set) => [set.name, { family, ...set }])).values()];
}
