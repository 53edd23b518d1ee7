/** The numbers of classes as the journal keeps them: what a revision changed, as all of them are thousands. */
import type { Allocations } from '../kernel/state.js';

export type ClassNumbers = Allocations['classes'];

export interface KeptAllocations extends Omit<Allocations, 'classes' | 'sites'> {
  /** Absent in revisions of before there were sites. */
  readonly sites?: Allocations['sites'];
  /** Absent in revisions that changed none, as in those of before there were classes. */
  readonly classes?: { readonly given: Readonly<Record<string, number>>; readonly freed: readonly string[] };
}

export function toKeep({ classes, ...others }: Allocations, before: ClassNumbers): KeptAllocations {
  if (classes === before) return others;
  const given = [...classes].filter(([name, number]) => before.get(name) !== number);
  const freed = [...before.keys()].filter((name) => !classes.has(name));
  return { ...others, classes: { given: Object.fromEntries(given), freed } };
}

/** The numbers after all these revisions, in their order. */
export function foldClasses(revisions: readonly { readonly allocations: KeptAllocations }[]): ClassNumbers {
  const numbers = new Map<string, number>();
  for (const { allocations } of revisions) {
    for (const name of allocations.classes?.freed ?? []) numbers.delete(name);
    for (const [name, number] of Object.entries(allocations.classes?.given ?? {})) numbers.set(name, number);
  }
  return numbers;
}
