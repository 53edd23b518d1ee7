/**
 * Pings, any number at a time, by one child for all, which is started with the first and which the kernel ends with us.
 * Guarantees:
 * 1. Every ping comes to its end within its time, two seconds more where the child begins with it, whatever anybody sends,
 *    and whatever becomes of the child.
 * 2. An answer is one to a question that is under way: its token is random.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { ECHO_PROGRAM } from './echo-program.js';

/** `Lost`: no answer in time. Else why it could not be sent, as the name of an error where it has one. */
export type Echoed = 'Answered' | 'Lost' | { readonly unsent: string };

/** Until the child reads questions, their time has not begun: on a busy machine it takes longer than a ping may. */
const STARTS_WITHIN_MS = 2_000;

interface UnderWay {
  readonly timeoutMs: number;
  readonly resolve: (echoed: Echoed) => void;
  timer: NodeJS.Timeout | undefined;
}

export class EchoProbe {
  #child: ChildProcess | undefined;
  #ready = false;
  readonly #underWay = new Map<string, UnderWay>();

  /** By `link`, where that is said, whatever leads elsewhere. */
  ping(from: string, to: string, timeoutMs: number, link?: string): Promise<Echoed> {
    return new Promise((resolve) => {
      const token = randomBytes(8).toString('hex');
      const child = this.#running();
      const question: UnderWay = { timeoutMs, resolve, timer: undefined };
      this.#underWay.set(token, question);
      this.#limit(token, question, this.#ready ? timeoutMs : STARTS_WITHIN_MS + timeoutMs);
      child.stdin?.write(`${token} ${from} ${to}${link === undefined ? '' : ` ${link}`}\n`);
    });
  }

  stop(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  #limit(token: string, question: UnderWay, ms: number): void {
    clearTimeout(question.timer);
    question.timer = setTimeout(() => this.#end(token, 'Lost'), ms);
  }

  #end(token: string, echoed: Echoed): void {
    const question = this.#underWay.get(token);
    clearTimeout(question?.timer);
    this.#underWay.delete(token);
    question?.resolve(echoed);
  }

  #begins(): void {
    this.#ready = true;
    for (const [token, question] of this.#underWay) this.#limit(token, question, question.timeoutMs);
  }

  #running(): ChildProcess {
    if (this.#child) return this.#child;
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'perl', '-e', ECHO_PROGRAM], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    });
    this.#child = child;
    this.#ready = false;
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (this.#child !== child) return;
      if (line === 'ready') return this.#begins();
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
