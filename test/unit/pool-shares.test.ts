import { describe, expect, it } from 'vitest';
import { planPool } from '../../gateway/features/pool.js';

// Which address of a pool a source gets: fair, and steady when the pool changes.

/** How much may move, as a multiple of the fair share. */
const bound = (size: number): number => (size <= 8 ? 1.6 : 2.5);

const sizes = Array.from({ length: 15 }, (_, index) => index + 2);
/** Not adjacent, in no order. */
const pool = Array.from({ length: 17 }, (_, index) => `203.0.113.${((index * 37 + 11) % 250) + 1}`);
const clients = 256;

/** The address of each client, by the low bits of its own. */
function owners(members: readonly string[]): string[] {
  const plan = planPool({ members, exhausted: new Set(), portsPerSource: undefined, sourceBits: 8 });
  return Array.from({ length: clients }, (_, client) => {
    const slot = plan.slots[client & ((1 << plan.bits) - 1)];
    return members[slot?.member ?? -1] ?? 'none';
  });
}

const movedBetween = (before: readonly string[], after: readonly string[]): number =>
  before.filter((owner, client) => owner !== after[client]).length / clients;

describe('the assignment of clients to a pool', () => {
  it.each(sizes)('is fair among %i addresses', (size) => {
    const members = pool.slice(0, size);
    const loads = members.map((member) => owners(members).filter((owner) => owner === member).length);
    expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
  });

  it.each(sizes)('moves about its share when one joins to make %i', (size) => {
    const [before, after] = [pool.slice(0, size - 1), pool.slice(0, size)];
    expect(movedBetween(owners(before), owners(after))).toBeLessThanOrEqual(bound(size) / size);
  });

  it.each(sizes)('moves about its share when one of %i leaves', (size) => {
    for (let leaver = 0; leaver < size; leaver++) {
      const members = pool.slice(0, size);
      const rest = members.filter((_, member) => member !== leaver);
      expect(movedBetween(owners(members), owners(rest))).toBeLessThanOrEqual(bound(size) / size);
    }
  });
});
