/**
 * The vocabulary of shaping: each object of traffic control as a key and a text, both in the words of `tc … show`.
 *
 *   vg-ext0 1:                    htb default 0 direct_qlen 1000
 *   vg-ext0 1: class 1:10         parent 1:1 quantum 1514 rate 10Mbit ceil 10Mbit leaf bfifo limit 128Kb
 *   vg-ext0 1: ip 100 100:        divisor 256
 *   vg-ext0 1: ip 100 ::1         match 00000000/00000000 at 0 hash 000000ff at 12 link 100:
 *   vg-ext0 1: ip 100 100:a:1     match cb00710a/ffffffff at 12 flowid 1:10
 *   vg-ext0 ffff:                 ingress
 *   vg-ext0 ffff: ip 10 ::1       match 00000000/00000000 at 0 redirect vi-ext0
 *
 * A key begins with the keys of all that it hangs on, and what is below a trunk (a qdisc, a filter's root node) goes
 * with it. A class's burst stands in its text only where it is not the one that follows from its rate.
 */
import type { Direction } from '../../model/bandwidth.js';
import type { Cidr, Family, IpAddress } from '../../model/ip.js';
import { SHAPING } from '../../model/ownership.js';

/** Key and text. */
export type Entry = readonly [key: string, text: string];

/** Long enough for what one interrupt brings; in the first second it comes on top, and a last large packet too. */
const BURST_S = 0.04;
const MOST_BURST_BYTES = 32_000_000;
const QUEUE_S = 0.1;
const TURN_S = 0.01;
const FRAME_BYTES = 1514;
/**
 * Three initial windows of TCP. More would be a second of waiting at 1 Mbit, in which a sender gives up and sends again;
 * less would drop the large packets that offload makes of several.
 */
const LEAST_QUEUE_BYTES = 48_000;
const MOST_QUEUE_BYTES = 32_000_000;
const MOST_QUANTUM_BYTES = 60_000;
const BUCKETS = 256;
/** A node's number has 12 bits, and 0 means any. */
const NODES = 0xfff;

export const burstOf = (bitsPerSecond: number): number =>
  Math.min(Math.max(Math.floor((bitsPerSecond / 8) * BURST_S), 2 * FRAME_BYTES), MOST_BURST_BYTES);

/**
 * What one of several gets in its turn. HTB gives the next turn after each packet that is larger, so less would favour
 * whoever sends larger packets.
 */
export const quantumOf = (sharedBitsPerSecond: number): number =>
  Math.round(Math.min(Math.max((sharedBitsPerSecond / 8) * TURN_S, 2 * FRAME_BYTES), MOST_QUANTUM_BYTES));

/** As `tc` prints it; it gives no more digits than a rate of the document language has. */
export function rateText(bitsPerSecond: number): string {
  let rate = bitsPerSecond < 1000 ? Math.floor(bitsPerSecond) : Math.floor(bitsPerSecond / 1000) * 1000;
  let unit = 0;
  for (; unit < 4 && rate >= 1000 && !(rate % 1000 !== 0 && rate < 1_000_000); unit++) rate = Math.floor(rate / 1000);
  return `${rate}${UNITS[unit] ?? ''}bit`;
}

const UNITS = ['', 'K', 'M', 'G', 'T'];

/** Bits a second of what `tc` prints. */
export function bitsOf(rate: string): number {
  const [, number, unit = ''] = /^(\d+)([KMGT]?)bit$/.exec(rate) ?? [];
  return Number(number) * 1000 ** UNITS.indexOf(unit);
}

/** Of a class's text. */
export const ceilingOf = (text: string): number => bitsOf(/ ceil (\S+)/.exec(text)?.[1] ?? '');

/** As `tc` prints it. */
export function sizeText(bytes: number): string {
  for (const [unit, size, slack] of [
    ['Mb', 1_048_576, 1024],
    ['Kb', 1024, 16],
  ] as const) {
    const whole = Math.round(bytes / size);
    if (bytes >= size && Math.abs(whole * size - bytes) < slack) return `${whole}${unit}`;
  }
  return `${bytes}b`;
}

/** A queue for one class: of few flows and bounded memory, as there may be thousands. */
export function leafText(leaf: 'fq_codel' | 'bfifo', bitsPerSecond: number, flows: number): string {
  if (leaf === 'fq_codel') return `fq_codel limit 1000 flows ${flows} memory_limit 4Mb`;
  const bytes = Math.min(Math.max(Math.floor((bitsPerSecond / 8) * QUEUE_S), LEAST_QUEUE_BYTES), MOST_QUEUE_BYTES);
  return `bfifo limit ${sizeText(bytes)}`;
}

const minorText = (minor: number): string => `1:${minor.toString(16)}`;

export const rootEntry = (device: string): Entry => [`${device} ${SHAPING.root}`, 'htb default 0 direct_qlen 1000'];

export interface ClassOptions {
  readonly minor: number;
  readonly parent: number | undefined;
  readonly rate: number;
  readonly ceiling: number;
  /** Of a class that packets wait in. */
  readonly leaf?: { readonly quantum: number; readonly queue: string };
}

