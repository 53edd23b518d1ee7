// What came over time, drawn as a line of blocks: the taller, the more. One line for each thing that was watched.

const BLOCKS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
export const SLOT_MS = 25;
const TICK_EVERY_SLOTS = 10;

/** When something came, in ms of `performance.now`, and how much of it. */
export interface Arrival {
  readonly atMs: number;
  readonly amount: number;
}

export interface Window {
  /** The moment that is 0 on the axis. */
  readonly zeroMs: number;
  readonly beforeMs: number;
  readonly afterMs: number;
}

const slotsOf = ({ beforeMs, afterMs }: Window): number => Math.round((beforeMs + afterMs) / SLOT_MS);

/** Full height is the most that a slot holds but for the tallest tenth of them, which a backlog fills. */
export function drawn(arrivals: readonly Arrival[], window: Window): string {
  const slots = new Array<number>(slotsOf(window)).fill(0);
  for (const { atMs, amount } of arrivals) {
    const slot = Math.floor((atMs - window.zeroMs + window.beforeMs) / SLOT_MS);
    if (slot >= 0 && slot < slots.length) slots[slot] = (slots[slot] ?? 0) + amount;
  }
  const full = [...slots].sort((a, b) => a - b)[Math.floor(slots.length * 0.9)] || 1;
  return slots.map((amount) => BLOCKS[amount === 0 ? 0 : blockOf(amount / full)]).join('');
}

const blockOf = (share: number): number => Math.max(1, Math.min(BLOCKS.length - 1, Math.round(share * 8)));

/** Seconds below the lines, a tick each quarter. */
export function axis(window: Window): string {
  const ticks = Array.from({ length: slotsOf(window) / TICK_EVERY_SLOTS }, (_, index) => {
    const seconds = (index * TICK_EVERY_SLOTS * SLOT_MS - window.beforeMs) / 1000;
    return `│${seconds > 0 ? '+' : ''}${seconds.toFixed(2)} s`.padEnd(TICK_EVERY_SLOTS);
  });
  return ticks.join('').trimEnd();
}

/** The longest time without an arrival between the first and the last one. */
export function longestSilenceMs(arrivals: readonly Arrival[]): number {
  return arrivals.slice(1).reduce((most, { atMs }, i) => Math.max(most, atMs - (arrivals[i]?.atMs ?? atMs)), 0);
}
