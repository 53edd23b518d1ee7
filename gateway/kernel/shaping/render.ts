/** Entries → lines of `tc -batch`. */
import { SHAPING } from '../../model/ownership.js';
import type { Line } from '../state.js';
import { bitsOf, burstOf, type Entry } from './entry.js';

const INNER_QUANTUM = 60_000;

/** `former`: what stands there already. A class is changed in place, and with it only a queue that differs. */
export function renderAdd([key, text]: Entry, former: string | undefined): string[] {
  const { device, parent, words } = partsOf(key);
  if (words.length === 0)
    return [
      text === 'ingress'
        ? `qdisc add dev ${device} handle ${parent} ingress`
        : `qdisc replace dev ${device} root handle ${parent} ${text}`,
    ];
  const [first = '', second = '', third = ''] = words;
  if (first === 'class') return renderClass(device, second, text, former);
  const filter = filterOf(device, parent, first, second);
  // A node cannot get other keys, only be made anew.
  const lines = former === undefined ? [] : [`filter del ${filter} handle ${third} u32`];
  return [...lines, `filter add ${filter} handle ${third} u32 ${nodeArguments(third, text)}`];
}

/** Only of what can go alone; a filter's root goes with its whole preference. */
export function renderRemove(key: string): string {
  const { device, parent, words } = partsOf(key);
  if (words.length === 0) return `qdisc del dev ${device} ${parent === SHAPING.ingress ? 'ingress' : 'root'}`;
  const [first = '', second = '', third] = words;
  if (first === 'class') return `class del dev ${device} classid ${second}`;
  const filter = filterOf(device, parent, first, second);
  return third === undefined ? `filter del ${filter}` : `filter del ${filter} handle ${third} u32`;
}

export function renderQuestion(key: string): string {
  const { device, parent, words } = partsOf(key);
  return `filter get ${filterOf(device, parent, words[0] ?? '', words[1] ?? '')} handle ${words[2]} u32`;
}

function partsOf(key: string): { device: string; parent: string; words: string[] } {
  const [device = '', parent = '', ...words] = key.split(' ');
  return { device, parent, words };
}

const filterOf = (device: string, parent: string, protocol: string, pref: string): string =>
  `dev ${device} parent ${parent} protocol ${protocol} prio ${pref}`;

function renderClass(device: string, id: string, text: string, former: string | undefined): string[] {
  const [, place = '', quantum = '', rate = '', ceiling = '', queue] =
    /^(root|parent \S+)(?: quantum (\d+))? rate (\S+) ceil (\S+)(?: leaf (.*))?$/.exec(text) ?? [];
  const parent = place === 'root' ? `parent ${SHAPING.root}` : place;
  const burst = `burst ${burstOf(bitsOf(rate))}b cburst ${burstOf(bitsOf(ceiling))}b quantum ${quantum === '' ? INNER_QUANTUM : quantum}`;
  const lines = [`class replace dev ${device} ${parent} classid ${id} htb rate ${rate} ceil ${ceiling} ${burst}`];
  if (queue !== undefined && queue !== / leaf (.*)$/.exec(former ?? '')?.[1])
    lines.push(`qdisc replace dev ${device} parent ${id} handle ${id.split(':')[1]}: ${queue}`);
  return lines;
}

/** From the words of `show` to those of `add`. */
function nodeArguments(handle: string, text: string): string {
  const table = handle.startsWith('::') ? '' : `ht ${handle.split(':').slice(0, 2).join(':')}: `;
  if (text.startsWith('divisor')) return text;
  return (
    table +
    text
      .replace(/match ([0-9a-f]{8})\/([0-9a-f]{8})/g, 'match u32 0x$1 0x$2')
      .replace(/hash ([0-9a-f]{8}) at/, 'hashkey mask 0x$1 at')
      .replace(/flowid (\S+):$/, 'flowid $1:0')
      .replace(/redirect (\S+)/, 'action mirred egress redirect dev $1')
  );
}

export const asLines = (texts: readonly string[], origin: Line['origin']): Line[] =>
  texts.map((text) => ({ text, origin }));
