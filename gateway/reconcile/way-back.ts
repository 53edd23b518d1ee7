/**
 * The way back: a revision that waits for its confirmation and is undone without it, and going back to an earlier one.
 * Every method but `armKept` is to be called in the supervisor's queue.
 */
import type { Source } from '../documents/document.js';
import { VpcgwError } from '../errors.js';
import type { Clock } from '../system/clock.js';
import type { Journal, Revision } from '../system/journal.js';
import type { Timers } from '../system/timers.js';
import type { Author, Submitted, Terms } from './submission.js';

export interface WayBackOptions {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly enqueue: (work: () => Promise<unknown>) => Promise<unknown>;
  readonly tell: (type: string, message: string) => void;
  /** Puts documents into force, as a new revision; why there are none is thrown by `sources`. */
  readonly putBack: (author: Author, sources: () => readonly Source[]) => Promise<Submitted>;
}

/** A disk that is full, or a kernel that is busy, may be so for long. */
const AGAIN_MS = 5_000;

export class WayBack {
  /** What waited for its confirmation, while it is being undone. */
  #undoing: Revision | undefined;

  constructor(private readonly options: WayBackOptions) {}

  /** What waits for its confirmation, also while it is being undone. */
  get pending(): Revision | undefined {
    return this.#undoing ?? this.options.journal.pending;
  }

  refuseWhilePending(): void {
    const { pending } = this.options.journal;
    if (pending)
      throw new VpcgwError(
        'ConfirmPending',
        `revision ${pending.revision} waits for its confirmation; confirm it or roll it back first`,
      );
  }

  /** After a start: what waited then waits for the rest of its time. */
  armKept(): void {
    const { journal, clock } = this.options;
    if (journal.pending) this.arm(journal.pending, Math.max(0, (journal.pending.confirmByMs ?? 0) - clock.nowMs()));
  }

  arm(kept: Revision, ms: number): void {
    const { revision } = kept;
    const { journal, timers, enqueue, tell } = this.options;
    timers.set('confirm', ms, () =>
      enqueue(async () => {
        if (journal.pending?.revision !== revision) return;
        try {
          await this.goBack({ name: 'deadline', via: 'Deadline' });
        } catch (error) {
          this.arm(kept, AGAIN_MS);
          throw error;
        }
        tell('RolledBack', `revision ${revision} was not confirmed in time`);
      }),
    );
  }

  confirm(permission?: Terms['permission']): number {
    const { journal, timers, tell } = this.options;
    const { pending } = journal;
    if (!pending) throw new VpcgwError('NothingToConfirm', 'no change waits for a confirmation');
    permission?.(pending);
    journal.confirm(pending.revision);
    timers.cancel('confirm');
    tell('Confirmed', `revision ${pending.revision} is confirmed`);
    return pending.revision;
  }

  /** To a revision, or by one; `check` may refuse it. */
  async goBack(author: Author, to?: number, check: () => void = () => undefined): Promise<Submitted> {
    const { journal, putBack } = this.options;
    this.#undoing = journal.pending;
    try {
      return await putBack(author, () => {
        check();
        return this.#documentsOf(to ?? this.#beforeLatest());
      });
    } finally {
      this.#undoing = undefined;
    }
  }

  #documentsOf(revision: number): Source[] {
    const sources = this.options.journal.documentsAt(revision);
    if (!sources || sources.size === 0) throw new VpcgwError('UnknownRevision', `revision ${revision} is not kept`);
    return [...sources.values()];
  }

  #beforeLatest(): number {
    const [before, latest] = [undefined, ...this.options.journal.revisions].slice(-2);
    if (before) return before.revision;
    throw new VpcgwError(
      'UnknownRevision',
      latest
        ? `revision ${latest.revision} is the first that is kept: there is none before it to go back to`
        : 'there is no revision yet',
    );
  }
}
