/**
 * What passed the classes of traffic control, and what their queues dropped: the meters of elastic IPs and packages.
 * Counts go on over an edit of a limit, and over a class that is made anew.
 */
import type { CommandRunner } from '../kernel/command.js';
import { ceilingOf } from '../kernel/shaping/entry.js';
import type { KernelState } from '../kernel/state.js';
import type { Direction } from '../model/bandwidth.js';
import { IFB_PREFIX, TUNNEL_IFB_PREFIX } from '../model/ownership.js';

interface Count {
  readonly bytes: number;
  readonly packets: number;
  readonly dropped: number;
}

export interface Meter extends Count {
  /** Of the document, such as `ElasticIP/web`. */
  readonly id: string;
  readonly direction: Direction;
  /** Bits a second. */
  readonly ceiling: number;
}

const NOTHING: Count = { bytes: 0, packets: 0, dropped: 0 };

export class BandwidthMeters {
  /** What the kernel showed last, by class and document; what came of it in all, by document and direction. */
  #last = new Map<string, Count>();
  #totals = new Map<string, Meter>();
  #dropped = 0;
  #reading: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly run: CommandRunner,
    private readonly inForce: () => KernelState['shaping'] | undefined,
  ) {}

  /** Packets dropped for bandwidth since the start, as far as they were read. */
  get dropped(): number {
    return this.#dropped;
  }

  /** One reading after the other: an older one that is counted later would look like counters that began anew. */
  read(): Promise<readonly Meter[]> {
    const reading = this.#reading.then(() => this.#read());
    this.#reading = reading.catch(() => undefined);
    return reading;
  }

  async #read(): Promise<readonly Meter[]> {
    const shaping = this.inForce();
    const devices = new Set<string>();
    for (const key of shaping?.keys() ?? []) if (key.endsWith(' class 1:1')) devices.add(key.split(' ')[0] ?? '');
    const last = new Map<string, Count>();
    const totals = new Map<string, Meter>();
    for (const device of devices)
      for (const [key, count] of await this.#countsOf(device)) {
        const line = shaping?.get(key);
        if (!line) continue;
        const id = line.origin?.id ?? '';
        const direction = [IFB_PREFIX, TUNNEL_IFB_PREFIX].some((prefix) => device.startsWith(prefix))
          ? 'ingress'
          : 'egress';
        const step = since(count, this.#last.get(`${key} ${id}`));
        last.set(`${key} ${id}`, count);
        this.#dropped += step.dropped;
        if (id === '') continue;
        const name = `${id} ${direction}`;
        totals.set(name, { id, direction, ceiling: ceilingOf(line.text), ...sum(step, this.#totals.get(name)) });
      }
    this.#last = last;
    this.#totals = totals;
    return [...totals.values()];
  }

  async #countsOf(device: string): Promise<Map<string, Count>> {
    const stdin = `class show dev ${device}\nqdisc show dev ${device}\n`;
    const { stdout } = await this.run.run({ argv: ['tc', '-s', '-batch', '-'], stdin });
    return parseCounts(stdout, device);
  }
}

const COUNTED =
  /^(?:class htb (\S+)|qdisc \S+ \S+ (?:dev \S+ )?parent (1:\S+)) .*\n Sent (\d+) bytes (\d+) pkt \(dropped (\d+),/gm;

/** Bytes and packets as the class counts them; drops of its queue, which knows also of those that it let in first. */
export function parseCounts(text: string, device: string): Map<string, Count> {
  const counts = new Map<string, Count>();
  for (const [, own, leafOf, bytes, packets, dropped] of text.matchAll(COUNTED)) {
    const key = `${device} 1: class ${own ?? leafOf}`;
    if (own !== undefined) counts.set(key, { bytes: Number(bytes), packets: Number(packets), dropped: 0 });
    else counts.set(key, { ...(counts.get(key) ?? NOTHING), dropped: Number(dropped) });
  }
  return counts;
}

/** A smaller figure means that the class was made anew and counts from nought. */
function since(now: Count, before: Count = NOTHING): Count {
  const step = (field: keyof Count): number => (now[field] >= before[field] ? now[field] - before[field] : now[field]);
  return { bytes: step('bytes'), packets: step('packets'), dropped: step('dropped') };
}

const sum = (a: Count, b: Count = NOTHING): Count => ({
  bytes: a.bytes + b.bytes,
  packets: a.packets + b.packets,
  dropped: a.dropped + b.dropped,
});
