/** Time, as one thing that a test can hold in its hand. */
export interface Clock {
  nowMs(): number;
  later(ms: number, run: () => void): { cancel(): void };
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  later(ms, run) {
    const timer = setTimeout(run, Math.min(ms, 2_147_483_647));
    return { cancel: () => clearTimeout(timer) };
  },
};
