/**
 * Rules by prefix → a radix tree of chains, so that a packet meets at most 16 comparisons for each level it descends,
 * whatever the number of rules, and one prefix's edit rewrites only the chain it stands in. Guarantees:
 * 1. The longest prefix wins; where its rules end without a verdict, the next longer one that holds is tried.
 * 2. The same entries give the same chains, in whatever order they come.
 * 3. A chain is named after its prefix, so an entry's neighbours keep their chains when it comes and goes.
 */
import { fnv1a64 } from '../../model/hash.js';
import { bitsOf, type Cidr, ipFromValue, networkOf } from '../../model/ip.js';
import { CHAIN_PREFIX } from '../../model/ownership.js';
import type { Line } from '../state.js';

const STRIDE = 4;
const CHAIN_NAME_MAX = 28;

export interface TreeEntry {
  readonly prefix: Cidr;
  /** Of the entries of one prefix, the lower rank stands first. */
  readonly rank: number;
  /** In order; each is what follows the address match, such as `-j ACCEPT`. */
  readonly rules: readonly Line[];
}

/** `letter` (or two) names the tree: its root chain is `VG-<letter>`. `match` is the option that takes the prefix. */
export function prefixTree(
  letter: string,
  match: '-s' | '-d',
  entries: readonly TreeEntry[],
): Map<string, readonly Line[]> {
  const chains = new Map<string, readonly Line[]>();
  const sorted = [...entries].sort(byPrefix);
  const family = sorted[0]?.prefix.family ?? 4;
  const root = networkOf(ipFromValue(family, 0n), 0);
  fillNode(`${CHAIN_PREFIX}${letter}`, root, sorted, { letter, match, chains });
  return chains;
}

function byPrefix(a: TreeEntry, b: TreeEntry): number {
  if (a.prefix.base !== b.prefix.base) return a.prefix.base < b.prefix.base ? -1 : 1;
  return a.prefix.length - b.prefix.length || a.rank - b.rank || (textOf(a) < textOf(b) ? -1 : 1);
}

/** Of entries of one rank no packet meets two; but the order has to be the same whatever order they came in. */
const textOf = ({ rules }: TreeEntry): string => rules.map(({ text }) => text).join();

interface Context {
  readonly letter: string;
  readonly match: '-s' | '-d';
  readonly chains: Map<string, readonly Line[]>;
}

/** What a node was made of and what came of it, by its first entry: an unchanged part of the tree is used again. */
interface Grown {
  readonly chain: string;
  readonly prefix: Cidr;
  readonly entries: readonly TreeEntry[];
  readonly chains: ReadonlyMap<string, readonly Line[]>;
}
const grown = new WeakMap<TreeEntry, Grown>();

const sameEntries = (a: readonly TreeEntry[], b: readonly TreeEntry[]): boolean =>
  a.length === b.length && a.every((entry, i) => entry === b[i]);

function fillNode(chain: string, prefix: Cidr, entries: readonly TreeEntry[], context: Context): void {
  const chains = new Map<string, readonly Line[]>();
  let own = 0;
  while (entries[own]?.prefix.length === prefix.length) own++;
  // A goto does not come back to this chain, so it is only for a chain with nothing to come back to.
  const verb = own > 0 ? '-j' : '-g';
  const groups = groupsOf(prefix, own > 0 ? entries.slice(own) : entries);
  const edges = groups.flatMap((group) => edge(group, verb, { ...context, chains }));
  chains.set(chain, [...edges, ...entries.slice(0, own).flatMap((entry) => entry.rules)]);
  const [first] = entries;
  if (first && prefix.length > 0) grown.set(first, { chain, prefix, entries, chains });
  for (const [name, lines] of chains) context.chains.set(name, lines);
}

function edge(group: readonly TreeEntry[], verb: '-j' | '-g', context: Context): Line[] {
  const [first] = group;
  if (!first) return [];
  const [only] = first.rules;
  if (group.length === 1 && first.rules.length === 1 && only)
    return [{ text: `${context.match} ${first.prefix.text} ${only.text}`, origin: only.origin }];
  const known = grown.get(first);
  if (known && sameEntries(known.entries, group)) {
    for (const [name, lines] of known.chains) context.chains.set(name, lines);
    return [{ text: `${context.match} ${known.prefix.text} ${verb} ${known.chain}` }];
  }
  const prefix = commonPrefix(group);
  const name = chainName(context, prefix);
  fillNode(name, prefix, group, context);
  return [{ text: `${context.match} ${prefix.text} ${verb} ${name}` }];
}

/** Splits sorted entries by the next nibble below `prefix`; an entry that ends before that nibble heads its own group. */
function groupsOf(prefix: Cidr, entries: readonly TreeEntry[]): TreeEntry[][] {
  const boundary = Math.min((Math.floor(prefix.length / STRIDE) + 1) * STRIDE, bitsOf(prefix.family));
  const groups: TreeEntry[][] = [];
  for (let begin = 0; begin < entries.length;) {
    const { prefix: head } = entries[begin] as TreeEntry;
    const end = endOf(truncate(head, Math.min(boundary, head.length)), entries, begin);
    groups.push(entries.slice(begin, end));
    begin = end;
  }
  return groups;
}

/** The first entry from `begin` on that lies beyond the bounds, by halving. */
function endOf(bounds: Cidr, entries: readonly TreeEntry[], begin: number): number {
  const beyond = bounds.base + (1n << BigInt(bitsOf(bounds.family) - bounds.length));
  let low = begin;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle] as TreeEntry).prefix.base < beyond) low = middle + 1;
    else high = middle;
  }
  return low;
}

const truncate = (prefix: Cidr, length: number): Cidr => networkOf(ipFromValue(prefix.family, prefix.base), length);

/** The longest prefix of all entries of the group, cut to a nibble unless an entry stands exactly there. */
function commonPrefix(group: readonly TreeEntry[]): Cidr {
  const [first] = group;
  const last = group.at(-1);
  if (!first || !last) throw new Error('a group has entries');
  const bits = bitsOf(first.prefix.family);
  const differing = (first.prefix.base ^ last.prefix.base).toString(2);
  const common = differing === '0' ? bits : bits - differing.length;
  let shortest = bits;
  for (const { prefix } of group) shortest = Math.min(shortest, prefix.length);
  const length = Math.min(common, shortest);
  return truncate(first.prefix, length === shortest ? length : length - (length % STRIDE));
}

function chainName({ letter, chains }: Context, prefix: Cidr): string {
  const nibbles = Math.ceil(prefix.length / 4);
  const hex = prefix.base
    .toString(16)
    .padStart(bitsOf(prefix.family) / 4, '0')
    .slice(0, nibbles);
  const head = `${CHAIN_PREFIX}${letter}-`;
  const plain = `${head}${hex}-${prefix.length}`;
  if (plain.length <= CHAIN_NAME_MAX) return plain;
  for (let seed = 0n; ; seed++) {
    const name = `${head}${fnv1a64(`${seed} ${prefix.text}`)}`;
    if (!chains.has(name)) return name;
  }
}
