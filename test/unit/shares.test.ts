import { describe, expect, it } from 'vitest';
import { ownersOf, probabilitiesOf } from '../../gateway/features/shares.js';
import type { Member } from '../../gateway/model/balancer.js';
import { parseIp } from '../../gateway/model/ip.js';

// How a balancer's clients are divided: by weight, and so that few move when a member comes or goes.

const member = (host: number, weight = 1): Member => {
  const address = parseIp(`10.0.${host >> 8}.${host & 255}`);
  if (!address) throw new Error('no address');
  return { address, port: 80, weight, backup: false, maintenance: false };
};
const members = (count: number): Member[] => Array.from({ length: count }, (_, i) => member(10 + i));
const namesOf = (all: readonly Member[]): (string | undefined)[] =>
  ownersOf(all).map((owner) => all[owner]?.address.text);
const parts = 64;

describe('parts of a hash', () => {
  it('are given by weight, to the nearest one', () => {
    const counts = [0, 0, 0];
    for (const owner of ownersOf([member(5, 1), member(6, 2), member(7, 5)])) counts[owner] = (counts[owner] ?? 0) + 1;
    expect(counts).toEqual([8, 16, 40]);
  });

  it('all have an owner, whatever the number of members', () => {
    for (const count of [1, 3, 7, 63, 64, 65, 256])
      expect(namesOf(members(count)).filter((name) => name === undefined)).toEqual([]);
  });

  it.each([2, 3, 5, 8])('move for at most 1.8 times its share when one of %i leaves', (count) => {
    const all = members(count);
    const before = namesOf(all);
    for (const gone of all) {
      const after = namesOf(all.filter((one) => one !== gone));
      const moved = before.filter((name, part) => name !== after[part]).length;
      expect(moved).toBeLessThanOrEqual(Math.ceil((1.8 * parts) / count));
    }
  });
});

describe('probabilities', () => {
  it('give each member its share of what the ones before it left', () => {
    expect(probabilitiesOf([member(5, 3), member(6, 1), member(7, 0)].slice(0, 2))).toEqual([
      '0.75000000000',
      undefined,
    ]);
    expect(probabilitiesOf(members(3))).toEqual(['0.33333333349', '0.50000000000', undefined]);
  });
});
