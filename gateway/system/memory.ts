/**
 * Keeps the process small. Each program that it starts is a fork that copies its page tables, so memory is time: at
 * 280 MB a start takes 6 ms, at 90 MB it takes 2. Left alone the collector lets the heap double before it looks.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const GROWTH_BYTES = 24 * 1024 * 1024;

export class Memory {
  #floor = 0;
  #collect: (() => void) | undefined;

  /**
   * Until `warm`: code that runs once at the start is not worth compiling for speed; it costs 100 ms and 10 MB. Later the
   * heap may grow until an answer has gone out: V8 would else collect in the midst of every second edit.
   */
  static cold(): void {
    setFlagsFromString('--no-opt');
    setFlagsFromString('--optimize-for-size');
  }

  static warm(): void {
    setFlagsFromString('--opt');
    setFlagsFromString('--no-optimize-for-size');
  }

  /** To be called while nothing is under way: gives back what was left behind since the last time, where it is much. */
  settle(): void {
    if (getHeapStatistics().used_heap_size < this.#floor + GROWTH_BYTES) return;
    this.#collect ??= collector();
    this.#collect();
    this.#floor = getHeapStatistics().used_heap_size;
  }
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect !== 'function') throw new Error('this Node has no collector to call');
  return () => void (collect as () => void)();
}