export function classEntry(device: string, { minor, parent, rate, ceiling, leaf }: ClassOptions): Entry {
  const place = parent === undefined ? 'root' : `parent ${minorText(parent)}`;
  const rates = `rate ${rateText(rate)} ceil ${rateText(ceiling)}`;
  return [
    `${device} 1: class ${minorText(minor)}`,
    leaf ? `${place} quantum ${leaf.quantum} ${rates} leaf ${leaf.queue}` : `${place} ${rates}`,
  ];
}

const ANYTHING = 'match 00000000/00000000 at 0';
const protocolOf = (family: Family): string => (family === 4 ? 'ip' : 'ipv6');

/** Where the address of our side stands in the header: outside sends to it, and the VPC leaves by it. */
const offsetOf = (family: Family, direction: Direction): number =>
  direction === 'egress' ? (family === 4 ? 12 : 8) : family === 4 ? 16 : 24;

const word = (value: bigint): string => value.toString(16).padStart(8, '0');

/** Word by word, from the left. */
function matchPrefix({ family, base, length }: Cidr, direction: Direction): string {
  const words = family === 4 ? 1 : 4;
  const parts: string[] = [];
  for (let i = 0; i < words; i++) {
    const bits = Math.min(Math.max(length - 32 * i, 0), 32);
    if (bits === 0) continue;
    const mask = (0xffffffffn << BigInt(32 - bits)) & 0xffffffffn;
    const value = (base >> BigInt(32 * (words - 1 - i))) & 0xffffffffn;
    parts.push(`match ${word(value & mask)}/${word(mask)} at ${offsetOf(family, direction) + 4 * i}`);
  }
  return parts.join(' ');
}

/** Elastic IPs are found by a table of the last byte; one table holds so many that no bucket can overflow. */
export const bankOf = (number: number): number => Math.floor((number - 1) / NODES);
/**
 * A table cannot be taken away but with the whole tree, since the node that links to it has a number of the kernel's
 * own. So there are always as many as nearly every gateway needs.
 */
export const LEAST_BANKS = 2;

const prefOf = (family: Family, bank: number): number => SHAPING.pref.elasticIps + 2 * bank + (family === 4 ? 0 : 1);
const tableOf = (family: Family, bank: number): string => ((family === 4 ? 0x100 : 0x200) + bank).toString(16);

export function bankEntries(device: string, direction: Direction, family: Family, bank: number): Entry[] {
  const filter = `${device} 1: ${protocolOf(family)} ${prefOf(family, bank)}`;
  const table = tableOf(family, bank);
  const last = offsetOf(family, direction) + (family === 4 ? 0 : 12);
  return [
    [`${filter} ${table}:`, `divisor ${BUCKETS}`],
    [`${filter} ::1`, `${ANYTHING} hash 000000ff at ${last} link ${table}:`],
  ];
}

/** Leads what an address sends or receives to its class. */
export function addressEntry(
  device: string,
  direction: Direction,
  address: IpAddress,
  number: number,
  minor: number,
): Entry {
  const { family, value } = address;
  const bank = bankOf(number);
  const bucket = (value & 0xffn).toString(16);
  const node = (((number - 1) % NODES) + 1).toString(16);
  const host = { family, base: value, length: family === 4 ? 32 : 128, text: '' };
  return [
    `${device} 1: ${protocolOf(family)} ${prefOf(family, bank)} ${tableOf(family, bank)}:${bucket}:${node}`,
    `${matchPrefix(host, direction)} flowid ${minorText(minor)}`,
  ];
}

/** Neighbour discovery and multicast listeners: ICMPv6 132 to 137 that came over no router, as the hop limit says. */
const NEIGHBOURS = ['84000000/fc000000', '88000000/fe000000'].map(
  (types) => `match 00003aff/0000ffff at 4 match ${types} at 40`,
);

/** What never counts, and what shares the class of the rest. */
export function ceilingEntries(device: string, direction: Direction, own: readonly Cidr[]): Entry[] {
  return ([4, 6] as const).flatMap((family, i) => {
    const unshaped = own.filter((cidr) => cidr.family === family).map((cidr) => matchPrefix(cidr, direction));
    if (family === 6) unshaped.push(...NEIGHBOURS);
    const filter = (pref: number): string => `${device} 1: ${protocolOf(family)} ${pref + i}`;
    return [
      ...unshaped.map((match, k): Entry => [
        `${filter(SHAPING.pref.unshaped)} ::${(k + 1).toString(16)}`,
        `${match} flowid 1:`,
      ]),
      [`${filter(SHAPING.pref.rest)} ::1`, `${ANYTHING} flowid ${minorText(SHAPING.rest)}`],
    ];
  });
}

/** What comes in by a link is led through another one, since only what goes out of a link can be queued. */
export const redirectEntries = (device: string, ifb: string): Entry[] => [
  [`${device} ${SHAPING.ingress}`, 'ingress'],
  ...([4, 6] as const).map((family, i): Entry => [
    `${device} ${SHAPING.ingress} ${protocolOf(family)} ${10 + i} ::1`,
    `${ANYTHING} redirect ${ifb}`,
  ]),
];
