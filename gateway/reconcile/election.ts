/**
 * keepalived, which elects, and what it says of it. Guarantees:
 * 1. It begins when it is told to, and outlives us: our own start and end never touch a role.
 * 2. A role is what keepalived said last, while that very process lives; else it is not known.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { messageOf } from '../errors.js';
import { advertsOf, keepalivedConfig, noticeOf, type PairFiles } from '../failover/keepalived.js';
import { hearsRival, reasonOf, type Role, roleIn, type RoleReport } from '../failover/role.js';
import type { CommandRunner } from '../kernel/command.js';
import type { GatewayModel } from '../model/gateway-model.js';
import type { Member } from '../model/high-availability.js';
import type { Clock } from '../system/clock.js';
import { Daemon, replaceFile } from '../system/daemon.js';
import { NoticePipe } from '../system/notice-pipe.js';

export interface ElectionOptions {
  readonly directory: string;
  readonly run: CommandRunner;
  readonly clock: Clock;
  readonly log: Logger;
  readonly startsPrograms: boolean;
  /** Why this member stands down, for a role that follows from it. */
  readonly standingDown: () => readonly string[];
  readonly onRole: (from: Role, report: RoleReport) => void;
  /** The other member says that it is active while this one is. */
  readonly onRival: () => void;
}

const WRITE_AGAIN_MS = 500;
/**
 * Above whatever works, below the kernel's own: a busy machine must not look like a dead one. From outside, since keepalived
 * by itself sets a limit to it, which a reload makes 0, and the kernel then ends it (2.2.7, without CAP_SYS_RESOURCE).
 */
const IN_REAL_TIME = ['chrt', '--rr', '10'] as const;

const NOT_HEARD: RoleReport = { role: 'Unknown', since: '', reason: reasonOf('Unknown', 'Unknown', []) };

export class Election {
  readonly #pipe = new NoticePipe((line) => this.#onNotice(line));
  readonly #daemon: Daemon;
  readonly #waiting = new Set<(role: Role) => void>();
  /** Whether this machine lets us; a container mostly does not. */
  #inRealTime: boolean | undefined;
  #notice: string | undefined;
  #report: RoleReport | undefined;
  #changes = 0;
  /** Until the role is tried to be written down again. */
  #unwritten: { cancel(): void } | undefined;

  constructor(private readonly options: ElectionOptions) {
    const { directory, log } = options;
    const [parent, vrrp] = [join(directory, 'keepalived.parent'), join(directory, 'keepalived.vrrp')];
    this.#daemon = new Daemon({
      name: 'keepalived',
      directory,
      argv: (config) =>
        [
          ...(this.#inRealTime ? IN_REAL_TIME : []),
          // Without a log daemon it would wait for the machine's console, in the midst of a takeover.
          ...['keepalived', '--dont-fork', '--log-console', '--no-syslog', '--vrrp'],
          ...['--use-file', config, '--pid', parent, '--vrrp_pid', vrrp],
        ] as [string, ...string[]],
      reloads: true,
      // The fence knows adverts by these, and has the new ones by now.
      isUrgent: (from, to) => advertsOf(from) !== advertsOf(to),
      leftovers: [parent, vrrp],
      onStart: () => log.info({ daemon: 'keepalived' }, 'started'),
      onEnd: () => {
        log.error({ daemon: 'keepalived' }, 'ended');
        if (this.#notice !== undefined) this.#become('Unknown');
      },
    });
    this.#remember();
  }

  get #roleFile(): string {
    return join(this.options.directory, 'role');
  }

  async ensure(model: GatewayModel, member: Member, files: PairFiles): Promise<void> {
    if (!existsSync(files.notices)) await this.options.run.run({ argv: ['mkfifo', '-m', '600', files.notices] });
    this.#inRealTime ??= await this.#mayRunInRealTime();
    this.#notice = noticeOf(member);
    this.#pipe.open(files.notices);
    const made = await this.#madeLinks(member);
    await this.#daemon.ensure(keepalivedConfig(model, member, files, this.options.startsPrograms, made));
  }

  async #madeLinks({ paths }: Member): Promise<number[]> {
    const made = paths.flatMap((path) => (path.under ? [path.interface] : []));
    if (made.length === 0) return [];
    const { stdout } = await this.options.run.run({ argv: ['ip', '-j', 'link', 'show'] });
    const links = JSON.parse(stdout) as readonly { readonly ifname: string; readonly ifindex: number }[];
    return links.flatMap(({ ifname, ifindex }) => (made.includes(ifname) ? [ifindex] : []));
  }

  async #mayRunInRealTime(): Promise<boolean> {
    const tried = await this.options.run.run({ argv: [...IN_REAL_TIME, 'true'], okExitCodes: [0, 1] });
    return tried.code === 0;
  }

  async stop(): Promise<void> {
    this.#notice = undefined;
    this.#report = undefined;
    this.#pipe.close();
    await this.#daemon.stop();
  }

  /** It goes on. */
  leave(): void {
    this.#pipe.close();
    this.#daemon.leave();
  }

  get report(): RoleReport {
    return this.#report ?? NOT_HEARD;
  }

  get changes(): number {
    return this.#changes;
  }

  /** Whether the role is such, or becomes so in time. */
  until(holds: (role: Role) => boolean, withinMs: number): Promise<boolean> {
    if (holds(this.report.role)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (answer: boolean): void => {
        this.#waiting.delete(look);
        timer.cancel();
        resolve(answer);
      };
      const look = (now: Role): void => {
        if (holds(now)) done(true);
      };
      const timer = this.options.clock.later(withinMs, () => done(false));
      this.#waiting.add(look);
    });
  }

  #onNotice(line: string): void {
    if (this.#notice === undefined) return;
    const role = roleIn(line, this.#notice);
    if (role) this.#become(role);
    else if (hearsRival(line)) this.options.onRival();
  }

  #become(role: Role): void {
    const from = this.report.role;
    if (from === role && this.#report) return;
    const { clock, standingDown, onRole } = this.options;
    this.#changes++;
    const since = new Date(clock.nowMs()).toISOString();
    this.#report = { role, since, reason: reasonOf(from, role, standingDown()) };
    this.#writeDown();
    for (const look of this.#waiting) look(role);
    onRole(from, this.#report);
  }

  /**
   * For the next supervisor. A disk that is full at a takeover must not end this one; who comes next would believe an
   * earlier role, and keepalived says none twice.
   */
  #writeDown(): void {
    const isFirst = this.#unwritten === undefined;
    this.#unwritten?.cancel();
    this.#unwritten = undefined;
    if (!this.#report) return;
    try {
      replaceFile(this.#roleFile, JSON.stringify({ ...this.#report, pid: this.#daemon.pid }));
    } catch (error) {
      if (isFirst) this.options.log.error({ error: messageOf(error) }, 'the role could not be written down yet');
      rmSync(this.#roleFile, { force: true });
      this.#unwritten = this.options.clock.later(WRITE_AGAIN_MS, () => this.#writeDown());
    }
  }

  /**
   * What another supervisor learnt of a keepalived that still runs. From the beginning: what is compiled for a member that
   * rests would take the active one's tunnels their peers.
   */
  #remember(): void {
    try {
      const { pid, ...report } = JSON.parse(readFileSync(this.#roleFile, 'utf8')) as RoleReport & { pid?: number };
      if (pid !== undefined && pid === this.#daemon.pid) this.#report = report;
    } catch {
      // There was none.
    }
  }
}
