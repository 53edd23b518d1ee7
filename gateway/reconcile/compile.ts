/** GatewayModel → KernelState: every feature's contribution, merged. Pure: the same input gives the same kernel. */
import { VpcgwError } from '../errors.js';
import type { CompileContext, Contribution, NatEntry, ShapingEntry } from '../features/feature.js';
import { FAMILIES } from '../features/feature.js';
import { FEATURES } from '../features/index.js';
import { guardTable } from '../kernel/guard/render.js';
import { idleTable, type OtherStates } from '../kernel/idle/render.js';
import { prefixTree } from '../kernel/iptables/prefix-tree.js';
import { LEAST_BANKS } from '../kernel/shaping/entry.js';
import type { Allocations, Facts, IpSet, IptablesState, KernelState, Line, Link, Table } from '../kernel/state.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { bitsOf, type Cidr, type Family, ipFromValue, networkOf } from '../model/ip.js';
import { dropChain, ifbOf, MARK, roleLink, SET_PREFIX } from '../model/ownership.js';
import type { Pressure } from '../model/pressure.js';
import { remember, rememberWithin } from '../model/remember.js';

export interface CompileInput {
  readonly model: GatewayModel;
  readonly facts: Facts;
  readonly allocations: Allocations;
  readonly pressure: Pressure;
}

/** The desired kernel, and what it was put together from, so that an edit can be put in its place. */
export interface Compiled {
  readonly input: CompileInput;
  readonly state: KernelState;
  readonly trees: Readonly<Record<Family, Trees>>;
  /** Sources that others than elastic IPs contributed, as set elements. */
  readonly sharedSources: ReadonlySet<string>;
  /** How many elastic IPs are looked up on each device of traffic control, and in each of its further tables. */
  readonly lookUps: ReadonlyMap<string, number>;
}

/** What contributions of many features grow into trees of, and where each tree stands. */
export const TREES = {
  inbound: { table: 'nat', letter: 'D', match: '-d' },
  outbound: { table: 'nat', letter: 'S', match: '-s' },
  judged: { table: 'mangle', letter: 'FT', match: '-d' },
  admitted: { table: 'mangle', letter: 'B', match: '-d' },
  ranges: { table: 'mangle', letter: 'R', match: '-d' },
  leaving: { table: 'filter', letter: 'ET', match: '-s' },
} as const satisfies Partial<Record<keyof Contribution, { table: Table; letter: string; match: '-s' | '-d' }>>;
export type TreeName = keyof typeof TREES;
export const TREE_NAMES = Object.keys(TREES) as TreeName[];

/** Entries of each tree; a tree that no feature contributes to does not stand. */
export interface Trees {
  readonly entries: Readonly<Partial<Record<TreeName, readonly NatEntry[]>>>;
  /** The chains of all, by the key of the state. */
  readonly chains: ReadonlyMap<string, readonly Line[]>;
}

export function contextOf({ model, facts, allocations, pressure }: CompileInput): CompileContext {
  return {
    facts,
    pressure,
    externalIndex: (name) => numberOf(allocations.externals, name),
    siteNumber: (id) => numberOf(allocations.sites, id),
    snatIndex: (name) => numberOf(allocations.snatRules, name),
    classNumber: (name) => allocations.classes.get(name) ?? missing(name),
    external: (name) => model.externals.find((external) => external.name === name) ?? missing(name),
  };
}

export function compile(input: CompileInput): Compiled {
  const { model } = input;
  const context = contextOf(input);
  const parts = FEATURES.map((feature) => feature.compile(model, context));
  const addresses = parts.flatMap((part) => part.addresses ?? []);
  const memberAddresses = parts.flatMap((part) => part.memberAddresses ?? []);
  const routes = parts.flatMap((part) => part.routes ?? []);
  const rules = parts.flatMap((part) => part.rules ?? []);
  const shaping = parts.flatMap((part) => part.shaping ?? []);
  const publicPrefixes = parts.flatMap((part) => part.publicPrefixes ?? []);
  const trees = { 4: treesOf(4, parts), 6: treesOf(6, parts) };
  const state: KernelState = {
    guard: guardTable(
      model,
      publicPrefixes.map(({ prefix }) => prefix),
      parts.some(({ xfrmLinks = [] }) => xfrmLinks.length > 0),
    ),
    idle: idleTable(
      parts.flatMap((part) => part.idle ?? []),
      otherStates(model),
    ),
    fence: parts.map((part) => part.fence ?? '').join(''),
    sysctls: new Map(parts.flatMap((part) => Object.entries(part.sysctls ?? {}))),
    sets: sets(model, parts, context),
    iptables4: iptables(4, parts, model, trees[4]),
    iptables6: iptables(6, parts, model, trees[6]),
    ipvs: new Map(parts.flatMap((part) => part.ipvs ?? [])),
    links: linksOf(parts, input.facts),
    wireguard: new Map(
      parts.flatMap((part) => part.tunnels ?? []).map(({ link, wireGuard }) => [link.name, wireGuard]),
    ),
    shaping: new Map(shaping),
    addresses: new Map([
      ...addresses.map(addressEntry),
      ...memberAddresses.map(({ link, text }): [string, Line] => [`${link} ${text}`, { text }]),
    ]),
    routes: new Map(routes.map(routeEntry)),
    rules: new Map(rules.map(({ family, text }): [string, Line] => [`${family} ${text}`, { text }])),
  };
  const shared = parts
    .flatMap((part) => part.sources ?? [])
    .filter((source) => !source.origin.id.startsWith('ElasticIP/'));
  const sharedSources = new Set(shared.map(({ prefix }) => elementOf(prefix)));
  return { input, state, trees, sharedSources, lookUps: countLookUps(new Map(), shaping, 1) };
}

