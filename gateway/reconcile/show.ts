/** Answers about the running gateway that need a look at the kernel. */
import type { CommandRunner } from '../kernel/command.js';
import { listFlows } from '../kernel/conntrack/flows.js';
import type { Metrics } from '../metrics/metrics.js';
import type { GatewayModel } from '../model/gateway-model.js';
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

const MAX_ROWS = 10_000;

export class Show {
  constructor(
    private readonly run: CommandRunner,
    private readonly model: () => GatewayModel | undefined,
    private readonly metrics: Metrics,
  ) {}

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

  async ports(): Promise<PortUse[]> {
    const model = this.model();
    return model ? portUseOf(model, await listFlows(this.run)) : [];
  }
}
