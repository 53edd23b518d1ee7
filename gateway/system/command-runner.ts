/** Runs programs. Bounded in time and output; the environment is fixed, so that every tool speaks the same language. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { VpcgwError } from '../errors.js';
import {
  type Command,
  CommandError,
  type CommandResult,
  type CommandRunner,
  type Question,
} from '../kernel/command.js';
import { anonymousFile, digestOf } from './anonymous-file.js';
import { HeldProgram } from './held-program.js';
import { readSwitches, writeSwitches } from './switches.js';
import { MOST_INPUT, WAITING_PROGRAM } from './waiting-program.js';

const DEFAULT_TIMEOUT_MS = 20_000;
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;
const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  XTABLES_LOCKFILE: '/run/xtables.lock',
};
/** Spares are started when none of their programs has run for so long: in the midst of a change each would hold it up. */
const SPARE_AFTER_MS = 10;
const SPARE_FOR_MS = 15_000;
/** More than one edit runs of what is held; a change of everything needs none. */
const MOST_SPARES = 8;
/** The last pause before a command is given up; all together twice as long. */
const MAX_RETRY_MS = 640;
/** For so long after its end a process is known as ours. */
const REMEMBERED_MS = 3_000;

interface Running {
  readonly child: ChildProcess;
  /** What it has said so far. */
  readonly stdout: () => string;
  readonly ended: Promise<CommandResult>;
}

interface Kind {
  readonly argv: Command['argv'];
  /** By itself, for its input. */
  readonly waits: boolean;
}

interface Spare extends Running, Kind {
  readonly expiry: NodeJS.Timeout;
}

export class SystemRunner implements CommandRunner {
  /** Programs that wait for their input: starting one is half of a small change. */
  #spares: Spare[] = [];
  /** What a change has run last, in turn: the next one finds as many spares. */
  #used: Kind[] = [];
  /** By their argument vector. */
  readonly #held = new Map<string, HeldProgram>();
  /** Programs of which spares are kept, and which run now. */
  #recurring = 0;
  #pause: NodeJS.Timeout | undefined;
  readonly #pids = new Map<number, number>();
  /** Set when the start is over: what runs once is not worth a spare. */
  keepsSpares = false;

  /** `prefix` is put before each command: how tests reach another network namespace. */
  constructor(private readonly prefix: readonly string[] = []) {}

  async run(command: Command): Promise<CommandResult> {
    if (command.asks) return { code: 0, stdout: await this.#ask(command, command.asks), stderr: '' };
    for (let waitMs = 10; ; waitMs *= 2)
      try {
        return await this.#once(command);
      } catch (error) {
        const again = error instanceof CommandError && command.retryWhile?.test(error.result.stderr);
        if (!again || waitMs > MAX_RETRY_MS) throw error;
        await sleep(waitMs);
      }
  }

  #ask({ argv, timeoutMs = DEFAULT_TIMEOUT_MS }: Command, question: Question): Promise<string> {
    const key = argv.join(' ');
    const held =
      this.#held.get(key) ?? new HeldProgram([...this.prefix, ...argv] as [string, ...string[]], ENVIRONMENT);
    this.#held.set(key, held);
    return held.ask(question, timeoutMs);
  }

