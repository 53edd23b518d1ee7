/**
 * How full the ports of each shared elastic IP are, and the gateway of connections. A port can be used once for each
 * far end, so what counts is the busiest far end. The table is only read when it is large enough for any address to be
 * near its end.
 */
import type { CommandRunner } from '../kernel/command.js';
import { CONNECTION_COUNT, listFlows } from '../kernel/conntrack/flows.js';
import type { Flow } from '../model/flow.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { type Pressure, samePressure } from '../model/pressure.js';
import { PORTS_PER_FAR_END } from '../model/snat-ports.js';
import { onBeat } from '../system/beat.js';

const SPILL_AT = 0.9;
const RETURN_AT = 0.7;
const LOOK_FROM = Math.floor(PORTS_PER_FAR_END * 0.5);
const EVERY_MS = 1_000;
/** Ports are looked at every third time, connections against their limit each time. */
const LOOKS_FOR_PORTS = 3;
const NOBODY: ReadonlySet<string> = new Set();

export interface PortUse {
  readonly elasticIp: string;
  readonly address: string;
  /** Translated connections in all. */
  readonly connections: number;
  /** Connections to the far end that has most, as `tcp 198.51.100.1:443`. */
  readonly busiest: { readonly farEnd: string; readonly used: number } | undefined;
  /** 0 to 1: the share of ports still free towards the busiest far end. */
  readonly headroom: number;
}

export function portUseOf(model: GatewayModel, flows: readonly Flow[]): PortUse[] {
  const shared = new Map(
    model.snatRules.flatMap((rule) => rule.pool.map((eip) => [eip.address.text, eip.name] as const)),
  );
  const counts = new Map<string, Map<string, number>>();
  for (const { protocol, original, reply } of flows) {
    if (!shared.has(reply.destination) || reply.destination === original.source) continue;
    const ends = counts.get(reply.destination) ?? new Map<string, number>();
    counts.set(reply.destination, ends);
    const end = `${protocol} ${reply.source}:${reply.sourcePort}`;
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  return [...shared].map(([address, elasticIp]) => {
    const ends = [...(counts.get(address) ?? [])];
    const [farEnd, used] = ends.reduce<[string, number]>((most, end) => (end[1] > most[1] ? end : most), ['', 0]);
    return {
      elasticIp,
      address,
      connections: ends.reduce((sum, [, count]) => sum + count, 0),
      busiest: used > 0 ? { farEnd, used } : undefined,
      headroom: Math.max(0, 1 - used / PORTS_PER_FAR_END),
    };
  });
}

/** With hysteresis, so that an address does not swing between full and free. */
export function exhaustedOf(uses: readonly PortUse[], before: ReadonlySet<string>): Set<string> {
  return new Set(
    uses
      .filter(({ address, headroom }) => 1 - headroom >= (before.has(address) ? RETURN_AT : SPILL_AT))
      .map(({ address }) => address),
  );
}

export class PortWatch {
  #endLooks: (() => void) | undefined;
  #last: readonly PortUse[] = [];
  #looks = 0;

  constructor(
    private readonly run: CommandRunner,
    private readonly model: () => GatewayModel | undefined,
    private readonly pressure: () => Pressure,
    /** These two alone: a whole `Pressure` would say again what may have changed since it was read. */
    private readonly onChange: (exhausted: Pressure['exhausted'], full: boolean) => void,
  ) {}

  start(): void {
    this.#endLooks = onBeat(EVERY_MS, () => void this.#look().catch(() => undefined));
  }

  stop(): void {
    this.#endLooks?.();
  }

  /** As it was at the last look. */
  get last(): readonly PortUse[] {
    return this.#last;
  }

  async #look(): Promise<void> {
    const model = this.model();
    const shared = (model?.snatRules.length ?? 0) > 0;
    const ports = this.#looks++ % LOOKS_FOR_PORTS === 0 && shared;
    if (!shared) this.#last = [];
    const before = this.pressure();
    // A limit that was reached and is gone has still to be let go, and so have ports that nobody shares any more.
    const left = before.full || (!shared && before.exhausted.size > 0);
    if (!model || (!ports && !left && model.limits.connections === undefined)) return;
    const connections = Number((await this.run.switches([CONNECTION_COUNT])).get(CONNECTION_COUNT));
    const kept = shared ? before.exhausted : NOBODY;
    const exhausted = ports ? await this.#exhausted(model, connections, before.exhausted) : kept;
    const full = isFull(connections, model.limits.connections, before.full);
    if (!samePressure(before, { ...before, exhausted, full })) this.onChange(exhausted, full);
  }

  /** In a small table no address can be near its end: all that is there bounds what each could use. */
  async #exhausted(
    model: GatewayModel,
    connections: number,
    before: ReadonlySet<string>,
  ): Promise<ReadonlySet<string>> {
    const small = connections < LOOK_FROM && before.size === 0;
    this.#last = small ? atLeastFree(model, connections) : portUseOf(model, await listFlows(this.run));
    return small ? before : exhaustedOf(this.#last, before);
  }
}

/** Below the limit by a twentieth it is open again. */
const isFull = (connections: number, limit: number | undefined, before: boolean): boolean =>
  limit !== undefined && (before ? connections > limit * 0.95 : connections >= limit);

const atLeastFree = (model: GatewayModel, connections: number): PortUse[] =>
  portUseOf(model, []).map((use) => ({ ...use, headroom: 1 - connections / PORTS_PER_FAR_END }));
