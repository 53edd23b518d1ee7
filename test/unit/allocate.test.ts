import { describe, expect, it } from 'vitest';
import { agree, allocate, asTheOther } from '../../gateway/reconcile/allocate.js';

// Numbers that names keep.

describe('numbers', () => {
  it('stay with their names, and new names get the smallest that are free', () => {
    expect(allocate({ a: 2 }, ['b', 'a', 'c'], 9)).toEqual({ a: 2, b: 1, c: 3 });
    expect(allocate({ a: 1 }, ['b'], 9)).toEqual({ b: 1 });
  });

  it('are given to nobody else while the kernel has them still, unless no other is left', () => {
    expect(allocate({ a: 1 }, ['b'], 9, new Set([1]))).toEqual({ b: 2 });
    expect(allocate({ a: 1, b: 2 }, ['b', 'c'], 2, new Set([1, 2]))).toEqual({ b: 2, c: 1 });
  });

  it("are the other member's where both have a name, and what only this one has gives way", () => {
    const ours = { a: 1, b: 2, own: 3, free: 4 };
    expect(agree({ a: 1, elsewhere: 3 }, ours)).toBe(true);
    expect(agree({ a: 2, b: 1 }, ours)).toBe(false);
    const known = asTheOther({ a: 2, b: 3 }, ours);
    expect(allocate(known, ['own', 'free', 'a', 'b'], 9)).toEqual({ a: 2, b: 3, own: 1, free: 4 });
  });
});
