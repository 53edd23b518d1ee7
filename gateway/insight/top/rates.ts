/** What passes each elastic IP, from two readings of the connection table. Pure. */
import type { Flow } from '../../model/flow.js';
import type { GatewayModel } from '../../model/gateway-model.js';

export interface ElasticIpRate {
  readonly name: string;
  readonly address: string;
  /** Bits a second of IP packets. A connection that was opened and has left the table between the readings is missing. */
  readonly ingress: number;
  readonly egress: number;
  readonly connections: number;
  /** Opened in a second. */
  readonly opened: number;
}

interface Tally {
  ingress: number;
  egress: number;
  connections: number;
  opened: number;
}

export function ratesOf(
  { elasticIps }: Pick<GatewayModel, 'elasticIps'>,
  before: readonly Flow[],
  after: readonly Flow[],
  seconds: number,
): ElasticIpRate[] {
  const known = new Map(before.map((flow) => [keyOf(flow), flow]));
  const tallies = new Map<string, Tally>();
  for (const eip of elasticIps.values())
    tallies.set(eip.address.text, { ingress: 0, egress: 0, connections: 0, opened: 0 });
  for (const flow of after) count(tallies, flow, known.get(keyOf(flow)));
  return [...elasticIps.values()].map(({ name, address }) => {
    const { connections, ...sums } = tallies.get(address.text) as Tally;
    const each = (sum: number): number => Math.round(sum / seconds);
    const [ingress, egress, opened] = [each(sums.ingress * 8), each(sums.egress * 8), each(sums.opened)];
    return { name, address: address.text, ingress, egress, connections, opened };
  });
}

/** A hairpin counts twice: it leaves by one elastic IP and comes in by another. */
function count(tallies: ReadonlyMap<string, Tally>, flow: Flow, before: Flow | undefined): void {
  const { original, reply } = flow;
  // Fewer bytes than before are those of another connection with the same ends.
  const asked = grown(flow.bytes - flow.replyBytes, before && before.bytes - before.replyBytes);
  const answered = grown(flow.replyBytes, before?.replyBytes);
  const add = (tally: Tally | undefined, into: number, out: number): void => {
    if (!tally) return;
    tally.ingress += into;
    tally.egress += out;
    if (!flow.ended) tally.connections++;
    if (!before) tally.opened++;
  };
  add(tallies.get(original.destination), asked, answered);
  if (reply.destination !== original.source) add(tallies.get(reply.destination), answered, asked);
}

const grown = (now: number, before = 0): number => (now >= before ? now - before : now);

const keyOf = ({ protocol, original, icmp }: Flow): string =>
  `${protocol} ${original.source} ${original.sourcePort} ${original.destination} ${original.destinationPort} ${icmp?.id ?? ''}`;
