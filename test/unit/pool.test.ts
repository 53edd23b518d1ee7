import { describe, expect, it } from 'vitest';
import { planPool } from '../../gateway/features/pool.js';

// Which address of a pool a source gets: fair, and steady when the pool changes.

/** Not adjacent, in no order. */
const pool = Array.from({ length: 17 }, (_, index) => `203.0.113.${((index * 37 + 11) % 250) + 1}`);
const clients = 256;

/** The address of each client, by the low bits of its own. */
function owners(members: readonly string[], exhausted: readonly string[] = []): string[] {
  const plan = planPool({ members, exhausted: new Set(exhausted), portsPerSource: undefined, sourceBits: 8 });
  return Array.from({ length: clients }, (_, client) => {
    const slot = plan.slots[client & ((1 << plan.bits) - 1)];
    return members[slot?.member ?? -1] ?? 'none';
  });
}

describe('the assignment of clients to a pool', () => {
  it('does not depend on the order of the pool', () => {
    const members = pool.slice(0, 5);
    expect(owners([...members].reverse())).toEqual(owners(members));
  });

  it('moves only those of an address that has no ports left', () => {
    const members = pool.slice(0, 4);
    const [full = ''] = members;
    const [before, after] = [owners(members), owners(members, [full])];
    expect(after).not.toContain(full);
    before.forEach((owner, client) => {
      if (owner !== full) expect(after[client]).toBe(owner);
    });
  });
});

describe('blocks of ports', () => {
  it('stay with sources that do not move when others do', () => {
    const members = pool.slice(0, 2);
    const [full = ''] = members;
    const plan = (exhausted: readonly string[]) =>
      planPool({ members, exhausted: new Set(exhausted), portsPerSource: 1008, sourceBits: 8 }).slots;
    const [before, after] = [plan([]), plan([full])];
    before.forEach((slot, bucket) => slot.member === 0 || expect(after[bucket]).toEqual(slot));
  });

  it.each([
    { portsPerSource: 250, sources: 256, members: 1 },
    { portsPerSource: 1000, sources: 64, members: 1 },
    { portsPerSource: 1000, sources: 256, members: 4 },
  ])(
    'of $portsPerSource are apart for $sources sources on $members address(es)',
    ({ portsPerSource, sources, members }) => {
      const plan = planPool({ members: pool.slice(0, members), exhausted: new Set(), portsPerSource, sourceBits: 8 });
      expect(plan.slots.length).toBeGreaterThanOrEqual(sources);
      const blocks = plan.slots.slice(0, sources).map(({ member, ports }) => {
        expect((ports?.last ?? 0) - (ports?.first ?? 0)).toBe(portsPerSource - 1);
        expect(ports?.first).toBeGreaterThanOrEqual(1024);
        expect(ports?.last).toBeLessThanOrEqual(65535);
        return `${member} ${ports?.first}`;
      });
      expect(new Set(blocks).size).toBe(sources);
    },
  );
});
