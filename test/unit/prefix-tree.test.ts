import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prefixTree, type TreeEntry } from '../../gateway/kernel/iptables/prefix-tree.js';
import type { Line } from '../../gateway/kernel/state.js';
import {
  bitsOf,
  type Cidr,
  contains,
  type Family,
  type IpAddress,
  ipFromValue,
  networkOf,
  parseCidr,
} from '../../gateway/model/ip.js';

type Chains = ReadonlyMap<string, readonly Line[]>;

/**
 * The marks a packet meets, in order, by iptables' own rules: a jump comes back to the next rule, a goto ends this
 * chain too. A mark is a rule without a verdict, so the packet goes on after it.
 */
function walk(chains: Chains, chain: string, packet: IpAddress): string[] {
  const met: string[] = [];
  for (const { text } of chains.get(chain) ?? fail(`no chain ${chain}`)) {
    const [, cidr, verb, to = ''] = /^(?:-d (\S+) )?-([jg]) (\S+)$/.exec(text) ?? fail(`not a rule: ${text}`);
    if (cidr !== undefined && !contains(parseCidr(cidr) ?? fail(`not a prefix: ${cidr}`), packet)) continue;
    if (to.startsWith('MARK')) met.push(to);
    else met.push(...walk(chains, to, packet));
    if (verb === 'g') break;
  }
  return met;
}

function fail(why: string): never {
  throw new Error(why);
}

const textOf = ({ rules }: TreeEntry): string => rules.map(({ text }) => text).join();
/** What should be met: the rules of every entry that holds the packet, the longest prefix first. */
const expected = (entries: readonly TreeEntry[], packet: IpAddress): string[] =>
  entries
    .filter(({ prefix }) => contains(prefix, packet))
    .sort((a, b) => b.prefix.length - a.prefix.length || a.rank - b.rank || (textOf(a) < textOf(b) ? -1 : 1))
    .flatMap(({ rules }) => rules.map(({ text }) => text.replace('-j ', '')));

/** Addresses that lie close to few bases, so that prefixes nest and share most of their bits. */
function addressNear(family: Family): fc.Arbitrary<bigint> {
  const bits = bitsOf(family);
  const bases = [0n, 0xcb00_7100n << BigInt(bits - 32), (1n << BigInt(bits)) - 1n, 0x0a00_0000n << BigInt(bits - 32)];
  return fc
    .tuple(fc.constantFrom(...bases), fc.array(fc.nat(bits - 1), { maxLength: 4 }))
    .map(([base, flips]) => flips.reduce((value, bit) => value ^ (1n << BigInt(bit)), base));
}

const prefixIn = (family: Family): fc.Arbitrary<Cidr> =>
  fc
    .tuple(addressNear(family), fc.oneof(fc.nat(bitsOf(family)), fc.constant(bitsOf(family))))
    .map(([value, length]) => networkOf(ipFromValue(family, value), length));

let marks = 0;
const entryOf = (prefix: Cidr, rules: number): TreeEntry => ({
  prefix,
  rank: 0,
  rules: Array.from({ length: rules }, () => ({ text: `-j MARK${marks++}` })),
});
/** Some prefixes have several entries, of one rank or of two. */
const withTwins = (entries: TreeEntry[]): TreeEntry[] =>
  entries.flatMap((entry, i) => (i % 3 === 0 ? [entry, { ...entryOf(entry.prefix, 1), rank: i % 2 }] : [entry]));
const entriesIn = (family: Family): fc.Arbitrary<TreeEntry[]> =>
  fc
    .uniqueArray(prefixIn(family), { selector: ({ text }) => text, maxLength: 80 })
    .chain((prefixes) =>
      fc
        .array(fc.integer({ min: 1, max: 3 }), { minLength: prefixes.length, maxLength: prefixes.length })
        .map((counts) => withTwins(prefixes.map((prefix, i) => entryOf(prefix, counts[i] ?? 1)))),
    );

