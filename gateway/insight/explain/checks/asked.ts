/** What of an object a question is about. Pure. */
import type { LoadBalancer, Placed } from '../../../model/balancer.js';
import type { DnatRule, ElasticIp } from '../../../model/gateway-model.js';
import type { About } from '../check.js';
import { type Entry, entryTaking, type SubjectKind } from '../subject.js';

/** The ways in that are meant: all, or the one that takes the port which was asked for. */
export function entriesAsked({ subject, question, judge }: About): readonly Entry[] {
  if (!question.port || subject.kind === 'snat') return subject.entries;
  const taking = entryTaking(subject.entries, question.port, judge);
  return taking ? [taking] : [];
}

const IS_MEANT: Partial<Record<SubjectKind, (balancer: LoadBalancer, name: string) => boolean>> = {
  eip: ({ elasticIp }, name) => elasticIp?.name === name,
  lb: (balancer, name) => balancer.name === name,
};

/** The listeners that are meant: all, or the one that takes the port which was asked for. */
export function listenersAsked({ subject, question: { port }, model }: About): readonly Placed[] {
  const balancers = model.loadBalancers.filter((balancer) => IS_MEANT[subject.kind]?.(balancer, subject.name));
  return balancers.flatMap((balancer) =>
    balancer.listeners
      .filter(
        ({ protocol, ports: { first, last } }) =>
          !port || (port.protocol === protocol.toLowerCase() && port.number >= first && port.number <= last),
      )
      .map((listener) => ({ balancer, listener })),
  );
}

/** What the firewall judges on its way in. */
export interface Opened {
  readonly elasticIp: ElasticIp;
  /** `undefined`: of any protocol and port. */
  readonly rule: Pick<DnatRule, 'protocol' | 'ports'> | undefined;
}

export const openedAsked = (about: About): readonly Opened[] => [
  ...entriesAsked(about),
  ...listenersAsked(about).flatMap(({ balancer: { elasticIp }, listener }) =>
    elasticIp ? [{ elasticIp, rule: listener }] : [],
  ),
];
