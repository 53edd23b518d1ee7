/**
 * Whether this member may be active: gathers what is wrong with it, compares with the other, and stands down where the
 * other can do what this one cannot. Guarantees:
 * 1. Without the other's word, and without us, nothing changes: a dead supervisor unseats nobody.
 * 2. Never do both stand down for what they found by themselves.
 */
import {
  Damping,
  DOCUMENTS_FAULT,
  type Health,
  KERNEL_FAULT,
  type PeerHealth,
  unreached,
  yieldsFor,
} from '../failover/gate.js';
import { probedLinks } from '../failover/probed-links.js';
import type { Role } from '../failover/role.js';
import type { CommandRunner } from '../kernel/command.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { type Answers, WATCHED_FOR_MS, NeighbourProbe } from '../system/neighbour-probe.js';
import type { Lookout } from '../system/lookout.js';
import type { Timers } from '../system/timers.js';

export interface GatekeeperOptions {
  readonly run: CommandRunner;
  readonly lookout: Lookout;
  readonly timers: Timers;
  readonly tell: (type: string, message: string) => void;
  readonly role: () => Role;
  readonly verified: () => boolean;
  readonly isBehind: () => boolean;
  readonly peer: () => PeerHealth | undefined;
  /** For these reasons and no others; whether that changed anything. */
  readonly standDown: (reasons: readonly string[]) => boolean;
  /** The other member spoke beside this one for a while, and does not any more. */
  readonly onAlone: () => void;
  /** The other should know how this member is, and, where it is asked, say how it is itself. */
  readonly tellPeer: () => void;
}

/** An edit takes less; only who is behind for longer is out. */
const BEHIND_FOR_MS = 2_000;
/** Two members that are both in trouble must not ask each other without end. */
const ANSWER_EVERY_MS = 100;
/** The other may not know yet that its keepalived ended. */
const BOTH_FOR_MS = 2_000;
/** An answer of the former active member may still be on its way. */
const SETTLED_MS = 1_000;

/** Durations are of the clock that nobody sets. */
export class Gatekeeper {
  readonly #probe: NeighbourProbe;
  readonly #damping = new Damping();
  #answers: ReadonlyMap<string, Answers> = new Map();
  #heardAtMs = -Infinity;
  #answeredAtMs = -Infinity;
  #gone: ReadonlySet<string> = new Set();
  #behindSinceMs: number | undefined;
  #roleSinceMs = -Infinity;
  #measures = false;
  #rival: string | undefined;
  #bothSinceMs: number | undefined;
  #gapMs: number | undefined;
  #holds = false;

  constructor(private readonly options: GatekeeperOptions) {
    this.#probe = new NeighbourProbe(options.run, options.lookout, (answers) => this.#onAnswers(answers));
  }

  follow(model: GatewayModel): void {
    this.#probe.set(probedLinks(model));
  }

  stop(): void {
    this.#probe.stop();
  }

