/** Runs programs. Bounded in time and output; the environment is fixed, so that every tool speaks the same language. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { VpcgwError } from '../errors.js';
import { type Command, CommandError, type CommandResult, type CommandRunner } from '../kernel/command.js';

const DEFAULT_TIMEOUT_MS = 20_000;
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;
const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  XTABLES_LOCKFILE: '/run/xtables.lock',
};

export class SystemRunner implements CommandRunner {
  /** Processes started so far, for figures. */
  count = 0;
  /** `prefix` is put before each command: how tests reach another network namespace. */
  constructor(private readonly prefix: readonly string[] = []) {}

  run(command: Command): Promise<CommandResult> {
    this.count++;
    const [program, ...args] = [...this.prefix, ...command.argv] as [string, ...string[]];
    const file = command.opensStdin ? anonymousFile(command.stdin ?? '', this.count) : undefined;
    return new Promise<CommandResult>((resolve, reject) => {
      const child = spawn(program, args, {
        env: ENVIRONMENT,
        stdio: [file ?? 'pipe', 'pipe', 'pipe'],
        timeout: command.timeoutMs ?? DEFAULT_TIMEOUT_MS,
        killSignal: 'SIGKILL',
      });
      const stdout = collect(child.stdout as Readable, () => child.kill('SIGKILL'));
      const stderr = collect(child.stderr as Readable, () => child.kill('SIGKILL'));
      child.on('error', (error: NodeJS.ErrnoException) =>
        reject(
          error.code === 'ENOENT'
            ? new VpcgwError('CommandMissing', `${program} is not installed`)
            : new VpcgwError('CommandFailed', `${program}: ${error.message}`),
        ),
      );
      child.on('close', (code, signal) => {
        const result = {
          code: code ?? 128,
          stdout: stdout(),
          stderr: signal ? `killed by ${signal} ${stderr()}` : stderr(),
        };
        if ((command.okExitCodes ?? [0]).includes(result.code)) resolve(result);
        else reject(new CommandError(command, result));
      });
      // A program that ends before it has read everything closes the pipe; its exit code tells more than EPIPE.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(command.stdin ?? '');
    }).finally(() => file === undefined || closeSync(file));
  }
}

/** In memory, and gone with its last reader. Written by position, so that the reader begins at its beginning. */
function anonymousFile(text: string, number: number): number {
  const path = `/dev/shm/vpcgw-${process.pid}-${number}`;
  const file = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  writeSync(file, text, 0);
  return file;
}

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
