/**
 * The table that gives connections of listeners idle timeouts of their own, when they are opened and before they are
 * translated. For each timeout an object of connection tracking, a set of the listeners that ask for it, and a rule.
 */
import { normalise } from '../guard/render.js';
import type { Family } from '../../model/ip.js';
import { fnv1a64 } from '../../model/hash.js';
import { IDLE_TABLE } from '../../model/ownership.js';

/** A listener that asks for one, on one of its addresses. */
export interface IdleEntry {
  readonly protocol: 'TCP' | 'UDP';
  readonly family: Family;
  readonly seconds: number;
  /** As nft prints it: `203.0.113.10 . 80`, `2001:db8::1 . 5000-5010`. */
  readonly listener: string;
}

/** Of a connection in other states than the one that idles, in seconds; what is left out is as the kernel has it. */
export type OtherStates = Readonly<Partial<Record<'syn_sent' | 'fin_wait' | 'time_wait' | 'close', number>>>;

/** Between connection tracking and the translation of destinations; as nft prints it. */
const BEFORE_TRANSLATION = 'mangle - 10';

export const CHAIN = `chain prerouting { type filter hook prerouting priority ${BEFORE_TRANSLATION}; policy accept;`;

/** Empty where no listener asks for any. */
export function idleTable(entries: readonly IdleEntry[], states: OtherStates): string {
  if (entries.length === 0) return '';
  const classes = new Map<string, IdleEntry[]>();
  for (const entry of entries) {
    const name = nameOf(entry, states);
    const known = classes.get(name);
    if (known) known.push(entry);
    else classes.set(name, [entry]);
  }
  const all = [...classes].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    `table inet ${IDLE_TABLE} {`,
    ...all.map(([name, [first]]) => (first ? objectText(name, first, states) : '')),
    ...all.map(([name, members]) => setText(name, members)),
    CHAIN,
    ...all.map(([name, [first]]) => (first ? ruleText(name, first) : '')),
    '}',
    '}',
  ].join('\n');
}

/** Says all that is in the object, which nft prints only where it is not what nft takes for the kernel's default. */
function nameOf({ protocol, family, seconds }: IdleEntry, states: OtherStates): string {
  const others = protocol === 'TCP' ? policyOf(states) : '';
  return `${protocol.toLowerCase()}${family}-${seconds}${others === '' ? '' : `-${fnv1a64(others).slice(0, 8)}`}`;
}

const policyOf = (states: OtherStates): string =>
  Object.entries(states)
    .map(([state, seconds]) => `${state} : ${seconds}`)
    .join(', ');

function objectText(name: string, { protocol, family, seconds }: IdleEntry, states: OtherStates): string {
  const policy =
    protocol === 'TCP'
      ? [`established : ${seconds}`, policyOf(states)].filter(Boolean).join(', ')
      : `unreplied : ${seconds}, replied : ${seconds}`;
  const network = family === 4 ? 'ip' : 'ip6';
  return `ct timeout ${name} { protocol ${protocol.toLowerCase()}; l3proto ${network}; policy = { ${policy} }; }`;
}

function setText(name: string, entries: readonly IdleEntry[]): string {
  const elements = [...new Set(entries.map(({ listener }) => listener))].sort().join(', ');
  const type = `${entries[0]?.family === 6 ? 'ipv6' : 'ipv4'}_addr . inet_service`;
  return `set ${name} { type ${type}; flags interval; elements = { ${elements} }; }`;
}

function ruleText(name: string, { protocol, family }: IdleEntry): string {
  const destination = `${family === 4 ? 'ip' : 'ip6'} daddr . ${protocol.toLowerCase()} dport`;
  return `ct state new ${destination} @${name} ct timeout set "${name}"`;
}

const OBJECT = /ct timeout ([\w-]+) \{[^{}]*\{[^{}]*\}[^{}]*\}/g;

export const objectsOf = (text: string): ReadonlyMap<string, string> =>
  new Map([...text.matchAll(OBJECT)].map(([object, name = '']) => [name, object]));

const SET = /\bset ([\w-]+) \{[^{}]*(?:\{[^{}]*\}[^{}]*)?\}/g;

export const setsOf = (text: string): ReadonlyMap<string, string> =>
  new Map([...text.matchAll(SET)].map(([set, name = '']) => [name, set]));

export const withoutObjects = (text: string, names: ReadonlySet<string>): string =>
  text.replace(OBJECT, (object, name: string) => (names.has(name) ? '' : object));

/** One spelling for what we write and what nft prints, in the order of their making; of objects their names, which say all. */
export const spelt = (text: string): string =>
  [
    ...[...objectsOf(text).keys()].sort(),
    ...[...setsOf(text).values()].map(normalise).sort(),
    normalise(text.replace(OBJECT, '').replace(SET, '')),
  ].join('\n');
