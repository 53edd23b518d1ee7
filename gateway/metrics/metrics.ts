/** The figures of `/metrics`. Per-object counters are appended as text: thousands of series cost little that way. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CommandRunner } from '../kernel/command.js';
import { CONNECTION_COUNT, CONNECTION_MAX } from '../kernel/conntrack/flows.js';
import type { Pair } from '../reconcile/pair.js';
import type { Programmer } from '../reconcile/programmer.js';
import type { Supervisor } from '../reconcile/supervisor.js';
import type { IptablesVariant } from '../kernel/iptables/subsystem.js';
import type { PortUse } from '../reconcile/port-watch.js';
import { BandwidthMeters } from './bandwidth-meters.js';
import { ConnectionCounts } from './connection-counts.js';
import type { BalancerRow } from '../reconcile/balancer-table.js';
import { balancerText } from './balancer-members.js';
import { inSlices } from './in-slices.js';
import { readDrops } from './drops.js';
import { memberText, syncText } from './member.js';
import type { LineWatch } from '../reconcile/line-watch.js';
import { bgpText, lineText } from './line.js';
import { vpnText } from './vpn.js';
import type { VpnWatch } from '../reconcile/vpn-watch.js';
import { metersText } from './exposition.js';

export class Metrics {
  readonly #registry = new Registry();
  readonly bandwidth: BandwidthMeters;
  readonly #convergeSeconds: Histogram;
  readonly connections: ConnectionCounts;

  constructor(
    private readonly run: CommandRunner,
    private readonly supervisor: Supervisor,
    private readonly programmer: Programmer,
    private readonly variant: () => IptablesVariant,
    private readonly portUse: () => readonly PortUse[],
    private readonly pair: Pick<Pair, 'status' | 'roleChanges' | 'syncState'>,
    private readonly vpn: Pick<VpnWatch, 'looks'>,
    private readonly lines: Pick<LineWatch, 'look' | 'looks' | 'sessions'>,
    private readonly members: () => readonly BalancerRow[],
  ) {
    this.connections = new ConnectionCounts(run, () => programmer.inForce?.desired, variant);
    this.bandwidth = new BandwidthMeters(run, () => programmer.inForce?.desired.shaping);
    const gauge = (name: string, help: string, read: () => number): void =>
      void new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(read());
        },
      });
    gauge('vpcgw_ready', '1 when the kernel was verified to hold the latest revision.', () =>
      supervisor.ready ? 1 : 0,
    );
    gauge('vpcgw_revision', 'The latest accepted revision.', () => supervisor.revision);
    gauge('vpcgw_paused', '1 when spec.paused is set.', () => (supervisor.current?.model.paused ? 1 : 0));
    new Counter({
      name: 'vpcgw_drift_repairs_total',
      help: 'How often the kernel was mended after somebody else changed it.',
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(supervisor.standing.drift.repairs);
      },
    });
    gauge('vpcgw_documents', 'Documents in force.', () => supervisor.current?.documents.size ?? 0);
    gauge(
      'vpcgw_last_change_duration_seconds',
      'Duration of the last change, from accepted to verified.',
      () => (supervisor.standing.lastChange?.durationMs ?? 0) / 1000,
    );
    gauge(
      'vpcgw_convergence_lag_seconds',
      'How long the latest revision has been waiting to be in the kernel; 0 when it is.',
      () => this.#lagSeconds(),
    );
    gauge('process_resident_memory_bytes', 'Resident memory of the supervisor.', () => process.memoryUsage.rss());
    gauge('process_cpu_seconds_total', 'CPU time of the supervisor.', () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });
    this.#convergeSeconds = new Histogram({
      name: 'vpcgw_apply_duration_seconds',
      help: 'From accepted to verified in the kernel.',
      buckets: [0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers: [this.#registry],
    });
    supervisor.listeners.add(({ type }) => {
      if (type === 'Applied') this.#convergeSeconds.observe((supervisor.standing.lastChange?.durationMs ?? 0) / 1000);
    });
  }

  #lagSince: number | undefined;
  #lagSeconds(): number {
    const waiting = !this.supervisor.ready || this.programmer.inForce?.model !== this.supervisor.current?.model;
    if (!waiting) this.#lagSince = undefined;
    else this.#lagSince ??= Date.now();
    return this.#lagSince === undefined ? 0 : (Date.now() - this.#lagSince) / 1000;
  }

  async text(): Promise<string> {
    const own = await this.#registry.metrics();
    const table = await this.#conntrack();
    const counts = await this.connections.read();
    const lines = [
      '# HELP vpcgw_connections_total Connections that a document translated, since it was first programmed.',
      '# TYPE vpcgw_connections_total counter',
    ];
    await inSlices([...counts], ([id, count]) => {
      const slash = id.indexOf('/');
      lines.push(`vpcgw_connections_total{kind="${id.slice(0, slash)}",name="${id.slice(slash + 1)}"} ${count}`);
    });
    lines.push(
      '# HELP vpcgw_port_headroom Share of ports of a shared elastic IP that are free towards its busiest far end.',
      '# TYPE vpcgw_port_headroom gauge',
    );
    const drops = await readDrops(this.run, this.variant());
    for (const { elasticIp, headroom } of this.portUse())
      lines.push(`vpcgw_port_headroom{name="${elasticIp}"} ${headroom}`);
    const meters = await this.bandwidth.read();
    drops.set('Bandwidth', this.bandwidth.dropped);
    lines.push(
      '# HELP vpcgw_drops_total Packets that were dropped, by reason.',
      '# TYPE vpcgw_drops_total counter',
      ...[...drops].map(([reason, packets]) => `vpcgw_drops_total{reason="${reason}"} ${packets}`),
    );
    const { status, roleChanges } = this.pair;
    lines.push(...balancerText(this.members()));
    if (status) lines.push(...memberText(status, roleChanges), ...syncText(await this.pair.syncState()));
    lines.push(...vpnText(this.vpn.looks));
    await this.lines.look();
    lines.push(...lineText(this.lines.looks.values()), ...bgpText(this.lines.sessions));
    return `${own}${table}${lines.join('\n')}\n${await metersText(meters)}`;
  }

  async #conntrack(): Promise<string> {
    const values = await this.run.switches([CONNECTION_COUNT, CONNECTION_MAX]);
    const [count = 'NaN', max = 'NaN'] = [values.get(CONNECTION_COUNT), values.get(CONNECTION_MAX)];
    return `# HELP vpcgw_conntrack_entries Connections in the table.\n# TYPE vpcgw_conntrack_entries gauge\nvpcgw_conntrack_entries ${count}\n# HELP vpcgw_conntrack_max Connections that the table holds.\n# TYPE vpcgw_conntrack_max gauge\nvpcgw_conntrack_max ${max}\n`;
  }
}
