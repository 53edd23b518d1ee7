/**
 * This member of a pair: keeps its daemons and their files as the model in force wants them, learns its role and tells of
 * it. Guarantees:
 * 1. It is no part of a failover: what happens then is the kernel's and keepalived's, with us alive or not.
 * 2. keepalived begins only when the kernel was verified. Our own start and end never touch a role.
 * 3. Unknown means standby: without a member file nothing is elected, and the fence stays closed.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { messageOf, VpcgwError } from '../errors.js';
import { keepalivedConfig, noticeOf, type PairFiles } from '../failover/keepalived.js';
import type { SyncState } from '../failover/sync-state.js';
import { hearsRival, reasonOf, type Role, roleIn, type RoleReport } from '../failover/role.js';
import { announcement, closing } from '../failover/switch-list.js';
import type { CommandRunner } from '../kernel/command.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { isPair, leaseMs, type Member } from '../model/high-availability.js';
import { FENCE_TABLE, LEASE_SET } from '../model/ownership.js';
import type { Clock } from '../system/clock.js';
import { Daemon, replaceFile } from '../system/daemon.js';
import { NoticePipe } from '../system/notice-pipe.js';
import { Timers } from '../system/timers.js';
import { ConnectionSync } from './connection-sync.js';

export interface PairOptions {
  /** Gone with the machine: the daemons' files. */
  readonly runDirectory: string;
  /** Kept: whether this member is in maintenance. */
  readonly stateDirectory: string;
  readonly member: Member | undefined;
  readonly run: CommandRunner;
  readonly clock: Clock;
  readonly log: Logger;
  readonly tell: (type: string, message: string) => void;
  /** keepalived may start programs, for which it sheds groups first: a container lets it not. */
  readonly electionStartsPrograms: boolean;
}

export interface PairStatus extends RoleReport {
  readonly member: string;
  readonly peer: string;
  readonly leaseMs: number;
  readonly eligible: boolean;
  readonly notEligible: readonly string[];
}

/** With what has to be asked for. */
export interface PairLook extends PairStatus {
  readonly holdsLease: boolean;
  /** `undefined`: conntrackd does not answer. */
  readonly sync: SyncState | undefined;
}

/** A frame may be lost: what was announced at a takeover is announced once more. */
const ANNOUNCE_AGAIN_MS = 1_000;
const MAINTENANCE = 'maintenance';
const SWITCHOVER = 'switchover';
const RIVAL = 'the other member is active';

export class Pair {
  readonly #pipe = new NoticePipe((line) => this.#onNotice(line));
  readonly #timers: Timers;
  readonly #keepalived: Daemon;
  readonly #connections: ConnectionSync;
  readonly #standingDown = new Set<string>();
  #model: GatewayModel | undefined;
  #queue: Promise<void> = Promise.resolve();
  #report: RoleReport | undefined;
  #trouble: string | undefined;
  #roleChanges = 0;
  readonly #waiting = new Set<(role: Role) => void>();

  constructor(private readonly options: PairOptions) {
    const { log, clock } = options;
    this.#timers = new Timers(clock, (name, error) => log.error({ error: messageOf(error) }, `${name} failed`));
    if (existsSync(this.#maintenanceFile)) this.#standingDown.add(MAINTENANCE);
    this.#keepalived = this.#electionDaemon();
    this.#connections = new ConnectionSync({
      directory: options.runDirectory,
      run: options.run,
      log,
      timers: this.#timers,
      role: () => this.#report?.role ?? 'Unknown',
    });
  }

  #electionDaemon(): Daemon {
    const { log } = this.options;
    const [parent, vrrp] = [this.#file('keepalived.parent'), this.#file('keepalived.vrrp')];
    return new Daemon({
      name: 'keepalived',
      directory: this.options.runDirectory,
      argv: (config) =>
        [
          ...['keepalived', '--dont-fork', '--log-console', '--vrrp'],
          ...['--use-file', config, '--pid', parent, '--vrrp_pid', vrrp],
        ] as [string, ...string[]],
      reloads: true,
      leftovers: [parent, vrrp],
      onStart: () => log.info({ daemon: 'keepalived' }, 'started'),
      onEnd: () => {
        log.error({ daemon: 'keepalived' }, 'ended');
        if (this.#model) this.#become('Unknown');
      },
    });
  }

  // ---- what is wanted ---------------------------------------------------------------------------------------------

  /** The model that the kernel was verified to hold. */
  follow(model: GatewayModel): Promise<void> {
    this.#queue = this.#queue.then(() => this.#follow(model));
    return this.#queue;
  }

  async #follow(model: GatewayModel): Promise<void> {
    const { member } = this.options;
    try {
      if (!isPair(model)) await this.#end();
      else if (member) await this.#begin(model, member);
      this.#trouble = isPair(model) && !member ? NO_MEMBER : undefined;
    } catch (error) {
      this.#trouble = messageOf(error);
      this.options.log.error({ error: messageOf(error) }, 'the pair could not be set up');
    }
  }

