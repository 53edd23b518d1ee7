import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { randomInt } from 'node:crypto';

// Every run of the tests, the demo or a bench names what it creates after a prefix of its own, so that runs can go side
// by side, and leaves a directory that says which process owns the prefix, so that the next run can clear up after one
// that was killed.

const runsDirectory = '/run/vpcgw-lab';
const netnsDirectory = '/run/netns';

export interface Run {
  prefix: string;
  /** For the run's documents, state and sockets; removed with the run. */
  directory: string;
}

let current: Run | undefined;

/** This process's run; made at the first call. */
export function currentRun(): Run {
  current ??= claimRun();
  return current;
}

function claimRun(): Run {
  mkdirSync(runsDirectory, { recursive: true });
  const taken = [...namesIn(runsDirectory), ...namesIn(netnsDirectory)];
  let prefix: string;
  do {
    prefix = `vg${randomInt(36 ** 3, 36 ** 4).toString(36)}`;
  } while (taken.some((name) => name.startsWith(prefix)));
  // The owner stands in the name: there is no moment in which the directory exists without it.
  const directory = join(runsDirectory, `${prefix}.${process.pid}.${startTime(process.pid)}`);
  mkdirSync(directory, { mode: 0o700 });
  return { prefix, directory };
}

/** Runs whose process is gone. */
export function deadRuns(): Run[] {
  return namesIn(runsDirectory).flatMap((name) => {
    const [prefix = '', pid = '', started = ''] = name.split('.');
    const alive = startTime(Number(pid)) === started;
    return alive ? [] : [{ prefix, directory: join(runsDirectory, name) }];
  });
}

export function namespacesOf(prefix: string): string[] {
  return namesIn(netnsDirectory).filter((name) => name.startsWith(`${prefix}-`));
}

/** Tells a process from a later one with the same id: when it started, in clock ticks since boot. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may hold spaces: count from behind it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
