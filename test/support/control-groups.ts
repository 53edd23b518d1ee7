import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// Control groups with the name of a run, in whichever hierarchies the machine has.

function hierarchies(): string[] {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  return mounts.flatMap((line) => {
    const [, directory = '', type] = line.split(' ');
    return type === 'cgroup' || type === 'cgroup2' ? [directory] : [];
  });
}

export function makeControlGroup(name: string): void {
  for (const hierarchy of hierarchies()) {
    const group = join(hierarchy, name);
    mkdirSync(group, { recursive: true });
    // In version 1 a group starts without processors and memory, and takes no process before it has both.
    for (const resource of ['cpuset.cpus', 'cpuset.mems']) {
      const inherited = join(hierarchy, resource);
      if (existsSync(inherited)) writeFileSync(join(group, resource), readFileSync(inherited));
    }
  }
}

/** Whose name begins so. Their processes have been killed; the kernel may still be burying them. */
export function removeControlGroups(prefix: string, patienceMs = 10_000): void {
  const deadline = performance.now() + patienceMs;
  for (const hierarchy of hierarchies())
    for (const name of readdirSync(hierarchy)) if (name.startsWith(prefix)) removeTree(join(hierarchy, name), deadline);
}

function removeTree(group: string, deadline: number): void {
  for (const entry of readdirSync(group, { withFileTypes: true }))
    if (entry.isDirectory()) removeTree(join(group, entry.name), deadline);
  for (;;) {
    try {
      return rmdirSync(group);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || performance.now() > deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}
