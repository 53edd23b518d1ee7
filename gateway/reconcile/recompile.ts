/**
 * The kernel after an edit of elastic IPs alone, from the kernel before it: what is far the most frequent edit costs no
 * compilation of thousands of others. The result is what `compile` would give; a property test holds it to that.
 */
import { compileElasticIp, type ElasticIpPart } from '../features/elastic-ip.js';
import { type CompileContext, FAMILIES, type NatEntry } from '../features/feature.js';
import type { IpSet, IptablesState, Line } from '../kernel/state.js';
import { exchanged } from '../model/flow.js';
import type { Family } from '../model/ip.js';
import { SET_PREFIX } from '../model/ownership.js';
import {
  addressEntry,
  type Compiled,
  type CompileInput,
  contextOf,
  growTrees,
  type NatTrees,
  routeEntry,
  sourceElement,
} from './compile.js';

/** `undefined` when more than elastic IPs has changed. */
export function recompile(input: CompileInput, before: Compiled): Compiled | undefined {
  const { model, facts, allocations, exhausted } = input;
  const known = before.input;
  if (model.frame !== known.model.frame || facts !== known.facts) return undefined;
  if (allocations !== known.allocations || exhausted !== known.exhausted) return undefined;
  const context = contextOf(input);
  const partOf = (eip: Parameters<typeof compileElasticIp>[0]): ElasticIpPart =>
    compileElasticIp(eip, context.external(eip.external).interface);
  const { gone, come } = exchanged(model, known.model);
  const edit: Edit = { gone: gone.map(partOf), come: come.map(partOf) };
  const { sharedSources, state } = before;
  // A source that a rule names too would have to come back in the rule's name.
  if (edit.gone.some(({ source }) => source && sharedSources.has(sourceElement(source, 0).key))) return undefined;
  const trees = { 4: editTrees(before.trees[4], edit, 4), 6: editTrees(before.trees[6], edit, 6) };
  return {
    input,
    sharedSources,
    trees,
    state: {
      ...state,
      addresses: patched(state.addresses, edit, ({ address }) => address && addressEntry(address)),
      routes: patched(state.routes, edit, ({ route }) => route && routeEntry(route)),
      sets: editSets(state.sets, edit, context),
      iptables4: editChains(state.iptables4, before.trees[4], trees[4]),
      iptables6: editChains(state.iptables6, before.trees[6], trees[6]),
    },
  };
}

interface Edit {
  readonly gone: readonly ElasticIpPart[];
  readonly come: readonly ElasticIpPart[];
}

function patched<Value>(
  map: ReadonlyMap<string, Value>,
  { gone, come }: Edit,
  entryOf: (part: ElasticIpPart) => [string, Value] | undefined,
): ReadonlyMap<string, Value> {
  const removed = gone.flatMap((part) => [entryOf(part)?.[0] ?? []].flat());
  const added = come.flatMap((part) => {
    const entry = entryOf(part);
    return entry ? [entry] : [];
  });
  if (removed.length + added.length === 0) return map;
  const result = new Map(map);
  for (const key of removed) result.delete(key);
  for (const [key, value] of added) result.set(key, value);
  return result;
}

function editSets(sets: ReadonlyMap<string, IpSet>, edit: Edit, context: CompileContext): ReadonlyMap<string, IpSet> {
  const result = new Map(sets);
  for (const family of FAMILIES) {
    const name = `${SET_PREFIX}src${family}`;
    const set = sets.get(name);
    if (!set) continue;
    const elements = patched(set.elements, edit, ({ source }): [string, Line] | undefined => {
      if (source?.prefix.family !== family) return undefined;
      const { key, line } = sourceElement(source, context.externalIndex(source.external));
      return [key, line];
    });
    if (elements !== set.elements) result.set(name, { ...set, elements });
  }
  return result;
}

function editTrees(trees: NatTrees, { gone, come }: Edit, family: Family): NatTrees {
  const edited = (entries: readonly NatEntry[], key: 'inbound' | 'outbound'): readonly NatEntry[] => {
    const leaving = new Set(gone.flatMap((part) => part[key] ?? []));
    const joining = come.flatMap((part) => part[key] ?? []).filter((entry) => entry.prefix.family === family);
    if (leaving.size + joining.length === 0) return entries;
    const kept = leaving.size > 0 ? entries.filter((entry) => !leaving.has(entry)) : entries;
    return [...kept, ...joining];
  };
  const inbound = edited(trees.inbound, 'inbound');
  const outbound = edited(trees.outbound, 'outbound');
  return inbound === trees.inbound && outbound === trees.outbound ? trees : growTrees(inbound, outbound);
}

function editChains(state: IptablesState, before: NatTrees, after: NatTrees): IptablesState {
  if (before === after) return state;
  const chains = new Map(state.chains);
  for (const key of before.chains.keys()) chains.delete(key);
  for (const [key, lines] of after.chains) chains.set(key, lines);
  return { ...state, chains };
}
