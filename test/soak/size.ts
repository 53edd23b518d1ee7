import { readdirSync } from 'node:fs';
import { rssMb } from '../bench/process-figures.js';
import type { Member } from '../support/pair-lab.js';

// What a member takes up, and by how much that may be more at the end than it was after the beginning.

export interface Size {
  readonly member: string;
  readonly memoryMb: number;
  readonly descriptors: number;
  readonly connections: number;
  readonly queues: number;
}

/** Room for what differs from one moment to the next. */
const MAY_GROW: Readonly<Record<Exclude<keyof Size, 'member'>, number>> = {
  memoryMb: 25,
  descriptors: 8,
  connections: 500,
  queues: 60,
};

export async function sizeOf({ name, namespace, supervisor, pids }: Member): Promise<Size> {
  const [conntrack, qdiscs] = await Promise.all([
    namespace.exec(['conntrack', '-C']),
    namespace.exec(['tc', 'qdisc', 'show']),
  ]);
  return {
    member: name,
    memoryMb: pids.reduce((sum, pid) => sum + rssMb(pid), 0),
    descriptors: readdirSync(`/proc/${supervisor.pid}/fd`).length,
    connections: Number(conntrack.stdout),
    queues: qdiscs.stdout.split('\n').length,
  };
}

export function grown(first: readonly Size[], last: readonly Size[]): string[] {
  return last.flatMap((size, index) => {
    const before = first[index] as Size;
    return (Object.keys(MAY_GROW) as (keyof typeof MAY_GROW)[])
      .filter((what) => size[what] > before[what] + MAY_GROW[what])
      .map((what) => `member ${size.member}: ${what} from ${before[what].toFixed(0)} to ${size[what].toFixed(0)}`);
  });
}
