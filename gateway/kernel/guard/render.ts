/**
 * The leak guard: after all translation, no source of the VPC leaves by an external link, and by a dedicated line only for
 * the networks that are behind it, unless it may lead to all. A table of its own, replaced whole in one transaction, so
 * that there is never a moment without it.
 */
import type { GatewayModel } from '../../model/gateway-model.js';
import { fnv1a64 } from '../../model/hash.js';
import { type Cidr, containsCidr, type Family } from '../../model/ip.js';
import { portsOf } from '../../model/line.js';
import { GUARD_TABLE, lineParent, roleLink } from '../../model/ownership.js';

/** Runs after every NAT hook (100) and before connections are confirmed. */
const AFTER_TRANSLATION = 300;

/** `encrypts`: there are tunnels of IPsec. */
export function guardTable(model: GatewayModel, publicPrefixes: readonly Cidr[], encrypts: boolean): string {
  // The kernel shows what goes into such a tunnel a second time, as if it left as it is, just before it is encrypted.
  const bare = encrypts ? ' rt ipsec missing' : '';
  const outside = [
    ...model.externals.flatMap((external) => [roleLink(external.interface), external.interface]),
    // Beside the links of lines.
    ...portsOf(model.dedicatedLines),
  ];
  const vpc = (family: number): string[] =>
    widest(model.internal.prefixes.filter((prefix) => prefix.family === family)).map(nftText);
  const sources4 = new Sources('vpc4', 'ipv4_addr', vpc(4));
  const sources6 = new Sources('vpc6', 'ipv6_addr', vpc(6));
  const lines = model.dedicatedLines.map((line, i) => ({
    link: roleLink(lineParent(line.port, line.vlan)),
    four: `line${i}v4`,
    six: `line${i}v6`,
    anywhere: (family: Family): boolean => line.site.elsewhere.includes(family),
    remote: (family: Family): string[] =>
      widest(line.site.remote.filter((cidr) => cidr.family === family)).map(nftText),
  }));
  return [
    `table inet ${GUARD_TABLE} {`,
    setText(
      'outside',
      'ifname',
      '',
      outside.map((name) => `"${name}"`),
    ),
    setText('public6', 'ipv6_addr', 'flags interval', widest(publicPrefixes).map(nftText)),
    ...sources4.set,
    ...sources6.set,
    ...lines.flatMap(({ four, six, remote }) => [
      setText(four, 'ipv4_addr', 'flags interval', remote(4)),
      setText(six, 'ipv6_addr', 'flags interval', remote(6)),
    ]),
    `chain postrouting { type filter hook postrouting priority ${AFTER_TRANSLATION}; policy accept;`,
    // The source first: every packet passes here, and few that leave still have one of the VPC's.
    ...sources4.matches.map((match) => `ip saddr ${match} oifname @outside${bare} counter drop`),
    ...sources6.matches.map((match) => `ip6 saddr ${match} ip6 saddr != @public6 oifname @outside${bare} counter drop`),
    ...lines.flatMap(({ link, four, six, anywhere }) => [
      ...(anywhere(4) ? [] : sources4.matches).map(
        (match) => `ip saddr ${match} oifname "${link}" ip daddr != @${four} counter drop`,
      ),
      ...(anywhere(6) ? [] : sources6.matches).map(
        (match) => `ip6 saddr ${match} oifname "${link}" ip6 daddr != @${six} counter drop`,
      ),
    ]),
    '}',
    '}',
  ].join('\n');
}

/** Comparing a few prefixes costs a packet less than one look-up: 0.02 us for each, 0.06 us for a set. */
const COMPARED = 4;

class Sources {
  /** What a rule says of its source, for each rule. */
  readonly matches: readonly string[];
  /** The set that they name. */
  readonly set: readonly string[];

  constructor(name: string, type: string, prefixes: readonly string[]) {
    const few = prefixes.length <= COMPARED;
    this.matches = few ? prefixes : [`@${name}`];
    this.set = few ? [] : [setText(name, type, 'flags interval', prefixes)];
  }
}

/** An interval set takes no overlapping elements. */
const widest = (prefixes: readonly Cidr[]): Cidr[] =>
  prefixes.filter((a) => !prefixes.some((b) => b.length < a.length && containsCidr(b, a)));

/** nft prints a host of an interval set without its length. */
const nftText = (cidr: Cidr): string => cidr.text.replace(cidr.family === 4 ? /\/32$/ : /\/128$/, '');

function setText(name: string, type: string, flags: string, elements: readonly string[]): string {
  const list = elements.length > 0 ? [`elements = { ${[...new Set(elements)].sort().join(', ')} }`] : [];
  return `set ${name} { ${[`type ${type}`, ...(flags ? [flags] : []), ...list].join('; ')}; }`;
}

const FORMER = 'former_';

/**
 * Of a table as we write it or as nft prints it, what is to stand beside the next guard: its sets and chains, in names of
 * their own, and those of guards before it that a change which failed has left. The same guard has the same names.
 */
export function asFormer(text: string): string {
  const blocks = blocksOf(text).filter((block) => /^(set|chain) /.test(block));
  const former = blocks.filter((block) => FORMER_BLOCK.test(block));
  const own = blocks.filter((block) => !FORMER_BLOCK.test(block));
  const prefix = `${FORMER}${fnv1a64(normalise(own.join(' '))).slice(0, 8)}_`;
  const isThere = former.some((block) => block.includes(` ${prefix}`));
  const renamed = own.map((block) => block.replace(/^(\w+ )/, `$1${prefix}`).replace(/@(\w+)/g, `@${prefix}$1`));
  return [`table inet ${GUARD_TABLE} {`, ...former, ...(isThere ? [] : renamed), '}'].join('\n');
}

const FORMER_BLOCK = new RegExp(`^\\w+ ${FORMER}`);

/** What stands in a table, each from its first word to its last brace. */
function blocksOf(text: string): string[] {
  const blocks: string[] = [];
  let [depth, begin] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '{' && ++depth === 1) begin = at + 1;
    if (text[at] !== '}' || --depth !== 1) continue;
    blocks.push(text.slice(begin, at + 1).replace(/^[\s;]+/, ''));
    begin = at + 1;
  }
  return blocks;
}

/** One spelling for what we write and what nft prints: elements sorted, white space and separators folded. */
export function normalise(text: string): string {
  return text
    .replace(
      /elements = \{([^}]*)\}/g,
      (_, list: string) =>
        `elements = { ${list
          .split(',')
          .map((e) => e.trim())
          .sort()
          .join(', ')} }`,
    )
    .replace(/;/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}
