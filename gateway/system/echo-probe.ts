/**
 * Pings, any number at a time, by one child for all, which is started with the first and which the kernel ends with us.
 * Guarantees:
 * 1. Every ping comes to its end within its time, whatever anybody sends, and whatever becomes of the child.
 * 2. An answer is one to a question that is under way: its token is random.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { ECHO_PROGRAM } from './echo-program.js';

/** `Lost`: no answer in time. Else why it could not be sent, as the name of an error where it has one. */
export type Echoed = 'Answered' | 'Lost' | { readonly unsent: string };

export class EchoProbe {
  #child: ChildProcess | undefined;
  readonly #underWay = new Map<string, (echoed: Echoed) => void>();

  /** By `link`, where that is said, whatever leads elsewhere. */
  ping(from: string, to: string, timeoutMs: number, link?: string): Promise<Echoed> {
    return new Promise((resolve) => {
      const token = randomBytes(8).toString('hex');
      const timer = setTimeout(() => this.#end(token, 'Lost'), timeoutMs);
      this.#underWay.set(token, (echoed) => {
        clearTimeout(timer);
        resolve(echoed);
      });
      this.#running().stdin?.write(`${token} ${from} ${to}${link === undefined ? '' : ` ${link}`}\n`);
    });
  }

  stop(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  #end(token: string, echoed: Echoed): void {
    this.#underWay.get(token)?.(echoed);
    this.#underWay.delete(token);
  }

  #running(): ChildProcess {
    if (this.#child) return this.#child;
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'perl', '-e', ECHO_PROGRAM], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    });
    this.#child = child;
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [token = '', ...words] = line.split(' ');
      this.#end(token, words.length > 0 ? { unsent: words.join(' ') } : 'Answered');
    });
    const ended = (): void => {
      if (this.#child === child) this.#child = undefined;
    };
    child.on('error', ended);
    child.on('close', ended);
    return child;
  }
}
