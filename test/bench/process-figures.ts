import { existsSync, readdirSync, readFileSync } from 'node:fs';

// What a process has cost so far, by the kernel's account.

const clockTickMs = 10;
/** The lab kernel has neither. */
const COUNTS_NANOSECONDS = existsSync('/proc/self/schedstat');
const LISTS_CHILDREN = existsSync(`/proc/self/task/${process.pid}/children`);

/** CPU of a process, of its children that have ended, and of those that run, in ms. */
export function cpuMs(pid: number): number {
  const { ofEndedChildren } = ticksOf(`/proc/${pid}/stat`);
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

interface Ticks {
  readonly parent: number;
  /** In ms, to a tick. */
  readonly own: number;
  readonly ofEndedChildren: number;
}

function ticksOf(file: string): Ticks {
  const stat = readFileSync(file, 'utf8');
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user, system, endedUser, endedSystem] = fields.slice(11) as [number, number, number, number];
  const [own, ended] = [user + system, endedUser + endedSystem];
  return { parent: fields[1] ?? 0, own: own * clockTickMs, ofEndedChildren: ended * clockTickMs };
}

/** To the nanosecond where the kernel counts so, else in ticks. */
function threadsMs(pid: number): number {
  if (!COUNTS_NANOSECONDS) return ticksOf(`/proc/${pid}/stat`).own;
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, thread) => {
    const [nanoseconds] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return sum + Number(nanoseconds) / 1e6;
  }, 0);
}

/** Of the process and of all that it started and that runs, in MB of a million bytes. */
export function treeMb(pid: number, of: (pid: number) => number): number {
  return childrenOf(pid).reduce((sum, child) => sum + treeMb(child, of), of(pid));
}

function childrenOf(pid: number): number[] {
  if (!LISTS_CHILDREN) return all().filter((each) => parentOf(each) === pid);
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

const all = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** 0 of one that has ended meanwhile. */
function parentOf(pid: number): number {
  try {
    return ticksOf(`/proc/${pid}/stat`).parent;
  } catch {
    return 0;
  }
}

/** Resident memory of the process alone, in MB of a million bytes. */
export const rssMb = (pid: number): number => mbIn(`/proc/${pid}/status`, /^VmRSS:\s+(\d+) kB/m);

/** The same with of each page its share alone, among all processes that have it: as much as the machine has less by it. */
export const shareMb = (pid: number): number => mbIn(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+) kB/m);

/** 0 of one that has ended meanwhile. */
function mbIn(file: string, line: RegExp): number {
  try {
    return (Number(line.exec(readFileSync(file, 'utf8'))?.[1] ?? 0) * 1024) / 1e6;
  } catch {
    return 0;
  }
}
