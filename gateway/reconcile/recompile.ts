/**
 * The kernel after an edit of elastic IPs alone, or of a tunnel's peers alone, from the kernel before it: what is far the
 * most frequent edit costs no compilation of thousands of others. The result is what `compile` would give; a property
 * test holds it to that.
 */
import { compileLimits } from '../features/bandwidth.js';
import { limitSetsOf } from '../features/connection-limit.js';
import { compileElasticIp, type ElasticIpPart } from '../features/elastic-ip.js';
import { type CompileContext, FAMILIES, type NatEntry, type ShapingEntry } from '../features/feature.js';
import { judgedEntry, leavingEntry, policyChainsOf } from '../features/firewall.js';
import type { Allocations, IpSet, IptablesState, Line } from '../kernel/state.js';
import { PatchedMap } from '../kernel/patched-map.js';
import { exchanged } from '../model/flow.js';
import type { ElasticIp, GatewayModel } from '../model/gateway-model.js';
import { type Family, hostCidr } from '../model/ip.js';
import { HELD_SET, SET_PREFIX } from '../model/ownership.js';
import {
  addressEntry,
  type Compiled,
  type CompileInput,
  contextOf,
  countLookUps,
  elementOf,
  growTrees,
  routeEntry,
  sourceElement,
  TREE_NAMES,
  type TreeName,
  type Trees,
} from './compile.js';
import { recompilePeers } from './recompile-peers.js';

/** `undefined` when more has changed. */
export function recompile(input: CompileInput, before: Compiled): Compiled | undefined {
  const { model, facts, allocations, pressure } = input;
  const known = before.input;
  if (facts !== known.facts || pressure !== known.pressure) return undefined;
  if (!sameButClasses(allocations, known.allocations)) return undefined;
  if (model.frame !== known.model.frame) return recompilePeers(input, before);
  const context = contextOf(input);
  const { gone, come } = exchanged(model, known.model);
  if (!sameChains([...gone, ...come], known.model, model)) return undefined;
  const edit: Edit = { gone: gone.map(partsOf(model, contextOf(known))), come: come.map(partsOf(model, context)) };
  const lookUps = editLookUps(before.lookUps, edit);
  if (!lookUps) return undefined;
  const { sharedSources, state } = before;
  // A source that a rule names too would have to come back in the rule's name.
  if (edit.gone.some(({ source }) => source && sharedSources.has(sourceElement(source, 0).key))) return undefined;
  const sets = editSets(state.sets, edit, context);
  if (!sets) return undefined;
  const trees = { 4: editTrees(before.trees[4], edit, 4), 6: editTrees(before.trees[6], edit, 6) };
  return {
    input,
    sharedSources,
    lookUps,
    trees,
    state: {
      ...state,
      addresses: patched(state.addresses, edit, ({ address }) => (address ? [addressEntry(address)] : [])),
      routes: patched(state.routes, edit, ({ route }) => (route ? [routeEntry(route)] : [])),
      shaping: patched(state.shaping, edit, ({ shaping }) => shaping),
      sets,
      iptables4: editChains(state.iptables4, before.trees[4], trees[4]),
      iptables6: editChains(state.iptables6, before.trees[6], trees[6]),
    },
  };
}

const sameButClasses = (a: Allocations, b: Allocations): boolean =>
  a.externals === b.externals && a.snatRules === b.snatRules && a.sites === b.sites;

/** All that an elastic IP asks of the kernel, whichever feature's. */
interface Part extends ElasticIpPart {
  /** Listeners contribute it, and an elastic IP that one uses is never edited here. */
  readonly admitted?: undefined;
  readonly ranges?: undefined;
  readonly judged: NatEntry | undefined;
  readonly leaving: NatEntry | undefined;
  readonly memberships: ReturnType<typeof limitSetsOf>;
  readonly shaping: readonly ShapingEntry[];
}

const partsOf =
  (model: GatewayModel, context: CompileContext) =>
  (eip: ElasticIp): Part => ({
    ...compileElasticIp[model.firewall.defaultIngress](eip, context.external(eip.external).interface),
    judged: judgedEntry(eip, model.firewall),
    leaving: leavingEntry(eip, model.frame),
    // An elastic IP that a rule uses is never edited here.
    memberships: [...limitSetsOf(eip), ...(eip.target ? [] : [{ name: HELD_SET, prefix: hostCidr(eip.address) }])],
    shaping: compileLimits(eip, model, context),
  });

