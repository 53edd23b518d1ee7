import { expect } from 'vitest';
import { FAULTS } from './pair-faults.js';
import { pairOptions } from './pair-flows.js';
import type { Member, PairLab, PairLabOptions } from './pair-lab.js';
import { walk } from './pair-walk.js';

// A pair whose members' talk WireGuard carries.

/** Of UDP, by path. */
export const LINK_PORTS = { first: 3787, second: 3788 } as const;

export const encryptedOptions = (form: Parameters<typeof pairOptions>[0] = {}): PairLabOptions => ({
  ...pairOptions(form),
  memberFile: { encryption: 'WireGuard' },
});

/** Its links to the other member. */
export async function linksOf({ namespace }: Member): Promise<string[]> {
  const { stdout } = await namespace.exec(['ip', '-o', 'link', 'show']);
  return [...stdout.matchAll(/^\d+: (vgm-\S+?):/gm)].map(([, name = '']) => name);
}

/** That a fault costs no connection, and leaves the right one speaking. */
export async function walked(name: string, lab: PairLab): Promise<void> {
  const fault = FAULTS.find((each) => each.name === name);
  if (!fault) throw new Error(`no fault ${name}`);
  const { flows, speaking, expected, untranslated } = await walk(fault, lab);
  expect(flows.filter(({ lost }) => lost > 0)).toEqual([]);
  expect(speaking).toEqual([expected]);
  expect(untranslated).toBe(0);
}
