import { describe, expect, it } from 'vitest';
import type { CommandRunner } from '../../gateway/kernel/command.js';
import type { KernelState, Line } from '../../gateway/kernel/state.js';
import { ConnectionCounts } from '../../gateway/metrics/connection-counts.js';

// How often a connection counts, and what a chain's replacement does to the total.

const line = (text: string, id?: string): Line => ({ text, ...(id ? { origin: { id } as Line['origin'] } : {}) });
const ALL = 'SnatRule/all';
const CHAINS: Readonly<Record<string, readonly Line[]>> = {
  'VG-S': [line('-s 10.0.0.0/24 -g VG-S-0a0000-24'), line('-s 10.0.1.0/24 -j VG-P1', ALL)],
  'VG-S-0a0000-24': [line('-s 10.0.0.5/32 -j SNAT --to-source 203.0.113.10', 'ElasticIP/web'), line('-j VG-P1', ALL)],
  'VG-P1': [line('-s 0.0.0.0/0.0.0.1 -g VG-P1-0.1', ALL), line('-j SNAT --to-source 203.0.113.20', ALL)],
  'VG-P1-0.1': [line('-j SNAT --to-source 203.0.113.21', ALL)],
};

/** With `counts` packets at the rules of each chain, of IPv4 alone. */
function begin() {
  const kernel: Record<string, number[]> = {};
  const run = {
    run: async ({ argv }: { argv: readonly string[] }) => ({
      stdout: argv[0]?.startsWith('ip6')
        ? ''
        : Object.entries(CHAINS)
            .flatMap(([chain, lines]) =>
              lines.map(({ text }, i) => `[${kernel[chain]?.[i] ?? 0}:0] -A ${chain} ${text}`),
            )
            .join('\n'),
    }),
  } as unknown as CommandRunner;
  const chains = new Map(Object.entries(CHAINS).map(([name, lines]) => [`nat ${name}`, lines]));
  const state = { iptables4: { chains }, iptables6: { chains: new Map() } } as unknown as KernelState;
  const counts = new ConnectionCounts(
    run,
    () => state,
    () => 'nft',
  );
  return { kernel, read: async () => Object.fromEntries(await counts.read()) };
}

describe('connections of a document', () => {
  it('count where they are translated, and not on the way there', async () => {
    const { kernel, read } = begin();
    Object.assign(kernel, { 'VG-S': [9, 4], 'VG-S-0a0000-24': [2, 7], 'VG-P1': [5, 6], 'VG-P1-0.1': [5] });
    expect(await read()).toEqual({ [ALL]: 11, 'ElasticIP/web': 2 });
  });

  it('are not counted again when another chain begins from nought', async () => {
    const { kernel, read } = begin();
    Object.assign(kernel, { 'VG-S-0a0000-24': [2, 11], 'VG-P1': [8, 3], 'VG-P1-0.1': [8] });
    await read();
    Object.assign(kernel, { 'VG-S-0a0000-24': [0, 0], 'VG-P1-0.1': [1] });
    expect(await read()).toEqual({ [ALL]: 12, 'ElasticIP/web': 2 });
  });
});
