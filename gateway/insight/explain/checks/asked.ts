/** What of an object a question is about. Pure. */
import type { LoadBalancer, Placed } from '../../../model/balancer.js';
import type { Opening } from '../../../model/firewall.js';
import type { DnatRule, ElasticIp } from '../../../model/gateway-model.js';
import { endsOf, type VpnConnection } from '../../../model/vpn.js';
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

/** Where a connection is opened to. */
export type Port = Pick<Opening, 'protocol' | 'port'>;

/** A tunnel, and those of its ends that are meant. */
export interface Ending {
  readonly connection: VpnConnection;
  readonly ends: readonly Port[];
}

/** The tunnels that are meant: all, or the one that takes the port which was asked for. */
export function tunnelsAsked({ subject, question: { port }, model }: About): readonly Ending[] {
  return model.vpnConnections
    .filter(({ elasticIp, origin }) => [elasticIp.origin.id, origin.id].includes(subject.origin.id))
    .map((connection) => ({
      connection,
      ends: endsOf(connection).filter((end) => !port || (end.protocol === port.protocol && end.port === port.number)),
    }))
    .filter(({ ends }) => ends.length > 0);
}

/** What the firewall judges on its way in. */
export interface Opened {
  readonly elasticIp: ElasticIp;
  /** Of a port rule or a listener; `undefined`: of any protocol and port. */
  readonly rule?: Pick<DnatRule, 'protocol' | 'ports'> | undefined;
  /** Of a listener. */
  readonly placed?: Placed;
  /** Of a tunnel: one of them is enough. */
  readonly ends?: readonly Port[];
}

export const openedAsked = (about: About): readonly Opened[] => [
  ...entriesAsked(about),
  ...listenersAsked(about).flatMap((placed) => {
    const { elasticIp } = placed.balancer;
    return elasticIp ? [{ elasticIp, rule: placed.listener, placed }] : [];
  }),
  ...tunnelsAsked(about)
    .filter(({ connection }) => waitsForCalls(connection))
    .flatMap(openedBy),
];

/** What the gateway opens and holds open itself needs nobody's leave to come in. */
const waitsForCalls = (connection: VpnConnection): boolean =>
  connection.type === 'IPsec'
    ? connection.ipsec.peer === undefined
    : connection.wireGuard.peers.some(({ endpoint, keepaliveMs }) => !endpoint || keepaliveMs === 0);

/** IKE begins a tunnel of IPsec; what it carries comes as ESP, or in UDP where a NAT is on the way. */
const openedBy = ({ connection: { elasticIp }, ends: [first, ...others] }: Ending): Opened[] =>
  [first ? [first] : [], others].filter(({ length }) => length > 0).map((ends) => ({ elasticIp, ends }));