const grow = (entries: readonly TreeEntry[]): Chains => prefixTree('D', '-d', entries);
const texts = (chains: Chains): [string, string[]][] =>
  [...chains].map(([name, lines]): [string, string[]] => [name, lines.map(({ text }) => text)]).sort();
/** Entries that nothing is remembered of. */
const copied = (entries: readonly TreeEntry[]): TreeEntry[] => entries.map((entry) => ({ ...entry }));

describe.each<Family>([4, 6])('a tree of IPv%i prefixes', (family) => {
  it('leads a packet to the rules of the longest prefix first, then of the next', () => {
    const packets = fc.array(addressNear(family), { minLength: 5, maxLength: 20 });
    fc.assert(
      fc.property(entriesIn(family), packets, (entries, values) => {
        const chains = grow(entries);
        const inside = entries.map(({ prefix }) => prefix.base);
        for (const value of [...values, ...inside]) {
          const packet = ipFromValue(family, value);
          expect(walk(chains, 'VG-D', packet), packet.text).toEqual(expected(entries, packet));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is the same in whatever order the entries come', () => {
    const shuffled = entriesIn(family).chain((entries) =>
      fc.tuple(fc.constant(entries), fc.shuffledSubarray(entries, { minLength: entries.length })),
    );
    fc.assert(
      fc.property(shuffled, ([entries, other]) => {
        expect(texts(grow(copied(other)))).toEqual(texts(grow(entries)));
      }),
      { numRuns: 200 },
    );
  });

  it('is after any edits what it would be from the start', () => {
    const pool = entriesIn(family);
    const edits = pool.chain((entries) =>
      fc.tuple(fc.constant(entries), fc.array(fc.subarray(entries), { minLength: 1, maxLength: 6 })),
    );
    fc.assert(
      fc.property(edits, ([entries, steps]) => {
        grow(entries);
        for (const step of steps) expect(texts(grow(step))).toEqual(texts(grow(copied(step))));
      }),
      { numRuns: 200 },
    );
  });

  it('keeps every chain short, narrow and reachable', () => {
    fc.assert(
      fc.property(entriesIn(family), (entries) => {
        const chains = grow(entries);
        const reached = new Set(['VG-D']);
        for (const [name, lines] of chains) {
          expect(name.length, name).toBeLessThanOrEqual(28);
          const children = lines.filter(({ text }) => text.startsWith('-d '));
          expect(children.length, name).toBeLessThanOrEqual(16);
          for (const { text } of lines) reached.add(text.split(' ').at(-1) ?? '');
        }
        for (const name of chains.keys()) expect(reached, 'nothing leads there').toContain(name);
      }),
      { numRuns: 300 },
    );
  });

  it('changes one chain, or few, for one more host among thousands', () => {
    const base = family === 4 ? 0xcb00_0000n : 0x2001_0db8n << 96n;
    const hosts = Array.from({ length: 4_000 }, (_, i) =>
      entryOf(networkOf(ipFromValue(family, base + BigInt(i)), bitsOf(family)), 1),
    );
    const before = new Map(texts(grow(hosts)));
    const more = entryOf(networkOf(ipFromValue(family, base + 4_000n), bitsOf(family)), 1);
    const after = texts(grow([...hosts, more]));
    const changed = after.filter(([name, lines]) => before.get(name)?.join() !== lines.join());
    expect(changed.length).toBeLessThanOrEqual(2);
    const depth = (packet: IpAddress, chain = 'VG-D'): number =>
      1 +
      Math.max(
        0,
        ...(grow(hosts).get(chain) ?? []).flatMap(({ text }) => {
          const [, cidr = '', to = ''] = /^-d (\S+) -[jg] (VG\S+)$/.exec(text) ?? [];
          const next = parseCidr(cidr);
          return next && contains(next, packet) ? [depth(packet, to)] : [];
        }),
      );
    expect(depth(ipFromValue(family, base + 1_234n))).toBeLessThanOrEqual(4);
  });
});
