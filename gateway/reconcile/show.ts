/** Answers about the running gateway that need a look at the kernel. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandRunner } from '../kernel/command.js';
import { listFlows } from '../kernel/conntrack/flows.js';
import type { Metrics } from '../metrics/metrics.js';
import { membershipsOf } from '../model/bandwidth.js';
import type { GatewayModel } from '../model/gateway-model.js';
import type { Flow } from '../model/flow.js';
import type { BalancerRow } from './balancer-table.js';
import type { CompileInput } from './compile.js';
import { readSiteRoutes, type RouteRow } from './show-routes.js';
import { type PortUse, portUseOf } from './port-watch.js';

export interface NatRow {
  readonly kind: string;
  readonly name: string;
  readonly elasticIps: string;
  readonly match: string;
  readonly target: string;
  readonly connections: number;
}

export interface ConntrackRow {
  readonly protocol: string;
  readonly from: string;
  readonly to: string;
  readonly seenAs: string;
  readonly endsAt: string;
  readonly bytes: number;
}

/** Of an elastic IP or a package that has a limit. */
export interface BandwidthRow {
  readonly kind: string;
  readonly name: string;
  /** That it is a member of. */
  readonly package: string;
  readonly ingress: BandwidthUse | undefined;
  readonly egress: BandwidthUse | undefined;
}

export interface BandwidthUse {
  /** Bits a second. */
  readonly limit: number;
  /** Over the last second, in bits a second of Ethernet frames. */
  readonly rate: number;
  /** Packets, since the supervisor began to count. */
  readonly dropped: number;
}

const OBSERVED_MS = 1_000;
const MAX_ROWS = 10_000;

export class Show {
  constructor(
    private readonly run: CommandRunner,
    private readonly model: () => GatewayModel | undefined,
    private readonly metrics: Metrics,
    private readonly inForce: () => CompileInput | undefined,
    private readonly members: (model: GatewayModel, flows: readonly Flow[]) => BalancerRow[],
  ) {}

  /** Of load balancers. */
  async lb(): Promise<BalancerRow[]> {
    const model = this.model();
    return model && model.loadBalancers.length > 0 ? this.members(model, await listFlows(this.run)) : [];
  }

  /** To the VPC's own networks and to sites. */
  async routes(): Promise<RouteRow[]> {
    const input = this.inForce();
    return input ? readSiteRoutes(this.run, input) : [];
  }

  async nat(): Promise<NatRow[]> {
    const model = this.model();
    if (!model) return [];
    const counts = await this.metrics.connections.read();
    const connections = (id: string): number => counts.get(id) ?? 0;
    return [
      ...[...model.elasticIps.values()].map((eip) => ({
        kind: 'ElasticIP',
        name: eip.name,
        elasticIps: eip.address.text,
        match: 'everything else',
        target: eip.target?.text ?? '',
        connections: connections(eip.origin.id),
      })),
      ...model.dnatRules.map((rule) => ({
        kind: 'DnatRule',
        name: rule.name,
        elasticIps: rule.elasticIp.address.text,
        match: `${rule.protocol}${rule.ports ? ` ${rule.ports.first}${rule.ports.last > rule.ports.first ? `-${rule.ports.last}` : ''}` : ''}`,
        target: `${rule.target.text}${rule.targetPort === undefined ? '' : ` port ${rule.targetPort}`}`,
        connections: connections(rule.origin.id),
      })),
      ...model.snatRules.map((rule) => ({
        kind: 'SnatRule',
        name: rule.name,
        elasticIps: rule.pool.map((eip) => eip.address.text).join(', '),
        match: `from ${rule.sources.map((source) => source.text).join(', ')}`,
        target: '',
        connections: connections(rule.origin.id),
      })),
      ...model.ipv6Prefixes.map((prefix) => ({
        kind: 'Ipv6Prefix',
        name: prefix.name,
        elasticIps: prefix.prefix.text,
        match: prefix.mode,
        target: prefix.internalPrefix?.text ?? '',
        connections: connections(prefix.origin.id),
      })),
    ];
  }

  async conntrack(): Promise<ConntrackRow[]> {
    const end = (address: string, port: number): string =>
      port > 0 ? `${address.includes(':') ? `[${address}]` : address}:${port}` : address;
    return (await listFlows(this.run)).slice(0, MAX_ROWS).map(({ protocol, original, reply, bytes }) => ({
      protocol,
      from: end(original.source, original.sourcePort),
      to: end(original.destination, original.destinationPort),
      seenAs: end(reply.destination, reply.destinationPort),
      endsAt: end(reply.source, reply.sourcePort),
      bytes,
    }));
  }

  /** Takes a second: rates are what passes meanwhile. */
  async bandwidth(): Promise<BandwidthRow[]> {
    const { bandwidth } = this.metrics;
    const before = new Map((await bandwidth.read()).map((meter) => [`${meter.id} ${meter.direction}`, meter.bytes]));
    const began = performance.now();
    await sleep(before.size > 0 ? OBSERVED_MS : 0);
    const after = await bandwidth.read();
    const seconds = (performance.now() - began) / 1000;
    const rows = new Map<string, { ingress?: BandwidthUse; egress?: BandwidthUse }>();
    for (const { id, direction, ceiling, bytes, dropped } of after) {
      const rate = Math.round(((bytes - (before.get(`${id} ${direction}`) ?? bytes)) * 8) / seconds);
      rows.set(id, { ...rows.get(id), [direction]: { limit: ceiling, rate, dropped } });
    }
    const memberships = membershipsOf(this.model()?.packages ?? []);
    return [...rows].map(([id, { ingress, egress }]) => {
      const [kind = '', name = ''] = id.split('/');
      const pack = kind === 'ElasticIP' ? (memberships.get(name)?.package.name ?? '') : '';
      return { kind, name, package: pack, ingress, egress };
    });
  }

  async ports(): Promise<PortUse[]> {
    const model = this.model();
    return model ? portUseOf(model, await listFlows(this.run)) : [];
  }
}
