import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Daemon } from '../../gateway/system/daemon.js';

// A program that outlives whoever looks after it: it notes what it read at its start, and each time that it was told.

const PROGRAM = String.raw`
sub note { open(my $in, '<', $ARGV[0]); open(my $out, '>>', $ARGV[1]); syswrite($out, readline($in)); }
$SIG{HUP} = \&note; note(); sleep 1000 while 1`;

describe('a daemon', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vpcgw-daemon-'));
  const notes = join(directory, 'notes');
  const daemon = (): Daemon =>
    new Daemon({
      ...{ name: 'noter', directory, reloads: true, leftovers: [] },
      isUrgent: (from, to) => from.includes('three') && to.includes('now'),
      argv: (config) => ['perl', '-e', PROGRAM, config, notes],
      onStart: () => undefined,
      onEnd: () => undefined,
    });
  const noted = () => expect.poll(() => readFileSync(notes, 'utf8').trim().split('\n'), { timeout: 3_000 });
  const last = daemon();
  afterAll(() => last.stop('SIGKILL'));

  it('is told by the next who looks after it what the former put off', async () => {
    const former = daemon();
    await former.ensure('one\n');
    await noted().toEqual(['one']);
    await former.ensure('two\n');
    await noted().toEqual(['one', 'two']);
    // Too soon after the last time.
    await former.ensure('three\n');
    former.leave();
    await last.ensure('three\n');
    await noted().toEqual(['one', 'two', 'three']);
    expect(last.pid).toBe(former.pid);
    // What is urgent does not wait.
    await last.ensure('now\n');
    await noted().toEqual(['one', 'two', 'three', 'now']);
  });
});