  /** For as long as the other asks how this member is, it is told what is true now. */
  answer(): void {
    const nowMs = performance.now();
    if (nowMs - this.#answeredAtMs < ANSWER_EVERY_MS) return;
    this.#answeredAtMs = nowMs;
    this.#probe.ask();
  }

  get faults(): string[] {
    const behindMs = this.#behindSinceMs === undefined ? 0 : performance.now() - this.#behindSinceMs;
    return [
      ...(this.options.verified() ? [] : [KERNEL_FAULT]),
      ...(behindMs > BEHIND_FOR_MS ? [DOCUMENTS_FAULT] : []),
      ...[...this.#gone].map(unreached),
    ];
  }

  /** By interface, as of now. */
  get answeredMsAgo(): Record<string, number> {
    const sinceMs = performance.now() - this.#heardAtMs;
    return Object.fromEntries(
      [...this.#answers].flatMap(([link, { answeredMsAgo }]) =>
        answeredMsAgo === undefined ? [] : [[link, answeredMsAgo + sinceMs]],
      ),
    );
  }

  /** At most so long did nobody answer for the pair when the role came here last, by this member's own questions. */
  get gapMs(): number | undefined {
    return this.#gapMs;
  }

  /** Why more than this member seem to be active. */
  get rival(): string | undefined {
    return this.options.role() === 'Active' ? this.#rival : undefined;
  }

  /** It gave way so often that what it finds does not move the role for a while. */
  get unstable(): string | undefined {
    return this.#damping.holds(performance.now())
      ? 'this member gave way three times within a minute: what it finds does not move the role until that is over'
      : undefined;
  }

  onRole(role: Role): void {
    this.#roleSinceMs = performance.now();
    this.#rival = undefined;
    this.#bothSinceMs = undefined;
    if (role === 'Active') {
      this.#measures = true;
      this.#probe.ask();
    }
    this.judge();
  }

  /** Whenever something may have changed. */
  judge(): void {
    const { role, peer, standDown, isBehind, timers, tell } = this.options;
    const nowMs = performance.now();
    if (!isBehind()) this.#behindSinceMs = undefined;
    else if (this.#behindSinceMs === undefined) {
      this.#behindSinceMs = nowMs;
      timers.set('behind', BEHIND_FOR_MS + 1, () => Promise.resolve(this.judge()));
    }
    const own: Health = { active: role() === 'Active', faults: this.faults, answeredMsAgo: this.answeredMsAgo };
    const other = peer();
    this.#watchRival(other, nowMs);
    const reasons = yieldsFor(own, other);
    const gives = reasons.length > 0 && own.active;
    if (gives && this.#damping.holds(nowMs)) {
      if (!this.#holds) tell('Flapping', `${reasons.join(', ')}; ${this.unstable}`);
      this.#holds = true;
      standDown([]);
      return;
    }
    this.#holds = false;
    if (standDown(reasons) && gives) this.#damping.note(nowMs);
  }

  #onAnswers(answers: ReadonlyMap<string, Answers>): void {
    const { tell, role, tellPeer } = this.options;
    this.#answers = answers;
    this.#heardAtMs = performance.now();
    const gone = new Set([...answers].flatMap(([link, answer]) => (answer.gone ? [link] : [])));
    for (const link of gone) if (!this.#gone.has(link)) tell('Unreachable', unreached(link));
    for (const link of this.#gone) if (!gone.has(link)) tell('Reachable', `somebody answers at ${link} again`);
    this.#gone = gone;
    if (this.#measures && role() === 'Active') this.#measureGap(answers);
    tellPeer();
    this.judge();
  }

  /** The pair's own addresses were answered for until the former active member fell silent. */
  #measureGap(answers: ReadonlyMap<string, Answers>): void {
    this.#measures = false;
    const seen = [...answers.values()].flatMap(({ watchedMsAgo }) => watchedMsAgo ?? []);
    const sinceRoleMs = this.#heardAtMs - this.#roleSinceMs;
    this.#gapMs = seen.length === 0 ? undefined : Math.max(0, Math.min(...seen) - sinceRoleMs);
  }

  /** Who hears somebody else answer for the pair, or hears the other say so, is not alone. */
  #watchRival(other: PeerHealth | undefined, nowMs: number): void {
    const forMs = nowMs - this.#roleSinceMs;
    if (this.options.role() !== 'Active' || forMs < SETTLED_MS) return;
    const link = [...this.#answers].find(
      ([, { watchedMsAgo }]) =>
        watchedMsAgo !== undefined &&
        watchedMsAgo < WATCHED_FOR_MS &&
        this.#heardAtMs - watchedMsAgo > this.#roleSinceMs,
    )?.[0];
    this.#bothSinceMs = other?.role === 'Active' ? (this.#bothSinceMs ?? nowMs) : undefined;
    const before = this.#rival;
    this.#rival =
      link !== undefined
        ? `somebody else answers for this gateway at ${link}`
        : nowMs - (this.#bothSinceMs ?? nowMs) > BOTH_FOR_MS
          ? 'the other member is active too'
          : undefined;
    if (this.#rival !== undefined && before === undefined) this.options.tell('TwoActives', this.#rival);
    if (this.#rival === undefined && before !== undefined) {
      this.options.tell('OneActive', 'this member alone is active');
      this.options.onAlone();
    }
  }
}
