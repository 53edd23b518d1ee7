/**
 * A daemon that outlives the supervisor. Guarantees:
 * 1. It is started apart from us: our end, of whatever kind, is not its end, and the next supervisor takes it over.
 * 2. It is known by its process id and the moment it began, never by name: no other process is ever signalled.
 * 3. Its file is replaced at one stroke, and then it is told, not more often than every few seconds but for what is urgent.
 * 4. While it is wanted and dead it is started again.
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onBeat } from './beat.js';

export interface DaemonOptions {
  readonly name: string;
  readonly directory: string;
  /** In the foreground, with this configuration file. */
  readonly argv: (config: string) => readonly [string, ...string[]];
  /** How it takes up another file: by SIGHUP, or only by starting anew. */
  readonly reloads: boolean;
  /** Whether a change of its file must not wait until a reload is due again. */
  readonly isUrgent?: (from: string, to: string) => boolean;
  /** Files that one which was killed leaves behind, and that would keep the next from starting. */
  readonly leftovers: readonly string[];
  readonly onStart: () => void;
  readonly onEnd: () => void;
}

/** Of one that is not our child, or does not run. */
const LOOK_EVERY_MS = 1_000;
/** Of a child, whose end is told; for its log alone. */
const LOG_EVERY_MS = 5_000;
/** Several reloads in a row have made keepalived give up a role that it held. */
const RELOAD_EVERY_MS = 5_000;
const RESTART_AFTER_MS = 200;
const MAX_RESTART_MS = 10_000;
/** One that lived for so long did not fail at its start. */
const LIVED_MS = 5_000;
const END_WITHIN_MS = 3_000;
const MAX_LOG_BYTES = 1024 * 1024;

export class Daemon {
  #wanted: string | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #endLooks: (() => void) | undefined;
  #lookEveryMs = 0;
  #restartMs = RESTART_AFTER_MS;
  #startedMs = -Infinity;
  #endedMs = -Infinity;
  #reloadedMs = -Infinity;
  #reload: NodeJS.Timeout | undefined;
  #restarts = 0;
  /** It runs, and is our own child: its end is told. */
  #isChild = false;
  /** It runs, and a former supervisor started it. */
  #adopted: boolean;

  constructor(private readonly options: DaemonOptions) {
    this.#adopted = contentOf(this.#file('process')) !== undefined;
  }

  get config(): string {
    return this.#file('conf');
  }

  get log(): string {
    return this.#file('log');
  }

  /** How often it had to be started again. */
  get restarts(): number {
    return this.#restarts;
  }

  get pid(): number | undefined {
    return this.#processId();
  }

  /** Runs with this file from now on; what runs with it already is left alone. */
  ensure(config: string): Promise<void> {
    this.#wanted = config;
    return this.#enqueue(() => this.#settle());
  }