/** A list of policies that no elastic IP had before has no chain yet; the last that had one takes its chain along. */
function sameChains(edited: readonly ElasticIp[], before: GatewayModel, after: GatewayModel): boolean {
  const touched = edited.flatMap((eip) => [
    ...policyChainsOf(eip, before.firewall),
    ...policyChainsOf(eip, after.firewall),
  ]);
  if (touched.length === 0) return true;
  const [had, has] = [before, after].map(
    ({ elasticIps, firewall }) => new Set([...elasticIps.values()].flatMap((eip) => policyChainsOf(eip, firewall))),
  );
  return touched.every((name) => had?.has(name) === has?.has(name));
}

/** `undefined` when a table comes into use or falls out of it: what is around the elastic IPs changes then. */
function editLookUps(before: Compiled['lookUps'], { gone, come }: Edit): Compiled['lookUps'] | undefined {
  const entries = (parts: readonly Part[]) => parts.flatMap(({ shaping }) => shaping);
  const after = countLookUps(countLookUps(before, entries(come), 1), entries(gone), -1);
  return after.size === before.size && [...after.values()].every((count) => count > 0) ? after : undefined;
}

interface Edit {
  readonly gone: readonly Part[];
  readonly come: readonly Part[];
}

function patched<Value>(
  map: ReadonlyMap<string, Value>,
  { gone, come }: Edit,
  entriesOf: (part: Part) => readonly (readonly [string, Value])[],
): ReadonlyMap<string, Value> {
  const removed = gone.flatMap((part) => entriesOf(part).map(([key]) => key));
  const added = come.flatMap(entriesOf);
  return removed.length + added.length === 0 ? map : PatchedMap.of(map, removed, added);
}

/** `undefined` when a limit comes that no other elastic IP has, or the last of its kind goes: rules depend on that. */
function editSets(
  sets: ReadonlyMap<string, IpSet>,
  edit: Edit,
  context: CompileContext,
): ReadonlyMap<string, IpSet> | undefined {
  const result = new Map(sets);
  const names = new Set([...edit.gone, ...edit.come].flatMap((part) => part.memberships.map(({ name }) => name)));
  for (const name of names) {
    const edited = FAMILIES.flatMap((family): [string, IpSet][] => {
      const set = sets.get(`${name}${family}`);
      const memberOf = ({ memberships }: Part): [string, Line][] => {
        const member = memberships.find((set) => set.name === name && set.prefix.family === family);
        return member ? [[elementOf(member.prefix), { text: '' }]] : [];
      };
      return set ? [[`${name}${family}`, { ...set, elements: patched(set.elements, edit, memberOf) }]] : [];
    });
    if (name !== HELD_SET && !edited.some(([, set]) => set.elements.size > 0)) return undefined;
    for (const [key, set] of edited) result.set(key, set);
  }
  for (const family of FAMILIES) {
    const name = `${SET_PREFIX}src${family}`;
    const set = sets.get(name);
    if (!set) continue;
    const elements = patched(set.elements, edit, ({ source }): [string, Line][] => {
      if (source?.prefix.family !== family) return [];
      const { key, line } = sourceElement(source, context.externalIndex(source.external));
      return [[key, line]];
    });
    if (elements !== set.elements) result.set(name, { ...set, elements });
  }
  return result;
}

function editTrees(trees: Trees, { gone, come }: Edit, family: Family): Trees {
  const edited = (entries: readonly NatEntry[], name: TreeName): readonly NatEntry[] => {
    const leaving = new Set(gone.flatMap((part) => part[name] ?? []));
    const joining = come.flatMap((part) => part[name] ?? []).filter((entry) => entry.prefix.family === family);
    if (leaving.size + joining.length === 0) return entries;
    const kept = leaving.size > 0 ? entries.filter((entry) => !leaving.has(entry)) : entries;
    return [...kept, ...joining];
  };
  const entries = Object.fromEntries(
    TREE_NAMES.flatMap((name) => (trees.entries[name] ? [[name, edited(trees.entries[name], name)]] : [])),
  ) as Trees['entries'];
  return TREE_NAMES.every((name) => entries[name] === trees.entries[name]) ? trees : growTrees(entries);
}

function editChains(state: IptablesState, before: Trees, after: Trees): IptablesState {
  if (before === after) return state;
  const chains = new Map(state.chains);
  for (const key of before.chains.keys()) chains.delete(key);
  for (const [key, lines] of after.chains) chains.set(key, lines);
  return { ...state, chains };
}
