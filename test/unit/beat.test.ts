import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { onBeat } from '../../gateway/system/beat.js';

describe('what recurs', () => {
  const ends: (() => void)[] = [];
  let said: string[] = [];
  const recurs = (name: string, everyMs: number): (() => void) => {
    const end = onBeat(everyMs, () => void said.push(`${name} ${Date.now()}`));
    ends.push(end);
    return end;
  };

  beforeEach(() => {
    vi.useFakeTimers({ now: 0 });
    said = [];
  });
  afterEach(() => {
    for (const end of ends.splice(0)) end();
    vi.useRealTimers();
  });

  it('falls together, whenever it began', () => {
    recurs('often', 1_000);
    vi.advanceTimersByTime(300);
    recurs('seldom', 2_000);
    vi.advanceTimersByTime(3_700);
    expect(new Set(said.map((line) => line.split(' ')[1]))).toEqual(new Set(['1000', '2000', '3000', '4000']));
    expect(said.filter((line) => line.startsWith('often'))).toHaveLength(4);
    expect(said.filter((line) => line.startsWith('seldom'))).toHaveLength(2);
  });

  it('ends when it is told to, in the midst of a beat too, and can begin again', () => {
    recurs('first', 1_000);
    const endOther: () => void = onBeat(1_000, () => ends.forEach((end) => end()));
    recurs('after', 1_000);
    vi.advanceTimersByTime(3_000);
    expect(said).toEqual(['first 1000']);
    endOther();
    expect(vi.getTimerCount()).toBe(0);
    recurs('again', 1_000);
    vi.advanceTimersByTime(1_000);
    expect(said).toEqual(['first 1000', 'again 4000']);
  });
});