  /** Ends it; by SIGKILL where it is to end without a word, and to leave behind what it made. */
  stop(by: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    this.#wanted = undefined;
    return this.#enqueue(async () => {
      this.leave();
      if (by === 'SIGKILL') this.#signal(by);
      await this.#end();
      this.#adopted = false;
    });
  }

  /** Looks after it no more; it goes on. */
  leave(): void {
    this.#endLooks?.();
    clearTimeout(this.#reload);
    this.#endLooks = undefined;
  }

  #file(suffix: string): string {
    return join(this.options.directory, `${this.options.name}.${suffix}`);
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  async #settle(): Promise<void> {
    if (this.#wanted === undefined) return;
    mkdirSync(this.options.directory, { recursive: true, mode: 0o700 });
    // What it runs with, not what stands in the file: a former supervisor may have ended before it told.
    const changed = [contentOf(this.#file('told')) ?? this.#wanted, contentOf(this.config)].some(
      (text) => text !== this.#wanted,
    );
    if (contentOf(this.config) !== this.#wanted) replaceFile(this.config, this.#wanted);
    if (this.#processId() === undefined) {
      this.#noteEnd();
      this.#start();
    } else {
      // Not our child: nobody says when it ends.
      this.#adopted = !this.#isChild;
      if (changed) await this.#tell();
    }
    this.#lookAfterwards();
  }

  #lookAfterwards(): void {
    const everyMs = this.#isChild ? LOG_EVERY_MS : LOOK_EVERY_MS;
    if (this.#endLooks && everyMs === this.#lookEveryMs) return;
    this.#endLooks?.();
    this.#lookEveryMs = everyMs;
    this.#endLooks = onBeat(everyMs, () => this.#lookSoon());
  }

  /** What fails, as on a full disk, is tried again at the next look. */
  #lookSoon(): void {
    void this.#enqueue(() => this.#lookAfter()).catch(() => undefined);
  }

  async #lookAfter(): Promise<void> {
    this.#boundLog();
    if (this.#wanted === undefined || this.#isChild || this.#processId() !== undefined) return;
    this.#noteEnd();
    const nowMs = performance.now();
    const lived = nowMs - this.#startedMs;
    // Not at once either: children of it may still be ending. By half of what is waited for, as timers come early.
    if (lived < this.#restartMs || nowMs - this.#endedMs < RESTART_AFTER_MS / 2) return;
    this.#restartMs = lived > LIVED_MS ? RESTART_AFTER_MS : Math.min(2 * this.#restartMs, MAX_RESTART_MS);
    this.#restarts++;
    this.#start();
    if (this.#endLooks) this.#lookAfterwards();
  }

  /** Of a process that was not our child, which nobody tells. */
  #noteEnd(): void {
    if (this.#adopted) this.options.onEnd();
    this.#adopted = false;
  }

  #start(): void {
    for (const file of this.options.leftovers) rmSync(file, { force: true });
    this.#boundLog();
    const [program, ...args] = this.options.argv(this.config);
    const log = openSync(this.log, 'a', 0o600);
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    });
    closeSync(log);
    this.#startedMs = performance.now();
    this.#isChild = child.pid !== undefined;
    this.#adopted = false;
    child.on('error', () => undefined);
    child.on('exit', () => {
      this.#isChild = false;
      this.#endedMs = performance.now();
      this.options.onEnd();
      if (this.#wanted === undefined || !this.#endLooks) return;
      this.#lookAfterwards();
      setTimeout(() => this.#lookSoon(), this.#restartMs).unref();
    });
    child.unref();
    if (child.pid === undefined) return;
    try {
      replaceFile(this.#file('process'), `${child.pid} ${beginOf(child.pid) ?? ''}\n`);
    } catch (error) {
      // Nobody would know it.
      child.kill('SIGKILL');
      throw error;
    }
    this.#noteTold();
    this.options.onStart();
  }

  #noteTold(): void {
    try {
      replaceFile(this.#file('told'), contentOf(this.config) ?? '');
    } catch {
      // It is told once more then.
    }
  }

  #boundLog(): void {
    try {
      if (statSync(this.log).size > MAX_LOG_BYTES) truncateSync(this.log);
    } catch {
      // There is none yet.
    }
  }

  async #tell(): Promise<void> {
    if (!this.options.reloads) {
      await this.#end();
      return this.#start();
    }
    const waitMs = this.#reloadedMs + RELOAD_EVERY_MS - performance.now();
    clearTimeout(this.#reload);
    const isUrgent =
      this.options.isUrgent?.(contentOf(this.#file('told')) ?? '', contentOf(this.config) ?? '') ?? false;
    if (waitMs > 0 && !isUrgent)
      this.#reload = setTimeout(() => void this.#enqueue(() => this.#tell()), waitMs).unref();
    else {
      this.#reloadedMs = performance.now();
      this.#signal('SIGHUP');
      this.#noteTold();
    }
  }

  async #end(): Promise<void> {
    if (this.#processId() === undefined) return;
    this.#signal('SIGTERM');
    const deadline = performance.now() + END_WITHIN_MS;
    while (this.#processId() !== undefined && performance.now() < deadline) await sleep(10);
    this.#signal('SIGKILL');
  }

  #signal(signal: NodeJS.Signals): void {
    const pid = this.#processId();
    if (pid !== undefined) process.kill(pid, signal);
  }

  #processId(): number | undefined {
    const [pid, begin] = (contentOf(this.#file('process')) ?? '').trim().split(' ');
    return begin !== undefined && begin !== '' && beginOf(Number(pid)) === begin ? Number(pid) : undefined;
  }
}

/** When a process began, in ticks since the machine did; `undefined` when it lives no more. */
function beginOf(pid: number): string | undefined {
  const stat = contentOf(`/proc/${pid}/stat`);
  // The name before it may hold spaces and brackets.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields?.[0] === 'Z' ? undefined : fields?.[19];
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

export function replaceFile(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
