/**
 * Whether the firewall lets the traffic through, by the one evaluator of `model/firewall.ts`. Where no connection was
 * asked about, it is asked for those that its rules speak of and for a stranger's: one that passes is enough. Pure.
 */
import type { Placed } from '../../../model/balancer.js';
import {
  cidrsOf,
  type Direction,
  type FirewallRule,
  judges,
  matches,
  type Opening,
  policiesOf,
  type Policy,
  poolPolicies,
  type RuleOf,
  rulesOf,
  verdictOf,
} from '../../../model/firewall.js';
import { type Cidr, contains, type Family, type IpAddress, ipFromValue, parseIp } from '../../../model/ip.js';
import { type About, type Check, fault, known, type Outcome, pass, skipped, some } from '../check.js';
import type { AskedPort, Exit } from '../subject.js';
import { type Opened, openedAsked, type Port } from './asked.js';

/** Somebody of whom no rule speaks, unless it speaks of everybody. */
const STRANGER: Readonly<Record<Family, string>> = { 4: '192.0.2.1', 6: '2001:db8:ffff:ffff::1' };
const MOST_PEERS = 64;
const MOST_PORTS = 16;
const ANY_PORT: Port = { protocol: 'tcp', port: 443 };

/** What one opening comes to. */
interface Judged {
  readonly opening: Opening;
  readonly open: boolean;
  /** That decided; absent where the documents' own openings count. */
  readonly policy?: Policy;
  readonly rule?: FirewallRule | undefined;
  /** That takes nothing from there, whatever policies say. */
  readonly refusing?: Placed;
}

export const ingress: Check = known('Ingress', ['Led'], (about) => {
  const { model } = about;
  const entries = openedAsked(about);
  if (entries.length === 0) return skipped('nothing is led in');
  const all = entries.map((entry) => judgeEntry(entry, about));
  const shut = all.find((judged) => judged.every(({ open }) => !open));
  if (shut) return denied(shut, about);
  if (!judges(model.firewall, 'Ingress')) return pass('no policy judges it');
  return pass(...some(all.flatMap((judged) => opened(judged, about))));
});

function judgeEntry(entry: Opened, { model, judge, question }: About): Judged[] {
  const { firewall } = model;
  const { elasticIp, placed } = entry;
  const sources = placed?.listener.allowedSources;
  const own = policiesOf(elasticIp, firewall);
  const rules = rulesOf([...firewall.baselines, ...own, ...firewall.ofGateway], 'Ingress');
  const ports = question.port ? [portAsked(question.port)] : portsOf(entry, rules);
  const { family } = elasticIp.address;
  const others = [...(sources ?? []).filter((cidr) => cidr.family === family), ...spokenOf(rules, family)];
  return openings('Ingress', family, question.from, ports, others).map((opening) => {
    if (placed && sources && !sources.some((cidr) => contains(cidr, opening.peer)))
      return { opening, open: false, refusing: placed };
    const verdict = verdictOf(firewall, own, opening);
    return verdict
      ? { opening, open: verdict.action === 'Allow', policy: verdict.policy, rule: verdict.rule }
      : { opening, open: judge.isOpenByDefault(elasticIp, opening.protocol, opening.port) };
  });
}

const portAsked = ({ protocol, number: port }: AskedPort): Port => ({ protocol, port });

/** The first port of a rule or a listener; of a whole address those that rules allow, and any. */
function portsOf({ rule, ends }: Opened, rules: readonly RuleOf[]): readonly Port[] {
  if (ends) return ends;
  if (rule?.protocol === 'ICMP') return [{ protocol: 'icmp', port: 0 }];
  if (rule?.ports) return [{ protocol: rule.protocol === 'UDP' ? 'udp' : 'tcp', port: rule.ports.first }];
  return allowedPorts(rules);
}

const allowedPorts = (rules: readonly RuleOf[]): Port[] => [
  ANY_PORT,
  ...rules
    .filter(({ rule }) => rule.action === 'Allow')
    .flatMap(({ rule }) => rule.ports ?? [])
    .map(({ protocol, ports }) => ({
      protocol: protocol.toLowerCase(),
      port: ports?.first ?? (protocol === 'ICMP' ? 0 : ANY_PORT.port),
    }))
    .slice(0, MOST_PORTS),
];

/** Whom they would allow something. */
const spokenOf = (rules: readonly RuleOf[], family: Family): Cidr[] =>
  rules.flatMap(({ rule }) => (rule.action === 'Allow' && rule.peers ? cidrsOf(rule.peers, family) : []));

/** A stranger's comes first: what denies it is what denies. */
function openings(
  direction: Direction,
  family: Family,
  from: IpAddress | undefined,
  ports: readonly Port[],
  others: readonly Cidr[],
): Opening[] {
  const stranger = parseIp(STRANGER[family]);
  const peers = from
    ? [from]
    : [...(stranger ? [stranger] : []), ...others.slice(0, MOST_PEERS).map(({ base }) => ipFromValue(family, base))];
  return peers.flatMap((peer) =>
    ports.map(({ protocol, port }) => ({
      direction,
      peer,
      protocol: protocol === 'icmp' && family === 6 ? 'icmpv6' : protocol,
      port,
    })),
  );
}

