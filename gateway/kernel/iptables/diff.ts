/** A chain is replaced whole when any of its rules differs; hooks are compared as a list. */
import type { IptablesState, Line } from '../state.js';
import type { Change } from '../subsystem.js';

export const HOOK = 'hook ';

export function sameLines(a: readonly Line[] | undefined, b: readonly Line[]): boolean {
  if (a === b) return true;
  return a !== undefined && a.length === b.length && b.every((line, i) => line.text === a[i]?.text);
}

export function diffIptables(observed: IptablesState, desired: IptablesState): Change[] {
  const changes: Change[] = [];
  for (const [key, lines] of desired.chains) {
    const known = observed.chains.get(key);
    if (!sameLines(known, lines)) changes.push({ phase: 'prepare', action: known ? 'replace' : 'add', key, lines });
  }
  for (const [key, lines] of desired.hooks) {
    const known = observed.hooks.get(key) ?? [];
    if (!sameLines(known, lines))
      changes.push({ phase: 'prepare', action: known.length > 0 ? 'replace' : 'add', key: HOOK + key, lines });
  }
  for (const key of observed.chains.keys())
    if (!desired.chains.has(key)) changes.push({ phase: 'prepare', action: 'remove', key, lines: [] });
  for (const key of observed.hooks.keys())
    if (!desired.hooks.has(key)) changes.push({ phase: 'prepare', action: 'remove', key: HOOK + key, lines: [] });
  return changes;
}
