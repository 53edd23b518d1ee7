/** The live view of elastic IPs: one look at the kernel, then another; what passed between them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandRunner } from '../../kernel/command.js';
import { CONNECTION_COUNT, CONNECTION_MAX, listFlows } from '../../kernel/conntrack/flows.js';
import type { IptablesVariant } from '../../kernel/iptables/subsystem.js';
import { readDrops } from '../../metrics/drops.js';
import type { Metrics } from '../../metrics/metrics.js';
import type { Flow } from '../../model/flow.js';
import type { GatewayModel } from '../../model/gateway-model.js';
import { type ElasticIpRate, ratesOf } from './rates.js';

export interface TopRow extends ElasticIpRate {
  /** Packets a second that its limit of bandwidth dropped. */
  readonly dropped: number;
}

export interface TopView {
  readonly connections: number;
  readonly connectionsMax: number;
  /** Packets a second, by the reasons of `vpcgw_drops_total` that there were. */
  readonly drops: Readonly<Record<string, number>>;
  /** The busiest first. */
  readonly rows: readonly TopRow[];
  /** Elastic IPs in all. */
  readonly total: number;
}

interface Look {
  readonly atMs: number;
  readonly flows: readonly Flow[];
  readonly drops: ReadonlyMap<string, number>;
  /** By elastic IP, of both directions. */
  readonly dropped: ReadonlyMap<string, number>;
}

const OBSERVED_MS = 1_000;

export class Top {
  /** Who asks while another's answer is made gets the same: several who watch cost no more than one. */
  #looking: Promise<TopView> | undefined;

  constructor(
    private readonly run: CommandRunner,
    private readonly model: () => GatewayModel | undefined,
    private readonly metrics: Metrics,
    private readonly variant: () => IptablesVariant,
  ) {}

  async view(limit: number): Promise<TopView> {
    this.#looking ??= this.#view().finally(() => (this.#looking = undefined));
    const view = await this.#looking;
    return { ...view, rows: view.rows.slice(0, limit) };
  }

  async #view(): Promise<TopView> {
    const before = await this.#look();
    await sleep(OBSERVED_MS);
    const after = await this.#look();
    const seconds = (after.atMs - before.atMs) / 1000;
    const perSecond = (now: number, then = now): number => Math.round(Math.max(0, now - then) / seconds);
    const drops = [...after.drops].map(
      ([reason, count]) => [reason, perSecond(count, before.drops.get(reason))] as const,
    );
    const rates = ratesOf({ elasticIps: this.model()?.elasticIps ?? new Map() }, before.flows, after.flows, seconds);
    const rows = rates.map((rate): TopRow => {
      const id = `ElasticIP/${rate.name}`;
      return { ...rate, dropped: perSecond(after.dropped.get(id) ?? 0, before.dropped.get(id) ?? 0) };
    });
    const table = await this.run.switches([CONNECTION_COUNT, CONNECTION_MAX]);
    return {
      connections: Number(table.get(CONNECTION_COUNT) ?? 0),
      connectionsMax: Number(table.get(CONNECTION_MAX) ?? 0),
      drops: Object.fromEntries(drops.filter(([, count]) => count > 0)),
      rows: rows.sort((a, b) => b.ingress + b.egress - a.ingress - a.egress || b.connections - a.connections),
      total: rows.length,
    };
  }

  async #look(): Promise<Look> {
    const meters = await this.metrics.bandwidth.read();
    const drops = await readDrops(this.run, this.variant());
    drops.set('Bandwidth', this.metrics.bandwidth.dropped);
    const dropped = new Map<string, number>();
    for (const { id, dropped: count } of meters) dropped.set(id, (dropped.get(id) ?? 0) + count);
    const flows = await listFlows(this.run);
    return { atMs: performance.now(), flows, drops, dropped };
  }
}