/** As the gateway has them for all connections. */
function otherStates({ timeouts }: GatewayModel): OtherStates {
  const { tcpSynSent, tcpFinWait, tcpTimeWait, tcpClose } = timeouts;
  const given = { syn_sent: tcpSynSent, fin_wait: tcpFinWait, time_wait: tcpTimeWait, close: tcpClose };
  const entries = Object.entries(given).filter((entry): entry is [string, number] => entry[1] !== undefined);
  return Object.fromEntries(entries.map(([state, ms]) => [state, Math.max(1, Math.round(ms / 1000))]));
}

function linksOf(parts: readonly Contribution[], facts: Facts): Map<string, Link> {
  const roles = parts.flatMap((part) => part.links ?? []);
  const ifbs = parts.flatMap((part) => part.ifbs ?? []);
  const macs = new Map(parts.flatMap((part) => part.macs ?? []));
  const macOf = (name: string): Pick<Link, 'mac'> => {
    const mac = macs.get(name);
    return mac === undefined ? {} : { mac };
  };
  const links = [
    ...roles.map(({ parent }): Link => {
      const name = roleLink(parent);
      // By itself it follows what is below it down, and never up again.
      const mtu = facts.mtu.get(parent);
      return { name, kind: 'macvlan', parent, up: true, ...(mtu === undefined ? {} : { mtu }), ...macOf(name) };
    }),
    ...parts.flatMap((part) => part.lines ?? []).map((link) => ({ ...link, ...macOf(link.name) })),
    ...parts.flatMap((part) => part.tunnels ?? []).map(({ link }) => link),
    ...parts.flatMap((part) => part.xfrmLinks ?? []),
    ...ifbs.map(({ parent }): Link => ({ name: ifbOf(parent), kind: 'ifb', parent: '', up: true })),
  ];
  return new Map(links.map((link) => [link.name, link]));
}

/** By device, and by table where it is not one of those that always stand. */
export function countLookUps(
  before: ReadonlyMap<string, number>,
  entries: readonly ShapingEntry[],
  step: 1 | -1,
): Map<string, number> {
  const counts = new Map(before);
  for (const [key] of entries) {
    const [, device = '', table = '', number = ''] = /^(\S+) (.*) ([0-9a-f]+):[0-9a-f]+:[0-9a-f]+$/.exec(key) ?? [];
    if (device === '') continue;
    const rare = (parseInt(number, 16) & 0xff) >= LEAST_BANKS;
    for (const name of rare ? [device, `${device} ${table}`] : [device])
      counts.set(name, (counts.get(name) ?? 0) + step);
  }
  return counts;
}

function numberOf(numbers: Readonly<Record<string, number>>, name: string): number {
  return numbers[name] ?? missing(name);
}

function missing(name: string): never {
  throw new VpcgwError('Invariant', `${name} was never allocated`);
}

const MAX_ELEMENTS = 262_144;
const NO_ATTRIBUTES: Line = { text: '' };

/** A set takes no prefix of length 0. */
export const halves = (prefix: Cidr): readonly Cidr[] =>
  prefix.length > 0
    ? [prefix]
    : [0n, 1n << BigInt(bitsOf(prefix.family) - 1)].map((base) => networkOf(ipFromValue(prefix.family, base), 1));

