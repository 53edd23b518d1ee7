/** Gives each name a number and keeps it: the smallest that is free, and none is given again while its owner stands. */
import { VpcgwError } from '../errors.js';
import type { Allocations } from '../kernel/state.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { MAX_EXTERNALS } from '../model/ownership.js';

export function allocate(
  known: Readonly<Record<string, number>>,
  names: readonly string[],
  max: number,
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
    while (used.has(next)) next++;
    if (next > max) throw new VpcgwError('Invariant', `no number left for ${name}; ${max} are in use`);
    result[name] = next;
    used.add(next);
  }
  return result;
}

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
  return sameNumbers(externals, known.externals) && sameNumbers(snatRules, known.snatRules)
    ? known
    : { externals, snatRules };
}

type Numbers = Readonly<Record<string, number>>;

const sameNumbers = (a: Numbers, b: Numbers): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, number]) => b[name] === number);
