/** Who takes the traffic: 1:1, DNAT, SNAT, or another than the one that was asked about. Pure. */
import { type About, type Check, fault, known, type Outcome, pass, some } from '../check.js';
import { spanOf } from '../../../model/balancer.js';
import { isHeld } from '../../../features/elastic-ip.js';
import type { Origin } from '../../../model/gateway-model.js';
import type { Cidr, IpAddress } from '../../../model/ip.js';
import { bitsOf, containsCidr, hostCidr } from '../../../model/ip.js';
import type { AskedPort, Entry, Exit } from '../subject.js';
import { entriesAsked, listenersAsked, tunnelsAsked } from './asked.js';

export const led: Check = known('Led', ['Programmed'], (about) =>
  about.subject.kind === 'snat' ? judgeWayOut(about) : judgeWayIn(about),
);

function judgeWayIn(about: About): Outcome {
  const { subject, question, model } = about;
  const { exits, elasticIps } = subject;
  const [eip] = elasticIps;
  if (eip && isHeld(eip, model.frame)) return fault('Held', [`${eip.address.text} has no target and no rule`]);
  const before = [...listenersOf(about), ...tunnelsOf(about)];
  const asked = entriesAsked(about);
  if (question.port && asked.length === 0 && before.length === 0) return fault('NotLed', [unled(about)]);
  return pass(
    ...some([
      ...before,
      ...asked.map((entry) => wayIn(entry, about)),
      ...(question.port ? [] : exits.map((exit) => wayOut(exit, about))),
    ]),
  );
}

const listenersOf = (about: About): string[] =>
  listenersAsked(about).map(
    ({ balancer: { origin }, listener: { protocol, ports, pool } }) =>
      `${protocol} ${spanOf(ports)} leads to the members of ${pool.name}: ${origin.id} (${about.placeOf(origin)})`,
  );

const tunnelsOf = (about: About): string[] =>
  tunnelsAsked(about).map(({ connection: { origin }, ends }) => {
    const texts = ends.map(({ protocol, port }) => (port > 0 ? `${protocol} ${port}` : protocol));
    return `${texts.join(', ')} leads to the tunnel: ${origin.id} (${about.placeOf(origin)})`;
  });

/** A `DnatRule` may be asked for a port that another one has, a listener or a tunnel. */
function unled({ subject, question: { port }, judge, placeOf }: About): string {
  const address = subject.elasticIps[0]?.address.text ?? '';
  const what = `${port?.protocol}${port?.number ? ` ${port.number}` : ''} of ${address}`;
  const other = port && takerAt(judge, address, port);
  return other ? `${what} is led by ${other.origin.id} (${placeOf(other.origin)})` : `nothing leads ${what}`;
}

const takerAt = (
  judge: About['judge'],
  address: string,
  { protocol, number }: AskedPort,
): { origin: Origin } | undefined =>
  judge.listenerFor(address, protocol, number)?.balancer ??
  judge.tunnelFor(address, protocol, number) ??
  judge.ruleFor(address, protocol, number);

const wayIn = ({ elasticIp, rule, target, origin }: Entry, { placeOf }: About): string =>
  rule
    ? `${rule.protocol}${rule.ports ? ` ${rule.ports.first}${rule.ports.last > rule.ports.first ? `-${rule.ports.last}` : ''}` : ''} of ${elasticIp.address.text} leads to ${target.text}${rule.targetPort === undefined ? '' : ` port ${rule.targetPort}`}: ${origin.id} (${placeOf(origin)})`
    : `${elasticIp.address.text} leads to ${target.text}, 1:1`;

const wayOut = ({ source, rule, origin }: Exit, { placeOf }: About): string =>
  rule ? `${source.text} leaves by it: ${origin.id} (${placeOf(origin)})` : `${source.text} leaves by it, 1:1`;

function judgeWayOut(about: About): Outcome {
  const { subject, question, placeOf } = about;
  const { from } = question;
  if (from) {
    const other = takerOf(from, about);
    if (other?.id === subject.origin.id) return pass(`${from.text} leaves by it`);
    const words = other ? `leaves by ${other.id} (${placeOf(other)})` : 'is no source of any rule';
    return fault('LeavesByAnother', [`${from.text} ${words}`]);
  }
  const taken = subject.exits.filter(({ source }) => isTaken(source, about));
  if (taken.length < subject.exits.length || taken.length === 0)
    return pass(...some(subject.exits.map((exit) => `${exit.source.text} leaves by it`)));
  return fault(
    'SnatShadowed',
    some(taken.map(({ source }) => `${source.text}: ${takersOf(source, about).join(', ')}`)),
  );
}

function takerOf({ text }: IpAddress, { model, judge }: About): Exit['origin'] | undefined {
  return model.byTarget.get(text)?.origin ?? judge.sharedWayOf(text)?.origin;
}

/** Prefixes that others have inside this one; a bound address is one of its own. */
function narrower(source: Cidr, { model, subject }: About): { cidr: Cidr; id: string }[] {
  const rules = model.snatRules.filter(({ name }) => name !== subject.name);
  const all = [
    ...rules.flatMap((rule) => rule.sources.map((cidr) => ({ cidr, id: rule.origin.id }))),
    ...[...model.byTarget.values()].flatMap((eip) =>
      eip.target ? [{ cidr: hostCidr(eip.target), id: eip.origin.id }] : [],
    ),
  ];
  return all.filter(({ cidr }) => cidr.length >= source.length && containsCidr(source, cidr));
}

const takersOf = (source: Cidr, about: About): string[] =>
  some([...new Set(narrower(source, about).map(({ id }) => id))]);

/** Whether they leave nothing of it: walked from its first address, past each that takes the next. */
function isTaken(source: Cidr, about: About): boolean {
  const bits = bitsOf(source.family);
  const spans = narrower(source, about)
    .map(({ cidr }) => ({ first: cidr.base, last: cidr.base + (1n << BigInt(bits - cidr.length)) - 1n }))
    .sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  let next = source.base;
  for (const { first, last } of spans) {
    if (first > next) return false;
    if (last >= next) next = last + 1n;
  }
  return next >= source.base + (1n << BigInt(bits - source.length));
}
