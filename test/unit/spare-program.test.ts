import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Command } from '../../gateway/kernel/command.js';
import { SystemRunner } from '../../gateway/system/command-runner.js';

const runner = new SystemRunner();
runner.keepsSpares = true;
afterEach(() => runner.stop());

/** Says which process it is, and what it reads. */
const script = '$| = 1; print "$$ "; open(my $in, "<", "/dev/stdin") or die; print <$in>;';
const command = (stdin: string): Command => ({
  argv: ['perl', '-e', script],
  stdin,
  opensStdin: true,
  recurs: true,
});

async function run(stdin: string): Promise<{ pid: number; said: string | undefined }> {
  const { stdout } = await runner.run(command(stdin));
  const [, pid, said] = /^(\d+) (.*)$/s.exec(stdout) ?? [];
  return { pid: Number(pid), said };
}

/** The process that waits for its turn. */
async function spare(): Promise<number> {
  for (;;) {
    const found = childrenOf(process.pid).find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(script));
    if (found !== undefined) return found;
    await sleep(2);
  }
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

describe('a program that was started beforehand', () => {
  it('reads what it is given then, though it opens its input by itself', async () => {
    expect((await run('one')).said).toBe('one');
    const waiting = await spare();
    expect(await run('two\nlines')).toEqual({ pid: waiting, said: 'two\nlines' });
  });

  it('is not given more than a pipe holds', async () => {
    await run('one');
    const waiting = await spare();
    const much = 'x'.repeat(100_000);
    const { pid, said } = await run(much);
    expect(said).toBe(much);
    expect(pid).not.toBe(waiting);
  });
});
