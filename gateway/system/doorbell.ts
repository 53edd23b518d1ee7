/**
 * A long-lived program whose every line of output may mean that the kernel changed. Started again when it ends; the
 * kernel ends it with us, however we end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const RESTART_AFTER_MS = 1000;

export class Doorbell {
  #child: ChildProcess | undefined;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;

  /** `onRestart` is called when lines may have been missed. */
  constructor(
    private readonly argv: readonly [string, ...string[]],
    private readonly onLine: (line: string) => void,
    private readonly onRestart: () => void,
  ) {}

  start(): void {
    this.#stopped = false;
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...this.argv], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    });
    this.#child = child;
    child.on('error', () => undefined);
    child.on('close', () => {
      if (this.#stopped || this.#child !== child) return;
      this.#startAgain();
    });
    // A machine without files to spare has none for this either: then it closes.
    const { stdout }: Partial<typeof child> = child;
    if (stdout) createInterface({ input: stdout }).on('line', this.onLine);
  }

  /** A machine without memory to spare lets nobody start a program, for a while. */
  #startAgain(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      try {
        this.start();
        this.onRestart();
      } catch {
        this.#startAgain();
      }
    }, RESTART_AFTER_MS);
  }

  get rings(): boolean {
    return this.#child !== undefined && !this.#stopped;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#child?.kill('SIGKILL');
  }
}
