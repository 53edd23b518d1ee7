/**
 * The rules by which a member of a `Strict` pair needs the consent of another voter, of which there are two: the other
 * member's kernel, and a third. Guarantees, with all processes of either member frozen or dead:
 * 1. A lease is begun and prolonged only by an answer of the other kernel to a question that is at most
 *    `ANSWERED_WITHIN_MS` old, or by an advert that leaves while the third voter's grant stands.
 * 2. A kernel that answers promises not to begin a lease before all that its answer allows is over, and does not answer
 *    while it has a lease itself. So an answer and any lease of who gave it exclude each other.
 * 3. A grant ends a fixed time after the question for it was sent, however late its answer came or was heeded.
 * A question is an advert to the witness, made a datagram to the peer, which its kernel sends back.
 */
import {
  ANSWERED_WITHIN_MS,
  GRANTED_FOR_MS,
  GRANTED_WITHIN_MS,
  heardMs,
  type HighAvailability,
  type MemberPath,
} from '../../model/high-availability.js';
import { ANSWER_PORT, LEASE_SET, QUESTION_PORT, VOTE_PORTS, witness } from '../../model/ownership.js';
import { spell, URGENT } from './words.js';

/** How far a question and an answer have come: each forwarding takes one. */
const HOPS = { question: 254, answer: 253 } as const;
/** An advert with one address: what follows UDP's header is of no meaning. */
const ADVERT_BYTES = 12;
/** Longer than an answer may take: who asks itself refuses until it knows. */
const ASKS_FOR_MS = ANSWERED_WITHIN_MS + 20;

const [IN, OUT] = ['meta iiftype', 'meta oiftype'];

export const strictSets = (): string[] => [
  set('asked', 'typeof ip id', 4096, ANSWERED_WITHIN_MS),
  set('asking', 'type iface_type', 16, ASKS_FOR_MS),
  set('questions', 'type inet_service', 256, GRANTED_WITHIN_MS),
  set('vote', 'type iface_type', 16, GRANTED_FOR_MS),
];

const set = (name: string, type: string, size: number, ms: number): string =>
  `set ${name} {\n${type}\nsize ${size}\nflags dynamic,timeout\ntimeout ${spell(ms)}\n}`;

/** What was promised before the table stood is not known: as if it were all. */
export const promised = (table: string, highAvailability: HighAvailability): string =>
  `add element netdev ${table} heard { ether timeout ${spell(heardMs(highAvailability))} }`;

/** Of two that ask each other at once, the one of the higher address is answered. */
const isHigher = ({ address, peer }: MemberPath): boolean => address.value > peer.value;

/** As the other member's voter, and as who asked it. */
export function strictHears(path: MemberPath): string[] {
  const between = `ip saddr ${path.peer.text} ip daddr ${path.address.text}`;
  const question = `${between} ip ttl ${HOPS.question} udp dport ${QUESTION_PORT}`;
  const answer = `${between} ip ttl ${HOPS.answer} udp dport ${ANSWER_PORT}`;
  return [
    `${question} ${IN} @${LEASE_SET} drop`,
    ...(isHigher(path) ? [`${question} ${IN} @asking drop`] : []),
    `${question} update @heard { ${IN} } ${URGENT} ip saddr set ${path.address.text} ip daddr set ${path.peer.text} udp dport set ${ANSWER_PORT} udp checksum set 0 fwd ip to ${path.peer.text} device "${path.interface}"`,
    `${answer} ip id != @asked drop`,
    `${answer} ${IN} @${LEASE_SET} update @${LEASE_SET} { ${IN} }`,
    `${answer} ${IN} != @heard update @${LEASE_SET} { ${IN} }`,
  ];
}

/** What this member's supervisor tells its own kernel of the third voter. */
export function strictVotes(): string[] {
  const told = (port: number): string => `ip daddr ${witness(4)} udp dport ${port}`;
  const granted = `${told(VOTE_PORTS.granted)} udp sport @questions`;
  return [
    `${told(VOTE_PORTS.asked)} update @questions { udp sport } drop`,
    `${granted} update @vote { ${OUT} }`,
    `${granted} ${OUT} @${LEASE_SET} update @${LEASE_SET} { ${OUT} }`,
    `${told(VOTE_PORTS.granted)} drop`,
    `${told(VOTE_PORTS.returned)} delete @vote { ${OUT} } drop`,
  ];
}

/** `active` and `givesWay` match an advert's content. */
export function strictSays(path: MemberPath, active: string, givesWay: string): string[] {
  const advert = `ip saddr ${path.address.text} ip daddr ${witness(4)} ip protocol vrrp`;
  const asUdp = [
    `th sport set ${QUESTION_PORT}`,
    `th dport set ${QUESTION_PORT}`,
    `@th,32,16 set 0x${ADVERT_BYTES.toString(16)}`,
    `@th,48,16 set 0x0`,
  ].join(' ');
  return [
    // The other need not wait then; nor may an answer that is under way begin anything.
    `${advert} ${givesWay} update @heard { ${OUT} } delete @${LEASE_SET} { ${OUT} } drop`,
    `${advert} ${active} ${OUT} != @${LEASE_SET} ${OUT} @heard drop`,
    `${advert} ${active} ${OUT} @vote update @${LEASE_SET} { ${OUT} }`,
    ...(isHigher(path) ? [`${advert} ${active} ${OUT} != @${LEASE_SET} update @asking { ${OUT} }`] : []),
    `${advert} ${active} ip protocol set 17 update @asked { ip id } ${URGENT} ${asUdp} ip daddr set ${path.peer.text} fwd ip to ${path.peer.text} device "${path.interface}"`,
    `${advert} drop`,
  ];
}
