/**
 * Which tunnels do not carry, of those whose networks other tunnels carry too. Guarantees:
 * 1. One that does not carry is told of at once, and again when it has been steady: longer for one that flaps, as lines.
 * 2. One that was only just begun is given a moment to come up.
 */
import { DEFAULT_STEADY_MS } from '../api/dedicated-line.js';
import { type LineTally, lineTallied, newLineTally, whyUp } from '../health/line-tally.js';
import { isOneOfSeveral, type VpnConnection } from '../model/vpn.js';
import type { Clock } from '../system/clock.js';

const COMES_UP_WITHIN_MS = 3_000;
const TERMS = { unhealthyThreshold: 1, steadyMs: DEFAULT_STEADY_MS };

export interface TunnelDoubtsOptions {
  readonly clock: Clock;
  readonly tell: (type: string, message: string) => void;
  /** Documents of tunnels that do not carry; resolves when the kernel holds what follows. */
  readonly onDoubtful: (doubtful: ReadonlySet<string>) => Promise<void>;
}

export class TunnelDoubts {
  /** By document. */
  readonly #tallies = new Map<string, LineTally & { readonly begunMs: number }>();
  #telling: Promise<void> = Promise.resolve();

  constructor(private readonly options: TunnelDoubtsOptions) {}

  /** What is not among them is forgotten. */
  follow(connections: readonly VpnConnection[]): void {
    const nowMs = this.options.clock.nowMs();
    const wanted = new Set(connections.filter(isOneOfSeveral).map(({ origin }) => origin.id));
    const gone = [...this.#tallies].filter(([id]) => !wanted.has(id));
    for (const [id] of gone) this.#tallies.delete(id);
    for (const id of wanted)
      if (!this.#tallies.has(id)) this.#tallies.set(id, { ...newLineTally(nowMs), begunMs: nowMs });
    if (gone.some(([, { up }]) => !up)) void this.options.onDoubtful(this.#doubtful);
  }

  /** `undefined`: it carries. */
  found({ name, origin: { id } }: VpnConnection, fault: string | undefined): void {
    const before = this.#tallies.get(id);
    const nowMs = this.options.clock.nowMs();
    if (!before || (fault !== undefined && nowMs - before.begunMs < COMES_UP_WITHIN_MS)) return;
    const seen = fault === undefined ? undefined : { reason: fault, atOnce: true };
    const tally = { ...lineTallied(before, seen, TERMS, nowMs), begunMs: before.begunMs };
    this.#tallies.set(id, tally);
    if (tally.up === before.up) return;
    const how = tally.up ? `Down → Up: ${whyUp(before, TERMS.steadyMs)}` : `Up → Down: ${tally.reason}`;
    this.#telling = this.#telling.then(async () => {
      await this.options.onDoubtful(this.#doubtful);
      const tookMs = this.options.clock.nowMs() - nowMs;
      this.options.tell('Vpn', `${name}: ${how}; its networks' ways were ordered anew in ${tookMs} ms`);
    });
  }

  get #doubtful(): ReadonlySet<string> {
    return new Set([...this.#tallies].flatMap(([id, { up }]) => (up ? [] : [id])));
  }
}
