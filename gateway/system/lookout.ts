/**
 * Hears what changes in the kernel and what neighbours answer: one child for both, which opens the sockets that Node may
 * not. Started again when it ends; the kernel ends it with us, however we end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type KernelEvent, parseKernelEvent } from './kernel-event.js';
import { LOOKOUT_PROGRAM } from './lookout-program.js';

export interface LookoutListener {
  readonly onEvent?: (event: KernelEvent) => void;
  /** Events may have been missed until now. It listens. */
  readonly onMissed?: () => void;
  /** Nobody is asked any more, until it is told anew. */
  readonly onEnd?: () => void;
  /** A line of what neighbours answered, or of a link that was lost; see neighbour-program.ts. */
  readonly onNeighbours?: (line: string) => void;
}

const RESTART_AFTER_MS = 1_000;

export class Lookout {
  readonly listeners = new Set<LookoutListener>();
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;

  start(): void {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'perl', '-e', LOOKOUT_PROGRAM], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    });
    this.#child = child;
    child.on('error', () => undefined);
    child.on('close', () => {
      if (this.#child !== child) return;
      this.#child = undefined;
      for (const { onEnd } of this.listeners) onEnd?.();
      this.#startAgain();
    });
    // A machine without files to spare has none for these either: then it closes.
    const { stdin, stdout }: Partial<typeof child> = child;
    stdin?.on('error', () => undefined);
    if (!stdout) return;
    createInterface({ input: stdout }).on('line', (line) => {
      if (this.#child === child) this.#hear(line);
    });
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  /** A line of input; see neighbour-program.ts. False: nobody is there to be told. */
  tell(line: string): boolean {
    this.#child?.stdin?.write(`${line}\n`);
    return this.#child !== undefined;
  }

  #hear(line: string): void {
    const event = parseKernelEvent(line);
    for (const { onEvent, onMissed, onNeighbours } of this.listeners)
      if (event) onEvent?.(event);
      else if (line === 'missed') onMissed?.();
      else onNeighbours?.(line);
  }

  /** A machine without memory to spare lets nobody start a program, for a while. */
  #startAgain(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      try {
        this.start();
      } catch {
        this.#startAgain();
      }
    }, RESTART_AFTER_MS);
  }
}