function sets(model: GatewayModel, parts: readonly Contribution[], context: CompileContext): Map<string, IpSet> {
  const result = new Map<string, IpSet>();
  const sources = parts.flatMap((part) => part.sources ?? []);
  for (const family of FAMILIES) {
    const type = `hash:net family ${family === 4 ? 'inet' : 'inet6'} hashsize 1024 maxelem ${MAX_ELEMENTS}`;
    for (const { name, prefixes } of parts.flatMap((part) => part.sets ?? []).filter((set) => set.family === family))
      result.set(`${name}${family}`, {
        type,
        elements: new Map(prefixes.flatMap(halves).map((prefix) => [elementOf(prefix), NO_ATTRIBUTES])),
      });
    const vpc = model.internal.prefixes.filter((prefix) => prefix.family === family);
    result.set(`${SET_PREFIX}vpc${family}`, {
      type,
      elements: new Map(vpc.flatMap(halves).map((prefix) => [elementOf(prefix), NO_ATTRIBUTES])),
    });
    const elements = new Map<string, Line>();
    for (const source of sources) {
      if (source.prefix.family !== family) continue;
      const { line } = sourceElement(source, context.externalIndex(source.external));
      // Of a 1:1 binding and a SNAT rule of one host, the binding stands first and wins.
      for (const key of halves(source.prefix).map(elementOf)) if (!elements.has(key)) elements.set(key, line);
    }
    result.set(`${SET_PREFIX}src${family}`, { type: `${type} skbinfo`, elements });
  }
  return result;
}

export type SourceEntry = NonNullable<Contribution['sources']>[number];
export type AddressEntry = NonNullable<Contribution['addresses']>[number];

export type RouteEntry = NonNullable<Contribution['routes']>[number];

export const routeEntry = ({ family, text, origin }: RouteEntry): [string, Line] => [
  `${family} ${text}`,
  { text, origin },
];

export const sourceElement = rememberWithin((source: SourceEntry, index: number) => ({
  key: elementOf(source.prefix),
  line: {
    text: `skbmark 0x${(index << MARK.externalShift).toString(16)}/0x${MARK.externalMask.toString(16)}`,
    origin: source.origin,
  },
}));

export const addressEntry = remember(({ parent, text, origin }: AddressEntry): [string, Line] => [
  `${roleLink(parent)} ${text}`,
  { text, origin },
]);

/** As ipset prints it: a host without its length. */
export const elementOf = (prefix: Cidr): string => prefix.text.replace(prefix.family === 4 ? /\/32$/ : /\/128$/, '');

function treesOf(family: Family, parts: readonly Contribution[]): Trees {
  const entries: Partial<Record<TreeName, readonly NatEntry[]>> = {};
  for (const name of TREE_NAMES) {
    const contributed = parts.flatMap((part) => (part[name] ? [part[name]] : [])).flat();
    if (parts.some((part) => part[name])) entries[name] = contributed.filter((entry) => entry.prefix.family === family);
  }
  return growTrees(entries);
}

export function growTrees(entries: Trees['entries']): Trees {
  const chains = new Map<string, readonly Line[]>();
  for (const name of TREE_NAMES) {
    const { table, letter, match } = TREES[name];
    const own = entries[name];
    if (own) for (const [chain, lines] of prefixTree(letter, match, own)) chains.set(`${table} ${chain}`, lines);
  }
  return { entries, chains };
}

function iptables(family: Family, parts: readonly Contribution[], model: GatewayModel, trees: Trees): IptablesState {
  const chains = new Map(trees.chains);
  const hooks = new Map<string, Line[]>();
  for (const part of parts) {
    for (const { family: f, table, chain, lines } of part.chains ?? [])
      if (f === family) chains.set(`${table} ${chain}`, lines);
    for (const { family: f, table, chain, line } of part.hooks ?? [])
      if (f === family) hooks.set(`${table} ${chain}`, [...(hooks.get(`${table} ${chain}`) ?? []), line]);
  }
  chains.set('filter VG-FWD-EXT', fromOutside(family, parts, model));
  return { chains, hooks };
}

/** What outside may open: only what a translation led inside, and public prefixes that are open. */
function fromOutside(family: Family, parts: readonly Contribution[], model: GatewayModel): Line[] {
  const vpc = roleLink(model.internal.interface);
  const open = parts
    .flatMap((part) => part.publicPrefixes ?? [])
    .filter(({ prefix, open }) => open && prefix.family === family);
  return [
    { text: `-o ${vpc} -m conntrack --ctstate DNAT -j ACCEPT` },
    ...open.map(({ prefix, origin }) => ({
      text: `-d ${prefix.text} -o ${vpc} -m conntrack --ctstate NEW -j ACCEPT`,
      origin,
    })),
    { text: `-j ${dropChain('NoRule')}` },
  ];
}
