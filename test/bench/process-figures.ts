import { readdirSync, readFileSync } from 'node:fs';

// What a process has cost so far, by the kernel's account.

const clockTickMs = 10;

/** CPU of a process, of its children that have ended, and of those that run, in ms. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ofEndedChildren = (Number(fields[13]) + Number(fields[14])) * clockTickMs;
  return ofEndedChildren + threadsMs(pid) + childrenOf(pid).reduce((sum, child) => sum + ofRunningChild(child), 0);
}

/** A child that ends at this moment is in neither account: nothing that lasts is lost by it. */
function ofRunningChild(pid: number): number {
  try {
    return cpuMs(pid);
  } catch {
    return 0;
  }
}

/** To the nanosecond, where /proc/PID/stat counts in ticks of 10 ms. */
function threadsMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, thread) => {
    const [nanoseconds] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return sum + Number(nanoseconds) / 1e6;
  }, 0);
}

/** Resident memory of the process and of all that it started and that runs, in MB of a million bytes. */
export function treeRssMb(pid: number): number {
  return childrenOf(pid).reduce((sum, child) => sum + treeRssMb(child), rssMb(pid));
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

/** Resident memory of the process alone, in MB of a million bytes. */
export function rssMb(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kib) * 1024) / 1e6;
}
