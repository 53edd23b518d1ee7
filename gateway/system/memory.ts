/**
 * Keeps the process small. Each program it starts is a fork that copies its page tables, so that memory is time: at
 * 250 MB a start costs three times what it costs at 80.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export function keepSmall(): void {



  setFlagsFromString('--expose-gc');
}

/** Gives back what a large change has left behind: its text, its syntax trees, the former state. */
export function releaseMemory(): void {
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function')
    (collect as (options: { type: string; flavor?: string }) => void)({ type: 'major', flavor: 'last-resort' });
}