  async #once(command: Command): Promise<CommandResult> {
    if (!command.recurs || !this.keepsSpares) return this.#answerOf(command);
    this.#recurring++;
    clearTimeout(this.#pause);
    try {
      return await this.#answerOf(command);
    } finally {
      const { argv, stdin, opensStdin = false } = command;
      this.#used = [...this.#used, { argv, waits: stdin !== undefined && !opensStdin }].slice(-MOST_SPARES);
      if (--this.#recurring === 0) this.#pause = setTimeout(() => this.#keepSparesIfPossible(), SPARE_AFTER_MS).unref();
    }
  }

  async #answerOf(command: Command): Promise<CommandResult> {
    const spare = this.#takeSpare(command);
    const input = command.opensStdin && !spare ? anonymousFile(command.stdin ?? '') : undefined;
    const output = command.digests ? anonymousFile('') : undefined;
    const running = spare ?? this.#start(command.argv, input, output);
    const { child, ended } = running;
    const limit = setTimeout(() => child.kill('SIGKILL'), command.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const forget = (): void => clearTimeout(limit);
    ended.then(forget, forget);
    if (child.pid !== undefined) this.#remember(child.pid);
    child.stdin?.end(command.stdin ?? '');
    try {
      const result = await (command.expects === undefined
        ? ended
        : Promise.race([ended, said(running, command.expects)]));
      if ((command.okExitCodes ?? [0]).includes(result.code))
        return output === undefined ? result : { ...result, stdout: digestOf(output) };
      throw new CommandError(command, result);
    } finally {
      for (const file of [input, output]) if (file !== undefined) closeSync(file);
      if (child.pid !== undefined) this.#remember(child.pid);
    }
  }

  /** In another namespace they can be read by a program only. */
  async switches(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (this.prefix.length === 0) return readSwitches(names);
    return this.#sysctl(names);
  }

  async setSwitches(values: ReadonlyMap<string, string>): Promise<ReadonlySet<string>> {
    if (this.prefix.length === 0) return writeSwitches(values);
    return new Set((await this.#sysctl([...values].map(([name, value]) => `${name}=${value}`))).keys());
  }

  async procNet(name: string): Promise<string | undefined> {
    const path = `/proc/net/${name}`;
    if (this.prefix.length === 0) return readFile(path, 'utf8').catch(() => undefined);
    const { code, stdout } = await this.run({ argv: ['cat', path], okExitCodes: [0, 1] });
    return code === 0 ? stdout : undefined;
  }

  /** It says what it has read or set. */
  async #sysctl(words: readonly string[]): Promise<Map<string, string>> {
    const { stdout } = await this.run({ argv: ['sysctl', '-e', ...words], okExitCodes: [0, 1, 255] });
    return new Map([...stdout.matchAll(/^(\S+) = (.*)$/gm)].map(([, name = '', value = '']) => [name, value.trim()]));
  }

  /** Whether a process was started here, and ended no longer than a moment ago. */
  owns(pid: number): boolean {
    return this.#pids.has(pid);
  }

  stop(): void {
    clearTimeout(this.#pause);
    for (const { child } of this.#spares) child.kill('SIGKILL');
    for (const held of this.#held.values()) held.stop();
  }

  #start(argv: Command['argv'], input?: number, output?: number): Running {
    const [program, ...args] = [...this.prefix, ...argv] as [string, ...string[]];
    const child = spawn(program, args, { env: ENVIRONMENT, stdio: [input ?? 'pipe', output ?? 'pipe', 'pipe'] });
    const stdout = child.stdout ? collect(child.stdout, () => child.kill('SIGKILL')) : () => '';
    const stderr = collect(child.stderr as Readable, () => child.kill('SIGKILL'));
    // A program that ends before it has read everything closes the pipe; its exit code tells more than EPIPE.
    child.stdin?.on('error', () => undefined);
    const ended = new Promise<CommandResult>((resolve, reject) => {
      child.on('error', (error: NodeJS.ErrnoException) => reject(startFailure(program, error)));
      child.on('close', (code, signal) =>
        resolve({
          code: code ?? 128,
          stdout: stdout(),
          stderr: signal ? `killed by ${signal} ${stderr()}` : stderr(),
        }),
      );
    });
    return { child, ended, stdout };
  }

  #takeSpare({ argv, recurs = false, stdin = '' }: Command): Running | undefined {
    const fits = (spare: Spare): boolean =>
      isSame(spare.argv, argv) && isAlive(spare.child) && (spare.waits || stdin.length <= MOST_INPUT);
    const spare = recurs ? this.#spares.find(fits) : undefined;
    if (!spare) return undefined;
    this.#spares = this.#spares.filter((other) => other !== spare);
    clearTimeout(spare.expiry);
    return spare;
  }

  /** Without memory or files to spare the next change starts its programs itself. */
  #keepSparesIfPossible(): void {
    try {
      this.#keepSpares();
    } catch {
      this.#used = [];
    }
  }

  #keepSpares(): void {
    this.#spares = this.#spares.filter(({ child }) => isAlive(child));
    const standing = [...this.#spares];
    for (const kind of this.#used) {
      const at = standing.findIndex(({ argv }) => isSame(argv, kind.argv));
      if (at < 0) this.#keepSpare(kind);
      else standing.splice(at, 1);
    }
    this.#used = [];
  }

  #keepSpare({ argv, waits }: Kind): void {
    const running = this.#start(waits ? argv : ['perl', '-e', WAITING_PROGRAM, ...argv]);
    // Nobody waits for it yet: what goes wrong with it shows when it is used.
    running.ended.catch(() => undefined);
    const expiry = setTimeout(() => {
      this.#spares = this.#spares.filter((other) => other !== spare);
      running.child.kill('SIGKILL');
    }, SPARE_FOR_MS).unref();
    const spare: Spare = { ...running, argv, waits, expiry };
    this.#spares.push(spare);
  }

  #remember(pid: number): void {
    const now = Date.now();
    for (const [known, time] of this.#pids) if (now - time > REMEMBERED_MS) this.#pids.delete(known);
    this.#pids.set(pid, now);
  }
}

const isSame = (one: Command['argv'], other: Command['argv']): boolean => one.join(' ') === other.join(' ');
const isAlive = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null;

/** Resolves when the program has said exactly this; never, if it says something else. */
function said({ child, stdout }: Running, text: string): Promise<CommandResult> {
  return new Promise((resolve) => {
    child.stdout?.on('data', () => {
      const answer = stdout();
      if (answer === text) resolve({ code: 0, stdout: answer, stderr: '' });
    });
  });
}

const startFailure = (program: string, error: NodeJS.ErrnoException): VpcgwError =>
  error.code === 'ENOENT'
    ? new VpcgwError('CommandMissing', `${program} is not installed`)
    : new VpcgwError('CommandFailed', `${program}: ${error.message}`);

function collect(stream: NodeJS.ReadableStream, overflow: () => void): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_OUTPUT_BYTES) overflow();
    else chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString('utf8');
}
