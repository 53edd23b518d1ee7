import { spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { removeControlGroups } from './control-groups.js';
import { currentRun, deadRuns, namespacesOf } from './run-name.js';
import type { Run } from './run-name.js';

// Nothing outlives its run. All of it is synchronous, because it must also work while the process exits.
// 1. The run's namespaces, their processes, its control groups, disks and its directory go when the process ends: normally, by
//    an uncaught error, by SIGINT, SIGTERM or SIGHUP.
// 2. What a run left that could not do so (SIGKILL, power) goes when the next one starts.

const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
let armed = false;

/** Before the first namespace is created. */
export function armCleanup(): void {
  if (armed) return;
  armed = true;
  const run = currentRun();
  process.once('exit', () => removeRun(run));
  for (const signal of endingSignals) {
    process.once(signal, () => {
      removeRun(run);
      // Die of the signal as if nobody had listened; whoever else listens decides for itself.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    });
  }
  sweepDeadRuns();
}

export function sweepDeadRuns(): void {
  for (const run of deadRuns()) removeRun(run);
}

function removeRun(run: Run): void {
  deleteNamespaces(namespacesOf(run.prefix));
  removeControlGroups(`${run.prefix}-`);
  unmountBelow(run.directory);
  rmSync(run.directory, { recursive: true, force: true });
}

function unmountBelow(directory: string): void {
  const places = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[1] ?? [])
    .filter((place) => place.startsWith(`${directory}/`));
  if (places.length > 0) spawnSync('umount', ['--lazy', ...places]);
}

/** Started a moment ago, a child has not yet entered its namespace and would not be found there. */
const children = new Map<ChildProcess, string>();

/** Ends the child with its namespace, if it still runs then. */
export function endWithNamespace(child: ChildProcess, name: string): void {
  children.set(child, name);
  child.once('exit', () => children.delete(child));
}

/** Kills every process inside, so that the kernel frees the namespaces at once, then deletes them by one command. */
export function deleteNamespaces(names: readonly string[]): void {
  if (names.length === 0) return;
  for (const [child, name] of children) if (names.includes(name)) child.kill('SIGKILL');
  killProcessesIn(names);
  const input = names.map((name) => `netns del ${name}\n`).join('');
  const { stderr } = spawnSync('ip', ['-force', '-batch', '-'], { input, encoding: 'utf8' });
  const failures = stderr.split('\n').filter((line) => line.startsWith('Cannot') && !line.includes('No such file'));
  if (failures.length > 0) throw new Error(`namespaces left behind: ${failures.join('; ')}`);
}

function killProcessesIn(names: readonly string[]): void {
  const links = new Set(names.flatMap((name) => namespaceLink(name) ?? []));
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      if (links.has(readlinkSync(`/proc/${pid}/ns/net`))) process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself, or is a zombie.
    }
  }
}

/** How /proc/PID/ns/net reads for a process in that namespace. */
function namespaceLink(name: string): string | undefined {
  try {
    return `net:[${statSync(`/run/netns/${name}`).ino}]`;
  } catch {
    return undefined;
  }
}
