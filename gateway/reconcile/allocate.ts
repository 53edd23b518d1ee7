/** Gives each name a number and keeps it: the smallest that is free, and none is given again while its owner stands. */
import { VpcgwError } from '../errors.js';
import { classNameOf, classNameOfPackage } from '../model/bandwidth.js';
import type { Allocations } from '../kernel/state.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { sitesOf } from '../model/site-link.js';
import { MAX_EXTERNALS, MAX_SITES, SHAPING } from '../model/ownership.js';

export function allocate(
  known: Readonly<Record<string, number>>,
  names: readonly string[],
  max: number,
  /** Given to nobody anew, as long as there are others. */
  spared: ReadonlySet<number> = new Set(),
): Record<string, number> {
  const result: Record<string, number> = {};
  const used = new Set<number>();
  for (const name of names) {
    const number = known[name];
    if (number === undefined || used.has(number)) continue;
    result[name] = number;
    used.add(number);
  }
  let next = 1;
  for (const name of names) {
    if (result[name] !== undefined) continue;
    while (used.has(next) || spared.has(next)) next++;
    if (next > max && spared.size > 0) return allocate(known, names, max);
    if (next > max) throw new VpcgwError('Invariant', `no number left for ${name}; ${max} are in use`);
    result[name] = next;
    used.add(next);
  }
  return result;
}

/**
 * Numbers of external networks as the other member of a pair has them, since connections of either have them in their marks;
 * what only this member has keeps its own, or gives way.
 */
export function asTheOther(theirs: Numbers, ours: Numbers): Numbers {
  const taken = new Set(Object.values(theirs));
  return { ...Object.fromEntries(Object.entries(ours).filter(([, number]) => !taken.has(number))), ...theirs };
}

/** Where both members have a network, it has one number. */
export const agree = (theirs: Numbers, ours: Numbers): boolean =>
  Object.entries(theirs).every(([name, number]) => (ours[name] ?? number) === number);

/** The very same object when no name came or went. */
export function allocateAll(known: Allocations, model: GatewayModel): Allocations {
  const externals = allocate(
    known.externals,
    model.externals.map((external) => external.name),
    MAX_EXTERNALS,
  );
  const snatRules = allocate(
    known.snatRules,
    model.snatRules.map((rule) => rule.name),
    0xffff,
  );
  const sites = allocate(
    known.sites,
    sitesOf(model).map(({ origin }) => origin.id),
    MAX_SITES,
    // A tunnel of IPsec is known to the kernel by its number until this edit is pruned.
    new Set(Object.values(known.sites)),
  );
  const classes = allocateClasses(known.classes, model);
  const kept = (after: Numbers, before: Numbers): Numbers => (sameNumbers(after, before) ? before : after);
  const result = {
    externals: kept(externals, known.externals),
    snatRules: kept(snatRules, known.snatRules),
    sites: kept(sites, known.sites),
    classes,
  };
  const names = ['externals', 'snatRules', 'sites', 'classes'] as const;
  return names.every((name) => result[name] === known[name]) ? known : result;
}

/** The same as `allocate` for thousands of names of which few come or go at a time. */
function allocateClasses(known: Allocations['classes'], model: GatewayModel): Allocations['classes'] {
  const names = model.packages.map(classNameOfPackage);
  for (const eip of model.elasticIps.values()) {
    const name = classNameOf(eip, model);
    if (name !== undefined) names.push(name);
  }
  const coming = names.filter((name) => !known.has(name));
  const going = known.size - (names.length - coming.length);
  if (coming.length + going === 0) return known;
  const result = new Map(known);
  if (going > 0) {
    const named = new Set(names);
    for (const name of known.keys()) if (!named.has(name)) result.delete(name);
  }
  // Not what falls free now either: the kernel has it until this edit is pruned.
  const used = new Set(known.values());
  let next = 1;
  for (const name of coming) {
    while (used.has(next)) next++;
    if (next > SHAPING.maxClasses)
      throw new VpcgwError('Invariant', `no class left for ${name}; ${SHAPING.maxClasses} are in use`);
    result.set(name, next);
    used.add(next);
  }
  return result;
}

type Numbers = Readonly<Record<string, number>>;

const sameNumbers = (a: Numbers, b: Numbers): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, number]) => b[name] === number);
