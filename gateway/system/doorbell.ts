/** A long-lived program whose every line of output may mean that the kernel changed. Started again when it ends. */
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
    const [program, ...args] = this.argv;
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    });
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', this.onLine);
    child.on('error', () => undefined);
    child.on('close', () => {
      if (this.#stopped || this.#child !== child) return;
      this.#timer = setTimeout(() => {
        this.start();
        this.onRestart();
      }, RESTART_AFTER_MS);
    });
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
