/**
 * The contract of a subsystem: the only owner of its part of the kernel. `diff` is pure; `observe` and `apply` reach
 * the kernel through the runner alone. Guarantees every subsystem gives:
 * 1. `apply` carries out its changes in one process, or says in the error which line was refused.
 * 2. What `apply` returns was read back from the kernel, for all that it touched.
 * 3. Objects without the gateway's tag are neither reported nor changed.
 */
import type { Command, CommandRunner } from './command.js';
import { keysOfDifference } from './patched-map.js';
import type { Line } from './state.js';

/** prepare: add what nothing uses yet. switch: begin to attract traffic. prune: take away what nothing uses any more. */
export type Phase = 'prepare' | 'switch' | 'prune';
export const PHASES: readonly Phase[] = ['prepare', 'switch', 'prune'];

export interface Change {
  readonly phase: Phase;
  readonly action: 'add' | 'replace' | 'remove';
  /** What is changed, in the subsystem's own terms. */
  readonly key: string;
  readonly lines: readonly Line[];
}

export interface Reading extends Command {
  /**
   * Whether what was said is what is believed. Without it every change of what is said is looked into, also one of our own
   * doing; for what is large, so that an edit does not cost a second look at all of it.
   */
  readonly agrees?: (said: string) => boolean;
}

export interface Subsystem<State> {
  readonly title: string;
  observe(run: CommandRunner, desired: State): Promise<State>;
  diff(observed: State, desired: State): readonly Change[];
  apply(run: CommandRunner, changes: readonly Change[], observed: State, desired: State): Promise<State>;
  /** What is compared by digest every now and then: readings of that of which the kernel tells nobody when it changes. */
  readonly silent?: (believed: State) => readonly Reading[];
  /** A difference that stays after `apply` is a condition to report, not a failure (a read-only sysctl). */
  readonly tolerant?: boolean;
}

/** The keyed diff that most subsystems share: by key, then by text. */
export function diffLines(
  observed: ReadonlyMap<string, Line>,
  desired: ReadonlyMap<string, Line>,
  phases: { add: Phase; replace?: Phase; remove: Phase },
): Change[] {
  const few = keysOfDifference(observed, desired);
  if (few) {
    const only = (map: ReadonlyMap<string, Line>): Map<string, Line> => {
      const found = [...few].map((key) => [key, map.get(key)] as const);
      return new Map(found.filter((entry): entry is [string, Line] => entry[1] !== undefined));
    };
    return compareLines(only(observed), only(desired), phases);
  }
  return compareLines(observed, desired, phases);
}

function compareLines(
  observed: ReadonlyMap<string, Line>,
  desired: ReadonlyMap<string, Line>,
  phases: { add: Phase; replace?: Phase; remove: Phase },
): Change[] {
  const changes: Change[] = [];
  let matched = 0;
  for (const [key, line] of desired) {
    const known = observed.get(key);
    if (known) matched++;
    if (known === line) continue;
    if (!known) changes.push({ phase: phases.add, action: 'add', key, lines: [line] });
    else if (known.text !== line.text)
      changes.push({ phase: phases.replace ?? phases.add, action: 'replace', key, lines: [line] });
  }
  if (matched === observed.size) return changes;
  for (const [key, line] of observed)
    if (!desired.has(key)) changes.push({ phase: phases.remove, action: 'remove', key, lines: [line] });
  return changes;
}