function denied(judged: readonly Judged[], about: About): Outcome {
  // A listener that refuses strangers takes others: what denies those is to be told.
  const first = judged.find(({ refusing }) => !refusing) ?? judged[0];
  const { policy, opening, refusing } = first ?? {};
  if (first && opening && refusing)
    return fault('SourceNotAllowed', [`${nameOf(opening)} is denied by ${wordsFor(first, about)}`]);
  if (!first || !opening || !policy)
    return fault('DefaultIngressDenies', [`defaultIngress of VpcGateway/${about.model.name} is Deny`]);
  const what = `${nameOf(opening)} is denied by ${wordsFor(first, about)}`;
  if (about.model.firewall.baselines.includes(policy)) return fault('BaselineDenies', [what]);
  const later = allowing(opening, policy, about);
  if (!first.rule || !later) return fault('FirewallDenies', [what]);
  return fault('FirewallShadowed', [
    what,
    `rule ${later.rule.priority} of ${later.policy.origin.id} would allow it (${about.placeOfRule(later.policy, later.rule)})`,
  ]);
}

/** A rule of the same policies that is never asked, since another one decides before it. */
const allowing = (opening: Opening, { name }: Policy, { model }: About): RuleOf | undefined => {
  const { attached, ofGateway } = model.firewall;
  const own = [...attached, ...ofGateway].filter((policy) => policy.name === name);
  return rulesOf(own, opening.direction).find(({ rule }) => rule.action === 'Allow' && matches(rule, opening));
};

const wordsFor = ({ policy, rule, refusing }: Judged, { placeOf, placeOfRule }: About): string => {
  if (refusing) return `allowedSources of ${refusing.balancer.origin.id} (${placeOf(refusing.balancer.origin)})`;
  if (!policy) return 'defaultIngress';
  return rule
    ? `rule ${rule.priority} of ${policy.origin.id} (${placeOfRule(policy, rule)})`
    : `${policy.origin.id}, of which no rule matches (${placeOf(policy.origin)})`;
};

const nameOf = ({ protocol, port, peer, direction }: Opening): string =>
  `${protocol}${port > 0 ? ` ${port}` : ''} ${direction === 'Ingress' ? 'from' : 'to'} ${peer.text}`;

/** What opens it, once for each that does, and what denies strangers. */
function opened(judged: readonly Judged[], about: About): string[] {
  const [stranger] = judged;
  const openers = judged.filter(({ open }) => open);
  if (stranger?.open) return [`${nameOf(stranger.opening)} is let in by ${wordsFor(stranger, about)}`];
  return [
    ...new Map(
      openers.map((each) => [wordsFor(each, about), `${nameOf(each.opening)} is let in by ${wordsFor(each, about)}`]),
    ).values(),
    ...(stranger ? [`others are denied by ${wordsFor(stranger, about)}`] : []),
  ];
}

export const egress: Check = known('Egress', ['Led'], (about) => {
  const { subject, question, model } = about;
  if (subject.exits.length === 0) return skipped('nothing leaves by it');
  if (subject.kind !== 'snat' && question.port) return skipped('a connection from outside was asked about');
  if (!judges(model.firewall, 'Egress')) return pass('no policy judges it');
  const all = subject.exits.map((exit) => judgeExit(exit, about));
  const shut = all.find((judged) => judged.every(({ open }) => !open));
  const [first] = shut ?? [];
  if (!first) return pass('connections to outside are let through');
  const code = subject.kind === 'snat' ? 'EgressDenied' : 'NothingMayLeave';
  const isBaseline = first.policy !== undefined && model.firewall.baselines.includes(first.policy);
  const fix = isBaseline ? "it is the operator's baseline, which no policy overrides: ask the operator" : undefined;
  return fault(code, [`${nameOf(first.opening)} is denied by ${wordsFor(first, about)}`], fix);
});

/** Of a source that was asked for, as it leaves; else of the exit's own, whoever has some of its sources too. */
function policiesOfExit({ rule }: Exit, { subject, question: { from }, model: { firewall }, judge }: About) {
  if (subject.kind === 'snat' && from) return judge.leavingPolicies(from.text);
  return rule ? poolPolicies(rule, firewall) : subject.elasticIps.flatMap((eip) => policiesOf(eip, firewall));
}

function judgeExit(exit: Exit, about: About): Judged[] {
  const {
    subject,
    question,
    model: { firewall },
  } = about;
  const { source } = exit;
  const asks = subject.kind === 'snat';
  const own = policiesOfExit(exit, about);
  const rules = rulesOf([...firewall.baselines, ...own, ...firewall.ofGateway], 'Egress');
  const ports = asks && question.port ? [portAsked(question.port)] : allowedPorts(rules);
  return openings('Egress', source.family, undefined, ports, spokenOf(rules, source.family)).map((opening) => {
    const verdict = verdictOf(firewall, own, opening);
    return {
      opening,
      open: verdict?.action !== 'Deny' && verdict?.action !== 'Reject',
      ...(verdict && { policy: verdict.policy, rule: verdict.rule }),
    };
  });
}