  async #begin(model: GatewayModel, member: Member): Promise<void> {
    const files = this.#files;
    mkdirSync(this.options.runDirectory, { recursive: true, mode: 0o700 });
    replaceFile(files.announcement, announcement(model, member));
    replaceFile(files.closing, closing());
    this.#writeStandingDown();
    if (!existsSync(files.notices)) await this.options.run.run({ argv: ['mkfifo', '-m', '600', files.notices] });
    if (!this.#model) this.#remember();
    this.#model = model;
    this.#pipe.open(files.notices);
    await this.#connections.ensure(model, member);
    await this.#keepalived.ensure(keepalivedConfig(model, member, files, this.options.electionStartsPrograms));
  }

  async #end(): Promise<void> {
    this.#model = undefined;
    this.#report = undefined;
    this.#pipe.close();
    await this.#keepalived.stop();
    await this.#connections.stop();
  }

  /** The daemons go on. */
  leave(): void {
    this.#timers.cancelAll();
    this.#pipe.close();
    this.#keepalived.leave();
    this.#connections.leave();
  }

  // ---- role -------------------------------------------------------------------------------------------------------

  #onNotice(line: string): void {
    const { member } = this.options;
    const role = member && roleIn(line, noticeOf(member));
    if (role) this.#become(role);
    else if (member && hearsRival(line, noticeOf(member))) void this.#answerRival();
  }

  /** The fence says who of two is active: one whose lease ended while it was frozen, or the other. */
  async #answerRival(): Promise<void> {
    if (this.#standingDown.has(RIVAL) || (await this.holdsLease())) return;
    this.#standDown(RIVAL, true);
    await this.#until((role) => role !== 'Active', SWITCHOVER_WITHIN_MS);
    this.#standDown(RIVAL, false);
  }

  #become(role: Role): void {
    const from = this.#report?.role ?? 'Unknown';
    if (from === role && this.#report) return;
    this.#roleChanges++;
    const since = new Date(this.options.clock.nowMs()).toISOString();
    this.#report = { role, since, reason: reasonOf(from, role, [...this.#standingDown]) };
    replaceFile(this.#file('role'), JSON.stringify({ ...this.#report, pid: this.#keepalived.pid }));
    this.options.tell('Role', `${from} → ${role}: ${this.#report.reason}`);
    for (const waiting of this.#waiting) waiting(role);
    this.#connections.exchange(0);
    if (!this.options.electionStartsPrograms) void this.#actForElection(role);
    if (role !== 'Active') return;
    this.#timers.set('announcement', ANNOUNCE_AGAIN_MS, () => this.#announceAgain());
  }

  /** In a container the election ends with us, so we are there whenever it changes a role. */
  async #actForElection(role: Role): Promise<void> {
    const { run, log } = this.options;
    try {
      if (role === 'Active') await this.#announceAgain();
      else await run.run({ argv: ['nft', '-f', this.#files.closing] });
    } catch (error) {
      log.error({ error: messageOf(error) }, `what a member does that is ${role} could not be done`);
    }
  }

  async #announceAgain(): Promise<void> {
    if (this.#report?.role !== 'Active') return;
    await this.options.run.run({ argv: ['ip', '-batch', this.#files.announcement], okExitCodes: [0, 1, 2] });
  }

  /** What another supervisor learnt of a keepalived that still runs. */
  #remember(): void {
    try {
      const { pid, ...report } = JSON.parse(readFileSync(this.#file('role'), 'utf8')) as RoleReport & { pid?: number };
      if (pid !== undefined && pid === this.#keepalived.pid) this.#report = report;
    } catch {
      // There was none.
    }
  }

  #until(role: (role: Role) => boolean, withinMs: number): Promise<boolean> {
    if (role(this.#report?.role ?? 'Unknown')) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (answer: boolean): void => {
        this.#waiting.delete(look);
        timer.cancel();
        resolve(answer);
      };
      const look = (now: Role): void => {
        if (role(now)) done(true);
      };
      const timer = this.options.clock.later(withinMs, () => done(false));
      this.#waiting.add(look);
    });
  }

  // ---- standing down ----------------------------------------------------------------------------------------------

  /** Gives the role to the other member. */
  async switchover(): Promise<PairStatus> {
    const { status } = this.#requirePair();
    if (status.role !== 'Active')
      throw new VpcgwError(
        'NotActive',
        `this member (${status.member}) is ${status.role}; only the active one can give way`,
      );
    this.#standDown(SWITCHOVER, true);
    const gave = await this.#until((role) => role !== 'Active', SWITCHOVER_WITHIN_MS);
    this.#standDown(SWITCHOVER, false);
    if (!gave) throw new VpcgwError('NotActive', 'keepalived did not give way; see its log');
    // Standby as soon as it hears the other; active again when there is none.
    await this.#until((role) => role !== 'Fault', SWITCHOVER_WITHIN_MS);
    if (await this.#until((role) => role === 'Active', NOBODY_AFTER_ADVERTS * this.#advertMs))
      throw new VpcgwError('NotActive', 'no other member took over; this one is active again');
    return this.#requirePair().status;
  }

  /** Out of the election, or back in it, until told otherwise; a restart does not change it. */
  async setMaintenance(on: boolean): Promise<PairStatus> {
    this.#requirePair();
    if (on) writeFileSync(this.#maintenanceFile, '', { mode: 0o600 });
    else rmSync(this.#maintenanceFile, { force: true });
    this.#standDown(MAINTENANCE, on);
    await this.#until((role) => (on ? role === 'Fault' : role !== 'Fault'), SWITCHOVER_WITHIN_MS);
    return this.#requirePair().status;
  }

  get #advertMs(): number {
    return this.#model?.highAvailability.advertIntervalMs ?? 0;
  }

  #standDown(reason: string, on: boolean): void {
    if (on) this.#standingDown.add(reason);
    else this.#standingDown.delete(reason);
    this.#writeStandingDown();
  }

  /** In place, since keepalived watches the file itself; and only when it says something else. */
  #writeStandingDown(): void {
    const file = this.#files.standingDown;
    const text = this.#standingDown.size > 0 ? '1\n' : '0\n';
    if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text, { mode: 0o600 });
  }

  // ---- telling ----------------------------------------------------------------------------------------------------

  /** `undefined` where no pair is asked for. */
  get status(): PairStatus | undefined {
    const { member } = this.options;
    if (!this.#model || !member) return undefined;
    const report = this.#report ?? { role: 'Unknown', since: '', reason: reasonOf('Unknown', 'Unknown', []) };
    return {
      member: member.name,
      peer: member.paths[0].peer.text,
      ...report,
      leaseMs: leaseMs(this.#model.highAvailability),
      eligible: this.#standingDown.size === 0,
      notEligible: [...this.#standingDown],
    };
  }

  get roleChanges(): number {
    return this.#roleChanges;
  }

  /** Why this member is none, for a condition. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Whether the kernel lets this member speak, now. */
  async holdsLease(): Promise<boolean> {
    const { stdout } = await this.options.run.run({
      argv: ['nft', 'list', 'set', 'netdev', FENCE_TABLE, LEASE_SET],
      okExitCodes: [0, 1],
    });
    return stdout.includes('expires');
  }

  syncState(): Promise<SyncState | undefined> {
    return this.#connections.state();
  }

  #requirePair(): { status: PairStatus } {
    const { status } = this;
    if (!status) throw new VpcgwError('NotActive', this.#trouble ?? 'this gateway is not a pair');
    return { status };
  }

  get #files(): PairFiles {
    return {
      announcement: this.#file('announcement'),
      closing: this.#file('closing.nft'),
      notices: this.#file('notices'),
      standingDown: this.#file('standing-down'),
    };
  }

  get #maintenanceFile(): string {
    return join(this.options.stateDirectory, MAINTENANCE);
  }

  #file(name: string): string {
    return join(this.options.runDirectory, name);
  }
}

const SWITCHOVER_WITHIN_MS = 3_000;
/** Three unheard adverts and some time to see it. */
const NOBODY_AFTER_ADVERTS = 6;
const NO_MEMBER =
  'highAvailability asks for a pair, and no member file says which of the two this is (vpcgw run --member FILE): it stays a standby';
