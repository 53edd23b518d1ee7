/**
 * A program that stays and is asked again and again, a question a time: to start one every second costs more than all
 * else that an idle gateway does. Started by the first question, and by the next one when it has ended.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, type Hash } from 'node:crypto';
import type { Question } from '../kernel/command.js';

interface Pending {
  readonly hash: Hash;
  readonly until: string;
  /** Of what was said last: the end of an answer may come in two pieces. */
  tail: string;
  resolve(digest: string): void;
  reject(error: Error): void;
}

const TAIL_LENGTH = 256;

export class HeldProgram {
  #child: ChildProcess | undefined;
  #pending: Pending | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly argv: readonly [string, ...string[]],
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  /** The SHA-256 of its answer. */
  ask(question: Question, timeoutMs: number): Promise<string> {
    const answer = this.#last.then(() => this.#ask(question, timeoutMs));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  stop(): void {
    this.#child?.kill('SIGKILL');
  }

  async #ask({ lines, until }: Question, timeoutMs: number): Promise<string> {
    const child = (this.#child ??= this.#start());
    const limit = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    try {
      return await new Promise<string>((resolve, reject) => {
        this.#pending = { hash: createHash('sha256'), until, tail: '\n', resolve, reject };
        child.stdin?.write(`${lines.join('\n')}\n`);
      });
    } finally {
      clearTimeout(limit);
      this.#pending = undefined;
    }
  }

  #start(): ChildProcess {
    const [program, ...args] = this.argv;
    const child = spawn(program, args, { env: this.env, stdio: ['pipe', 'pipe', 'ignore'] });
    // It ends with its input, so also when we end, however that comes.
    child.stdin.on('error', () => undefined);
    child.stdout.on('data', (data: Buffer) => this.#hear(data));
    child.on('error', (error) => this.#ended(child, error));
    child.on('close', () => this.#ended(child, new Error(`${this.argv.join(' ')} has ended`)));
    return child;
  }

  #hear(data: Buffer): void {
    const pending = this.#pending;
    if (!pending) return;
    pending.hash.update(data);
    pending.tail = (pending.tail + data.toString('latin1', Math.max(0, data.length - TAIL_LENGTH))).slice(-TAIL_LENGTH);
    if (pending.tail.endsWith('\n') && lastLine(pending.tail).includes(pending.until))
      pending.resolve(pending.hash.digest('hex'));
  }

  #ended(child: ChildProcess, error: Error): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#pending?.reject(error);
  }
}

const lastLine = (text: string): string => text.slice(text.lastIndexOf('\n', text.length - 2) + 1);
