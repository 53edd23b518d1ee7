/**
 * The third voter of a `Strict` pair: a record in a store that both members ask, which one of them may hold. Guarantees,
 * with clocks of whatever difference, and answers however late:
 * 1. Who holds it renews it by writing; the other may take it only when it has seen nothing written for `endsAfterMs`
 *    by its own clock, which is longer than any grant of the holder lasts.
 * 2. Every write names the version that it replaces, so of two that write at once one fails.
 */
export interface VoteRecord {
  /** Another one after each write. */
  readonly version: string;
  /** Empty: given back. */
  readonly holder: string;
}

/** Answers of the store are those of its majority. Both reject when it cannot be asked. */
export interface VoteStore {
  read(signal: AbortSignal): Promise<VoteRecord | undefined>;
  /** `replaces` is what was read; false: somebody else has written since. */
  write(holder: string, replaces: VoteRecord | undefined, signal: AbortSignal): Promise<boolean>;
}

const NOBODY = '';

export class Ballot {
  /** Somebody else's. */
  #wasHeld = false;
  #seen: { readonly record: VoteRecord | undefined; readonly sinceMs: number } | undefined;

  constructor(
    private readonly store: VoteStore,
    private readonly self: string,
    private readonly endsAfterMs: number,
    /** Of a clock that nobody sets. */
    private readonly nowMs: () => number,
  ) {}

  /** Whether it is this member's from now on. */
  async claim(signal: AbortSignal): Promise<boolean> {
    const record = await this.look(signal);
    return this.#isFree(record) && (await this.store.write(this.self, record, signal));
  }

  /** So that the other need not wait. Only when all that a grant allowed is over. */
  async giveBack(signal: AbortSignal): Promise<void> {
    const record = await this.look(signal);
    if (record?.holder === this.self) await this.store.write(NOBODY, record, signal);
  }

  /** Who holds it. */
  async look(signal: AbortSignal): Promise<VoteRecord | undefined> {
    const record = await this.store.read(signal);
    // Seen since it was read, not since it was asked for: later is safer.
    if (!this.#seen || this.#seen.record?.version !== record?.version) this.#seen = { record, sinceMs: this.nowMs() };
    if (record) this.#wasHeld = record.holder !== NOBODY && record.holder !== this.self;
    return record;
  }

  /** One that somebody took away says nothing of who held it. */
  #isFree(record: VoteRecord | undefined): boolean {
    if (record ? record.holder === NOBODY || record.holder === this.self : !this.#wasHeld) return true;
    return this.nowMs() - (this.#seen?.sinceMs ?? this.nowMs()) >= this.endsAfterMs;
  }
}
