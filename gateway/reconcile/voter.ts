/**
 * When a member of a `Strict` pair asks the third voter: while it is elected and the other kernel does not answer, and
 * no longer, so that the other one finds the vote free when this one dies. Guarantees:
 * 1. Nothing here lets anybody speak: the kernel does, by what it was told and by its own clock.
 * 2. The vote is given back only when all that it allowed is over.
 */
import type { Logger } from 'pino';
import { messageOf } from '../errors.js';
import { Ballot, type VoteStore } from '../failover/ballot.js';
import type { Role } from '../failover/role.js';
import {
  GRANTED_WITHIN_MS,
  type HighAvailability,
  leaseMs,
  type MemberPath,
  type Vote,
  voteEndsAfterMs,
} from '../model/high-availability.js';
import type { Timers } from '../system/timers.js';
import { VoteWords } from '../system/vote-words.js';

export interface VoterOptions {
  readonly paths: readonly [MemberPath, ...MemberPath[]];
  readonly self: string;
  readonly highAvailability: HighAvailability & { readonly vote: Vote };
  readonly store: VoteStore;
  readonly role: () => Role;
  readonly timers: Timers;
  readonly log: Logger;
  readonly tell: (type: string, message: string) => void;
  /** By its next advert this member speaks, where it did not. */
  readonly onGranted: () => void;
}

export interface VoteStatus {
  readonly engine: Vote['engine'];
  /** The store answered when it was asked last. */
  readonly reachable: boolean;
  /** Nobody: empty. As it was seen last. */
  readonly holder: string;
  /** The other member's kernel answers this one, which it does for an elected member alone. */
  readonly peerAnswers: boolean;
}

/** After the election the first question goes at once. */
const FIRST_ANSWER_MS = 20;
const RENEW_MS = 1_000;
const AGAIN_MS = 200;
/** Without need, so that its loss is known before it is needed. */
const LOOK_EVERY_MS = 5_000;
/** The other kernel has answered for so long: it will be there. */
const STEADY_MS = 1_000;
const [ASK, LOOK] = ['vote', 'look at the vote'];

export class Voter {
  readonly #ballot: Ballot;
  readonly #words: VoteWords;
  #answeredAtMs = -Infinity;
  #silentAtMs = -Infinity;
  #electedAtMs = 0;
  #held = false;
  #asking = false;
  #holder = '';
  #trouble: string | undefined;
  #stopped = false;

  constructor(private readonly options: VoterOptions) {
    this.#ballot = new Ballot(options.store, options.self, voteEndsAfterMs(options.highAvailability), now);
    this.#words = new VoteWords(options.paths, () => this.#onAnswer());
  }

  start(): void {
    this.#words.listen();
    this.onRole();
    this.#lookLater(0);
  }

  stop(): void {
    this.#stopped = true;
    this.options.timers.cancel(ASK);
    this.options.timers.cancel(LOOK);
    this.#words.stop();
  }

  onRole(): void {
    this.#electedAtMs = now();
    this.#later(FIRST_ANSWER_MS);
  }

  get status(): VoteStatus {
    const { engine } = this.options.highAvailability.vote;
    return { engine, reachable: this.#trouble === undefined, holder: this.#holder, peerAnswers: this.#peerAnswers };
  }

  /** For a condition. */
  get trouble(): string | undefined {
    return this.#trouble === undefined ? undefined : `the third voter cannot be asked: ${this.#trouble}`;
  }

  /** Two questions unanswered, and a little. */
  get #patienceMs(): number {
    return 2 * this.options.highAvailability.advertIntervalMs + 10;
  }

  get #peerAnswers(): boolean {
    return now() - this.#answeredAtMs < this.#patienceMs;
  }

  get #needsVote(): boolean {
    // A timer may be early by a part of a millisecond.
    const asked = now() - this.#electedAtMs >= FIRST_ANSWER_MS - 1;
    return this.options.role() === 'Active' && asked && now() - this.#answeredAtMs >= this.#patienceMs - 1;
  }

  #onAnswer(): void {
    const nowMs = now();
    if (!this.#peerAnswers) this.#silentAtMs = nowMs;
    this.#answeredAtMs = nowMs;
    // Who holds the vote looks at it in its own rhythm.
    if (!this.#asking && !this.#held) this.#later(this.#patienceMs);
  }

  #later(ms: number): void {
    if (!this.#stopped) this.options.timers.set(ASK, ms, () => this.#turn());
  }

  async #turn(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    let granted = false;
    try {
      if (this.#needsVote) granted = await this.#ask();
      else if (this.#held) await this.#giveBack();
    } finally {
      this.#asking = false;
      if (this.#needsVote && !granted) this.#later(AGAIN_MS);
      else if (this.#held) this.#later(RENEW_MS);
    }
  }

  async #ask(): Promise<boolean> {
    const round = await this.#words.asks();
    try {
      const granted = (await this.#asked((signal) => this.#ballot.claim(signal))) === true;
      if (granted) await round.granted();
      if (granted) this.#holder = this.options.self;
      if (granted && !this.#held) {
        this.options.tell('VoteGranted', 'the third voter lets this member be active');
        this.options.onGranted();
      }
      this.#held ||= granted;
      return granted;
    } finally {
      round.end();
    }
  }

  /** First what lets the kernel speak by it ends, then it is free. */
  async #giveBack(): Promise<void> {
    if (this.options.role() === 'Active' && now() - this.#silentAtMs < STEADY_MS) return;
    await this.#words.returns();
    await new Promise((resolve) => setTimeout(resolve, leaseMs(this.options.highAvailability) + STEADY_MS / 10));
    if (this.#needsVote) return;
    await this.#asked((signal) => this.#ballot.giveBack(signal));
    if (this.#trouble !== undefined) return;
    this.#held = false;
    this.#holder = '';
  }

  /** `undefined`: it could not be asked. */
  async #asked<T>(question: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const before = this.#trouble;
    try {
      const answer = await question(AbortSignal.timeout(GRANTED_WITHIN_MS));
      this.#trouble = undefined;
      if (before !== undefined) this.options.tell('VoteReachable', 'the third voter answers again');
      return answer;
    } catch (error) {
      this.#trouble = messageOf(error);
      if (before === undefined) {
        this.options.tell('VoteUnreachable', this.#trouble);
        this.options.log.warn({ error: this.#trouble }, 'the third voter cannot be asked');
      }
      return undefined;
    }
  }

  #lookLater(ms: number): void {
    this.options.timers.set(LOOK, ms, async () => {
      const record = await this.#asked((signal) => this.#ballot.look(signal));
      this.#holder = record?.holder ?? '';
      // Left by a supervisor before this one.
      if (this.#holder === this.options.self && !this.#held) {
        this.#held = true;
        this.#later(RENEW_MS);
      }
      if (!this.#stopped) this.#lookLater(LOOK_EVERY_MS);
    });
  }
}

/** Of a clock that nobody sets. */
const now = (): number => performance.now();
