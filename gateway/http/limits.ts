/** How much is let in: requests in a time from one address, and requests under way at once. */
import { VpcgwError } from '../errors.js';

interface Bucket {
  tokens: number;
  filledMs: number;
}

/** A bucket of tokens for each key, refilled steadily. As many keys are remembered as `MAX_KEYS`; the oldest go first. */
export class RateLimit {
  static readonly MAX_KEYS = 4_096;
  readonly #buckets = new Map<string, Bucket>();

  constructor(
    private readonly burst: number,
    private readonly perSecond: number,
    private readonly nowMs: () => number,
  ) {}

  /** Seconds to wait; 0 when it may go on. */
  take(key: string): number {
    const now = this.nowMs();
    const { tokens, filledMs } = this.#buckets.get(key) ?? { tokens: this.burst, filledMs: now };
    const filled = Math.min(this.burst, tokens + ((now - filledMs) / 1000) * this.perSecond);
    // Put in again, so that the order of the map is that of use.
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: Math.max(0, filled - 1), filledMs: now });
    this.#forgetOldest();
    return filled >= 1 ? 0 : Math.ceil((1 - filled) / this.perSecond);
  }

  #forgetOldest(): void {
    if (this.#buckets.size <= RateLimit.MAX_KEYS) return;
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }
}

/** Lets so many in at once. */
export class Gate {
  #inside = 0;

  constructor(
    private readonly most: number,
    private readonly what: string,
  ) {}

  /** What it returns is to be called once on the way out. */
  enter(): () => void {
    if (this.#inside >= this.most)
      throw new VpcgwError('Overloaded', `${this.most} ${this.what} are under way; try again in a second`);
    this.#inside++;
    return () => void this.#inside--;
  }
}
