import { cpus } from 'node:os';

/**
 * Runs on one processor, before whatever else would: two paths differ by a microsecond, and a process that is moved or
 * has to wait differs by ten. `processor` counts from 0; a machine with fewer has its last. Without one, as always.
 */
export function undisturbed(processor: number | undefined, argv: readonly string[]): readonly string[] {
  if (processor === undefined) return argv;
  const number = Math.min(processor, cpus().length - 1);
  return ['chrt', '--fifo', '10', 'taskset', '--cpu-list', String(number), ...argv];
}
