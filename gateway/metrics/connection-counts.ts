/**
 * Connections by document, from the counters of NAT rules: only the first packet of a connection meets one, so packets
 * are connections. A rule that leads to another chain of the gateway translates nothing, and does not count. Totals
 * outlive a chain's replacement, after which the kernel counts from nought in that chain alone.
 */
import type { CommandRunner } from '../kernel/command.js';
import type { IptablesVariant } from '../kernel/iptables/subsystem.js';
import type { IptablesState, KernelState } from '../kernel/state.js';
import { CHAIN_PREFIX } from '../model/ownership.js';
import { inSlices } from './in-slices.js';

/** Connections, by the id of the document that translated them. */
export type ConnectionTotals = ReadonlyMap<string, number>;

export class ConnectionCounts {
  readonly #totals = new Map<string, number>();
  /** What the kernel showed last, by family, chain and document. */
  readonly #last = new Map<string, number>();
  #reading: Promise<ConnectionTotals> | undefined;

  constructor(
    private readonly run: CommandRunner,
    private readonly inForce: () => KernelState | undefined,
    private readonly variant: () => IptablesVariant,
  ) {}

  /** Who asks while another's answer is being read gets the same: an older reading counted later would count twice. */
  read(): Promise<ConnectionTotals> {
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #read(): Promise<ConnectionTotals> {
    const counted = new Set<string>();
    const shown = new Set<string>();
    for (const family of [4, 6] as const) {
      const desired = this.inForce()?.[`iptables${family}`];
      if (!desired) return this.#totals;
      for (const [name, lines] of desired.chains)
        if (name.startsWith('nat ')) for (const { origin } of lines) if (origin) counted.add(origin.id);
      const argv = [`${family === 4 ? 'iptables' : 'ip6tables'}-${this.variant()}-save`, '-c', '-t', 'nat'] as const;
      const { stdout } = await this.run.run({ argv });
      for (const [place, { id, count }] of await countsOf(stdout, desired)) {
        shown.add(`${family} ${place}`);
        this.#accumulate(`${family} ${place}`, id, count);
      }
    }
    for (const id of this.#totals.keys()) if (!counted.has(id)) this.#totals.delete(id);
    for (const key of this.#last.keys()) if (!shown.has(key)) this.#last.delete(key);
    return this.#totals;
  }

  #accumulate(key: string, id: string, count: number): void {
    const last = this.#last.get(key) ?? 0;
    this.#totals.set(id, (this.#totals.get(id) ?? 0) + (count >= last ? count - last : count));
    this.#last.set(key, count);
  }
}

const LEADS_ON = new RegExp(`(^| )-[jg] ${CHAIN_PREFIX}`);

interface Count {
  readonly id: string;
  readonly count: number;
}

/** By chain and document. */
async function countsOf(listing: string, { chains }: IptablesState): Promise<Map<string, Count>> {
  const counts = new Map<string, Count>();
  let chain = '';
  let index = 0;
  await inSlices(listing.split('\n'), (line) => {
    // A chain's rules stand together.
    const match = /^\[(\d+):\d+\] -A (VG-\S+)/.exec(line);
    if (!match) return;
    const [, packets, name = ''] = match;
    index = name === chain ? index + 1 : 0;
    chain = name;
    const { origin, text } = chains.get(`nat ${chain}`)?.[index] ?? {};
    if (!origin || !text || LEADS_ON.test(text)) return;
    const place = `${chain} ${origin.id}`;
    counts.set(place, { id: origin.id, count: (counts.get(place)?.count ?? 0) + Number(packets) });
  });
  return counts;
}
