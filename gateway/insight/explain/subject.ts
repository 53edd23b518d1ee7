/** What is asked about: an object, and what of the gateway belongs to it. Pure. */
import type { FlowJudge } from '../../model/flow.js';
import type { DnatRule, ElasticIp, GatewayModel, Origin, SnatRule } from '../../model/gateway-model.js';
import { type Cidr, hostCidr, type IpAddress } from '../../model/ip.js';

export const SUBJECT_KINDS = ['eip', 'snat', 'dnat', 'lb', 'vpn', 'line'] as const;
export type SubjectKind = (typeof SUBJECT_KINDS)[number];

/** A way in: what is opened to an elastic IP ends at a VM. */
export interface Entry {
  readonly elasticIp: ElasticIp;
  readonly target: IpAddress;
  /** `undefined`: 1:1. */
  readonly rule: DnatRule | undefined;
  readonly origin: Origin;
}

/** A way out: sources leave by elastic IPs. */
export interface Exit {
  readonly source: Cidr;
  /** `undefined`: 1:1. */
  readonly rule: SnatRule | undefined;
  readonly origin: Origin;
}

export interface Subject {
  readonly kind: SubjectKind;
  readonly name: string;
  readonly origin: Origin;
  readonly elasticIps: readonly ElasticIp[];
  readonly entries: readonly Entry[];
  readonly exits: readonly Exit[];
}

/** Narrows the checks to one connection; of a `SnatRule` that of a source in the VPC to a port of a far end. */
export interface Question {
  readonly from: IpAddress | undefined;
  readonly port: AskedPort | undefined;
}

export interface AskedPort {
  /** As conntrack names it. */
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  /** 0 for a ping. */
  readonly number: number;
}

/** The kind of the document that each kind of question is about. */
export const DOCUMENT_KINDS = {
  eip: 'ElasticIP',
  snat: 'SnatRule',
  dnat: 'DnatRule',
  lb: 'LoadBalancer',
  vpn: 'VpnConnection',
  line: 'DedicatedLine',
} as const satisfies Record<SubjectKind, string>;

const SUBJECTS: Readonly<
  Record<SubjectKind, (name: string, model: GatewayModel) => Omit<Subject, 'kind'> | undefined>
> = {
  eip(name, model) {
    const eip = model.elasticIps.get(name);
    if (!eip) return undefined;
    const rules = model.dnatRules.filter((rule) => rule.elasticIp.name === name);
    const shared = model.snatRules.filter((rule) => rule.pool.some((member) => member.name === name));
    const { target, origin } = eip;
    return {
      name,
      origin,
      elasticIps: [eip],
      entries: [...rules.map(entryOf), ...(target ? [{ elasticIp: eip, target, rule: undefined, origin }] : [])],
      exits: [...(target ? [{ source: hostCidr(target), rule: undefined, origin }] : []), ...shared.flatMap(exitsOf)],
    };
  },
  snat(name, model) {
    const rule = model.snatRules.find((candidate) => candidate.name === name);
    return rule && { name, origin: rule.origin, elasticIps: rule.pool, entries: [], exits: exitsOf(rule) };
  },
  dnat(name, model) {
    const rule = model.dnatRules.find((candidate) => candidate.name === name);
    return rule && { name, origin: rule.origin, elasticIps: [rule.elasticIp], entries: [entryOf(rule)], exits: [] };
  },
  lb(name, model) {
    const balancer = model.loadBalancers.find((candidate) => candidate.name === name);
    if (!balancer) return undefined;
    const { origin, elasticIp } = balancer;
    return { name, origin, elasticIps: elasticIp ? [elasticIp] : [], entries: [], exits: [] };
  },
  vpn(name, model) {
    const connection = model.vpnConnections.find((candidate) => candidate.name === name);
    return (
      connection && { name, origin: connection.origin, elasticIps: [connection.elasticIp], entries: [], exits: [] }
    );
  },
  line(name, model) {
    const line = model.dedicatedLines.find((candidate) => candidate.name === name);
    return line && { name, origin: line.origin, elasticIps: [], entries: [], exits: [] };
  },
};

export function subjectOf(kind: SubjectKind, name: string, model: GatewayModel): Subject | undefined {
  const found = SUBJECTS[kind](name, model);
  return found && { kind, ...found };
}

/** All of a kind: whose name may be meant by one that is not there. */
export const namesOf = (
  kind: SubjectKind,
  { elasticIps, snatRules, dnatRules, loadBalancers, vpnConnections, dedicatedLines }: GatewayModel,
): string[] =>
  ({
    eip: () => [...elasticIps.keys()],
    snat: () => snatRules.map(({ name }) => name),
    dnat: () => dnatRules.map(({ name }) => name),
    lb: () => loadBalancers.map(({ name }) => name),
    vpn: () => vpnConnections.map(({ name }) => name),
    line: () => dedicatedLines.map(({ name }) => name),
  })[kind]();

const entryOf = (rule: DnatRule): Entry => ({
  elasticIp: rule.elasticIp,
  target: rule.target,
  rule,
  origin: rule.origin,
});

/** Only those of a family that the pool has addresses of. */
const exitsOf = (rule: SnatRule): Exit[] =>
  rule.sources
    .filter((source) => rule.pool.some(({ address }) => address.family === source.family))
    .map((source) => ({ source, rule, origin: rule.origin }));

/** Whether two say the same, wherever in the documents they stand. */
export const sameMeaning = <Part>(a: Part, b: Part): boolean => textOf(a) === textOf(b);

const textOf = (part: unknown): string =>
  JSON.stringify(part, (key, value: unknown) => {
    if (key === 'origin') return undefined;
    if (value instanceof Set || value instanceof Map) return [...(value as Iterable<unknown>)];
    return typeof value === 'bigint' ? value.toString() : value;
  });

/** The way in that takes a connection to that port; `undefined` for none of the subject's. */
export function entryTaking(entries: readonly Entry[], port: AskedPort, judge: FlowJudge): Entry | undefined {
  return entries.find(
    ({ elasticIp: { address }, rule }) =>
      !judge.listenerFor(address.text, port.protocol, port.number) &&
      !judge.tunnelFor(address.text, port.protocol, port.number) &&
      judge.ruleFor(address.text, port.protocol, port.number) === rule,
  );
}
