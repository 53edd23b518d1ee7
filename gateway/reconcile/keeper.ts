/**
 * Keeps true what is in force: mends what somebody else changed, ends connections whose drain time is over, turns
 * new connections away from what is used up. Every method is to be called in the supervisor's queue.
 */
import type { Logger } from 'pino';
import { messageOf } from '../errors.js';
import type { Down } from '../model/balancer.js';
import { type Pressure, samePressure } from '../model/pressure.js';
import type { Clock } from '../system/clock.js';
import type { Journal } from '../system/journal.js';
import type { Timers } from '../system/timers.js';
import type { Suspicion } from './drift-watch.js';
import type { Step } from './plan.js';
import type { Programmer } from './programmer.js';
import type { Standing } from './status.js';

export interface KeeperOptions {
  readonly programmer: Programmer;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Logger;
  readonly timers: Timers;
  readonly standing: Standing;
  readonly isPaused: () => boolean;
  readonly enqueue: (work: () => Promise<void>) => Promise<void>;
  readonly tell: (type: string, message: string) => void;
}

const RETRY_MS = 1_000;
const UNWRITABLE_RETRY_MS = 30_000;
/** Of one step, in a report of what had changed. */
const NAMED_CHANGES = 10;

export class Keeper {
  constructor(private readonly options: KeeperOptions) {}

  async inspect(suspicion: Suspicion | 'all'): Promise<void> {
    const { programmer, isPaused } = this.options;
    const steps = await programmer.inspect(suspicion);
    if (steps.length > 0) await this.#mend(steps);
    // A link's MTU is no difference by itself.
    else if (!isPaused() && programmer.isOutdated) await programmer.mend();
  }

  async #mend(steps: readonly Step[]): Promise<void> {
    const { programmer, standing, clock, log, tell } = this.options;
    const paused = this.options.isPaused();
    const what = steps.flatMap((step) =>
      step.changes.slice(0, NAMED_CHANGES).map((change) => `${step.subsystem}: ${change.action} ${change.key}`),
    );
    log.warn({ what }, paused ? 'the kernel differs; paused, so it is left' : 'the kernel differs; it is mended');
    if (!paused) await programmer.mend();
    standing.drift = {
      repairs: standing.drift.repairs + (paused ? 0 : 1),
      last: { time: new Date(clock.nowMs()).toISOString(), what, repaired: !paused },
    };
    if (!paused) tell('DriftRepaired', what.slice(0, 3).join('; '));
  }

  /** A key that has changed is told to its tunnel alone. */
  async followKeys(): Promise<void> {
    const { programmer, isPaused, tell } = this.options;
    const model = programmer.inForce?.model;
    if (!model || isPaused() || !(await programmer.keysHaveChanged(model))) return;
    await programmer.mend();
    tell('Keys', 'a key has changed and was taken up');
  }

  async setPressure(change: Partial<Pressure>): Promise<void> {
    const { programmer, isPaused, tell } = this.options;
    const before = programmer.pressure;
    const pressure = { ...before, ...change };
    if (samePressure(before, pressure)) return;
    // What comes into force later reckons with it, too.
    programmer.pressure = pressure;
    if (!programmer.inForce || isPaused()) return;
    await this.#answer();
    if (change.down) await this.#membersChanged(before.down, change.down);
    const { exhausted, full } = pressure;
    if (full !== before.full)
      tell(
        'ConnectionLimit',
        full ? 'no new connections: the limit is reached' : 'new connections are let through again',
      );
    if (!samePressure({ ...pressure, exhausted: before.exhausted }, pressure))
      tell(
        'PortsExhausted',
        exhausted.size > 0 ? `ports nearly used up: ${[...exhausted].join(', ')}` : 'all addresses have ports again',
      );
  }

  /** Nobody says again what could not be answered. */
  async #answer(): Promise<void> {
    const { programmer, timers, enqueue } = this.options;
    try {
      await programmer.mend();
    } catch (error) {
      timers.set('pressure', RETRY_MS, () => enqueue(() => this.#answer()));
      throw error;
    }
  }

  /** UDP has no end that would be noticed: its clients go to another member at once. */
  async #membersChanged(before: Down, after: Down): Promise<void> {
    const { programmer, journal, tell } = this.options;
    for (const [member, reason] of after) if (!before.has(member)) tell('MemberDown', `${member.trim()}: ${reason}`);
    for (const member of before.keys()) if (!after.has(member)) tell('MemberUp', member.trim());
    const model = programmer.inForce?.model;
    const udp = model?.loadBalancers.some(({ listeners }) => listeners.some(({ protocol }) => protocol === 'UDP'));
    if (model && udp) await programmer.flows.cut(model, journal.drains);
  }

  /** Sets the timer for the former binding whose time is over next. */
  armDrains(): void {
    const { journal, clock, timers, enqueue } = this.options;
    const next = Math.min(...journal.drains.map((drain) => drain.untilMs));
    if (Number.isFinite(next))
      timers.set('drain', Math.max(0, next - clock.nowMs()), () => enqueue(() => this.#endDrains()));
  }

  /** Beside the timer of the next drain, which may be far off. */
  endDrainsIn(ms: number): void {
    this.options.timers.set('flows', ms, () => this.options.enqueue(() => this.#endDrains()));
  }

  /** The connections have ended either way; on a full disk only the record of it waits. */
  #forgot(running: Parameters<Journal['setDrains']>[0]): boolean {
    try {
      this.options.journal.setDrains(running);
      return true;
    } catch (error) {
      this.options.log.error({ error: messageOf(error) }, 'the end of a drain could not be kept on disk');
      return false;
    }
  }

  async #endDrains(): Promise<void> {
    const { journal, programmer, clock, log } = this.options;
    const running = journal.drains.filter((drain) => drain.untilMs > clock.nowMs());
    try {
      await programmer.endDrains(running);
    } catch (error) {
      log.error({ error: messageOf(error) }, 'stale connections could not be ended yet');
      return this.endDrainsIn(RETRY_MS);
    }
    if (running.length < journal.drains.length && !this.#forgot(running)) return this.endDrainsIn(UNWRITABLE_RETRY_MS);
    this.armDrains();
  }
}
