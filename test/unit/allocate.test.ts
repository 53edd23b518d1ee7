import { describe, expect, it } from 'vitest';
import { allocate } from '../../gateway/reconcile/allocate.js';

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
});
