import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

// Runs one program to its end, bounded in time. Arguments are passed as they are: never a shell.

export interface CommandOptions {
  stdin?: string;
  timeoutMs?: number;
  okExitCodes?: readonly number[];
}

export interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export class CommandFailed extends Error {
  constructor(
    argv: readonly string[],
    reason: string,
    readonly result: CommandResult,
  ) {
    super(`${argv.join(' ')}: ${reason}\n${result.stderr || result.stdout}`.trimEnd());
    this.name = 'CommandFailed';
  }
}

const defaultTimeoutMs = 30_000;

export async function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { stdin = '', timeoutMs = defaultTimeoutMs, okExitCodes = [0] } = options;
  const [program = '', ...args] = argv;
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A program that ends without reading its input is judged by its exit code, not by the broken pipe.
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  const { exitCode, timedOut } = await ended(child, timeoutMs);
  const result = {
    exitCode: exitCode ?? -1,
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  };
  if (timedOut) throw new CommandFailed(argv, `killed after ${timeoutMs} ms`, result);
  if (!okExitCodes.includes(result.exitCode)) throw new CommandFailed(argv, `exit code ${exitCode}`, result);
  return result;
}

function ended(child: ChildProcess, timeoutMs: number): Promise<{ exitCode: number | null; timedOut: boolean }> {
  return new Promise((resolve, reject) => {
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (exitCode) => {
      clearTimeout(timer);
      resolve({ exitCode, timedOut });
    });
  });
}
