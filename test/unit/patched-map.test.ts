import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keysOfDifference, PatchedMap } from '../../gateway/kernel/patched-map.js';
import { diffLines } from '../../gateway/kernel/subsystem.js';
import type { Line } from '../../gateway/kernel/state.js';

// It is a map like any other, only cheaper to change.

const key = fc.integer({ min: 0, max: 20 }).map(String);
const edit = fc.record({
  removed: fc.array(key, { maxLength: 3 }),
  added: fc.array(fc.tuple(key, fc.nat(3)), { maxLength: 3 }),
});
const phases = { add: 'prepare', remove: 'prune' } as const;
const sorted = (map: ReadonlyMap<string, Line>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
const lineOf = (value: number): Line => ({ text: String(value) });

describe('a map that was patched', () => {
  it('holds what a copy would hold, however often, and differs as a copy would', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.nat(3))), fc.array(edit, { maxLength: 400 }), (begin, edits) => {
        let copy = new Map(begin.map(([name, value]) => [name, lineOf(value)]));
        let patched: ReadonlyMap<string, Line> = new Map(copy);
        for (const { removed, added } of edits) {
          const lines = added.map(([name, value]) => [name, lineOf(value)] as const);
          const next = PatchedMap.of(patched, removed, lines);
          const copied = new Map(copy);
          for (const name of removed) copied.delete(name);
          for (const [name, line] of lines) copied.set(name, line);
          expect(sorted(next)).toEqual(sorted(copied));
          expect(next.size).toBe(copied.size);
          for (let i = 0; i <= 20; i++) {
            expect(next.get(String(i))).toBe(copied.get(String(i)));
            expect(next.has(String(i))).toBe(copied.has(String(i)));
          }
          const changes = (from: ReadonlyMap<string, Line>, to: ReadonlyMap<string, Line>) =>
            diffLines(from, to, phases)
              .map(({ action, key: name, lines: [line] }) => `${action} ${name} ${line?.text}`)
              .sort();
          expect(changes(patched, next)).toEqual(changes(copy, copied));
          patched = next;
          copy = copied;
        }
      }),
      { numRuns: 20 },
    );
  });

  it('keeps its base for many edits, and takes a new one before its changes are as many', () => {
    const base = new Map(Array.from({ length: 5_000 }, (_, i) => [String(i), lineOf(i)]));
    let map: ReadonlyMap<string, Line> = base;
    let bases = 0;
    for (let i = 0; i < 1_000; i++) {
      const next = PatchedMap.of(map, [], [[`new${i}`, lineOf(i)]]);
      if (!keysOfDifference(map, next)) bases++;
      expect(next.changes.size).toBeLessThan(300);
      map = next;
    }
    expect(map.size).toBe(6_000);
    expect(bases).toBe(3);
  });
});
