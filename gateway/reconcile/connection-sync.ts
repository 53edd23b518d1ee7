/**
 * The daemon by which each member's kernel knows the other's connections. It is asked for a full exchange whenever one
 * of the two may have missed something: when it starts, and when this member's role changes.
 */
import type { Logger } from 'pino';
import { join } from 'node:path';
import { messageOf } from '../errors.js';
import { conntrackdConfig } from '../failover/conntrackd.js';
import type { Role } from '../failover/role.js';
import { parseSyncState, type SyncState } from '../failover/sync-state.js';
import type { CommandRunner } from '../kernel/command.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { heardMs, type HighAvailability, type Member } from '../model/high-availability.js';
import { shortestIdleMs } from '../model/idle-timeout.js';
import { FENCE_TABLE, HEARD_SET } from '../model/ownership.js';
import { Daemon } from '../system/daemon.js';
import type { Timers } from '../system/timers.js';

export interface ConnectionSyncOptions {
  readonly directory: string;
  readonly run: CommandRunner;
  readonly log: Logger;
  readonly timers: Timers;
  readonly role: () => Role;
  /** After a change of role, the other may have told of connections that documents have ended meanwhile. */
  readonly onTold: () => void;
}

/** Its socket is there a moment after it starts. */
const SETTLE_MS = 500;
/** After a change of role, or a start: the other member may itself have started only then, and missed the first. */
const AGAIN_AFTER_MS = [2_000, 10_000];
/**
 * The other kernel counts idle time by what it was last told, and a connection that carries packets without changing
 * its state tells nothing: so all are told again, before the shortest time by which one is forgotten. More often than this
 * costs more than it is worth.
 */
const RENEW_AT_LEAST_MS = 10_000;
const RENEW_AT_MOST_MS = 40_000;
const renewMs = (model: GatewayModel): number =>
  Math.min(RENEW_AT_MOST_MS, Math.max(RENEW_AT_LEAST_MS, shortestIdleMs(model) / 2));
const TIMER = 'connection sync';

const FORGETS = ['-f', 'internal'] as const;
/**
 * Both exchange, though either would do: one that fails, or whose supervisor is away, costs no connection then.
 *
 * The active member has conntrackd look at the kernel anew, since what was injected there is not what it tells of, and tell
 * all. The other one has it forget what this member told while it was active itself, and asks: connections that end by
 * injection stay in that memory, and would be told as alive when the role comes back.
 */
const ASKS = [FORGETS, ['-n']] as const;
const QUESTIONS: Readonly<Record<Role, readonly (readonly string[])[]>> = {
  Active: [['-R'], ['-B']],
  Standby: ASKS,
  Fault: ASKS,
  Unknown: [],
};

export class ConnectionSync {
  readonly #daemon: Daemon;
  #left = false;
  #begun = false;
  #hasExchanged = false;
  #renewMs = RENEW_AT_MOST_MS;

  constructor(private readonly options: ConnectionSyncOptions) {
    const { directory, log } = options;
    this.#daemon = new Daemon({
      name: 'conntrackd',
      directory,
      // It need not take the processor from what carries the packets: what it hears waits for it in its buffer.
      argv: (config) => ['chrt', '--batch', '0', 'conntrackd', '-C', config],
      reloads: false,
      leftovers: [this.#lock, this.#control],
      onStart: () => {
        log.info({ daemon: 'conntrackd' }, 'started');
        this.#exchange(SETTLE_MS);
      },
      onEnd: () => log.error({ daemon: 'conntrackd' }, 'ended'),
    });
  }

  get #lock(): string {
    return join(this.options.directory, 'conntrackd.lock');
  }

  get #control(): string {
    return join(this.options.directory, 'conntrackd.sock');
  }

  async ensure(model: GatewayModel, member: Member): Promise<void> {
    if (this.#daemon.pid === undefined && (await this.#otherSpeaks(model.highAvailability))) await this.#forget();
    await this.#daemon.ensure(conntrackdConfig(model, member, { lock: this.#lock, control: this.#control }));
    this.#renewMs = renewMs(model);
    // One that another supervisor started is looked after no less.
    if (!this.#begun) this.#exchange(SETTLE_MS);
  }

  /**
   * A member that was away has connections of then, which the other ended without it: by one of them a new connection
   * of the same ends would not be carried over. Before conntrackd looks, or it would tell the other that they ended.
   */
  async #forget(): Promise<void> {
    this.options.log.info('connections of before are forgotten: the other member is active');
    await this.options.run.run({ argv: ['conntrack', '-F'] });
  }

  /** As this kernel hears it: after an advert's time, or after the promise that a `Strict` fence begins with. */
  async #otherSpeaks(highAvailability: HighAvailability): Promise<boolean> {
    const { advertIntervalMs, vote } = highAvailability;
    await new Promise((resolve) => setTimeout(resolve, vote ? heardMs(highAvailability) : advertIntervalMs));
    const argv = ['nft', 'list', 'set', 'netdev', FENCE_TABLE, HEARD_SET] as const;
    const { stdout } = await this.options.run.run({ argv: [...argv], okExitCodes: [0, 1] });
    return stdout.includes('expires');
  }

  /** Anew: this member's role has changed, or another that was active too is not any more. */
  exchange(): void {
    this.#exchange(0);
  }

  stop(): Promise<void> {
    this.#begun = false;
    this.options.timers.cancel(TIMER);
    return this.#daemon.stop();
  }

  leave(): void {
    this.#left = true;
    this.#daemon.leave();
  }

  /** Tells the other member everything when this one is active, else asks it; and again, sooner at first than later. */
  #exchange(afterMs: number, again: readonly number[] = AGAIN_AFTER_MS): void {
    this.#begun = true;
    this.options.timers.set(TIMER, afterMs, async () => {
      try {
        // Once, when a member that was frozen has ended here what it knew: a later connection between the same ports would be
        // told with the translation of the former, for good. What is forgotten the other makes anew, in place of prolonging it.
        if (again.length === 1) await this.#ask(...FORGETS);
        for (const question of QUESTIONS[this.options.role()]) await this.#ask(...question);
      } catch (error) {
        this.options.log.warn({ error: messageOf(error) }, 'connections could not be exchanged yet');
      }
      if (again.length > 0) this.options.onTold();
      this.#hasExchanged = true;
      const [next = this.#renewMs, ...later] = again;
      // A change of role meanwhile has begun anew.
      if (!this.#left && !this.options.timers.has(TIMER)) this.#exchange(next, later);
    });
  }

  /** Whether all was told or asked for, once at least. */
  get hasExchanged(): boolean {
    return this.#hasExchanged;
  }

  /** `undefined` while it does not answer. */
  async state(): Promise<SyncState | undefined> {
    try {
      const answers = await Promise.all([this.#ask('-s'), this.#ask('-s', 'queue'), this.#ask('-s', 'network')]);
      return parseSyncState(answers.join('\n'));
    } catch {
      return undefined;
    }
  }

  async #ask(...question: readonly string[]): Promise<string> {
    const argv = ['conntrackd', '-C', this.#daemon.config, ...question] as const;
    return (await this.options.run.run({ argv: [...argv], timeoutMs: 5_000 })).stdout;
  }
}
