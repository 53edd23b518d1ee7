import type { Agent } from './agent.js';
import type { TcpConnection, TcpConnections, UdpStream } from './agent-handles.js';
import type { UdpStreamReport } from './agent-operations.js';
import { internet } from './addresses.js';
import { dnatRule, elasticIp, gateway, snatRule, type Document } from './documents.js';
import { ports, serve } from './gateway-lab.js';
import type { PairLab, PairLabOptions, Paths } from './pair-lab.js';
import { voteOf } from './third-voter.js';
import type { Tenant } from './topology.js';

// Long-lived connections through every sort of translation, which a failover has to keep: streams whose gaps are
// measured, and TCP connections that have to answer afterwards.

const INTERVAL_MS = 5;
/** A retransmission that was due just before, twice over, on a slow machine. */
const ALIVE_MS = 10_000;
const CROWD = 200;
/** The lab kernel, with its one processor, would lose more. */
const AT_ONCE = 25;
/** All of the crowd from one port, so that translation has to tell them apart; another one each time. */
let crowdPort = 40_000;
const crowd = Array.from({ length: CROWD }, (_, i) => `10.0.0.${20 + i}`);

export interface FlowReport {
  readonly flow: string;
  /** Of streams. */
  readonly gapMs?: number;
  /** Of connections; a stream is lost that did not come back. */
  readonly lost: number;
  readonly of: number;
}

interface PairForm {
  readonly macMode?: 'Own' | 'Virtual';
  readonly paths?: Paths;
  /** With a third voter, which has to be there before the members. */
  readonly strict?: NonNullable<PairLabOptions['before']>;
  readonly secondUnder?: NonNullable<PairLabOptions['secondUnder']>;
}

/** What else a pair can be than one of `Own` MAC addresses whose members meet by IPv4. */
export const pairForms: Readonly<Record<string, PairForm>> = {
  'virtual MAC addresses': { macMode: 'Virtual' },
  'members that meet by IPv6': { paths: 'IPv6' },
  'a second path': { paths: 'Two' },
  'clocks that are 30 s apart': {
    secondUnder: { wrapper: ['faketime', '-f', '+30s'], env: { FAKETIME_DONT_FAKE_MONOTONIC: '1' } },
  },
};

export const pairOptions = ({ macMode = 'Own', paths = 'IPv4', strict, ...more }: PairForm = {}): PairLabOptions => ({
  vms: [
    'web',
    'app',
    { name: 'hostile', addresses: ['10.0.0.9/24'] },
    { name: 'crowd', addresses: crowd.map((address) => `${address}/24`) },
  ],
  paths,
  ...more,
  ...(strict ? { before: strict } : {}),
  documents: (tenant) => pairDocuments(pairGateway(tenant, macMode, strict ? { fencing: 'Strict', vote: voteOf } : {})),
});

function pairGateway(tenant: Tenant, macMode: 'Own' | 'Virtual', fencing: object): Document {
  const made = gateway(tenant, { spec: { highAvailability: { mode: 'AcrossNodes', ...fencing } } });
  const { internal, externals, ...more } = made['spec'] as { internal: object; externals: object[] };
  const sides = { internal: { ...internal, macMode }, externals: externals.map((side) => ({ ...side, macMode })) };
  return { ...made, spec: { ...more, ...sides } };
}

export const pairDocuments = (gateway: Document): Document[] => [
  gateway,
  elasticIp('web', '203.0.113.10', { target: '10.0.0.5' }),
  elasticIp('nat', '203.0.113.20'),
  snatRule('all', ['10.0.0.0/24'], ['nat']),
  dnatRule('app', { elasticIP: 'nat', protocol: 'TCP', port: 2200, target: '10.0.0.6', targetPort: ports.tcp }),
];

/** Servers at both ends; once for each laboratory. */
export async function servePair(lab: PairLab): Promise<void> {
  const { tenant, topology } = lab;
  await serve(tenant.vm('web'), tenant.vm('app'), topology.inet);
}

export class PairFlows {
  private constructor(
    private readonly streams: readonly (readonly [flow: string, stream: UdpStream])[],
    private readonly connections: readonly (readonly [flow: string, connection: TcpConnection])[],
    private readonly crowd: TcpConnections,
  ) {}

  static async start({ tenant, topology }: PairLab): Promise<PairFlows> {
    const [web, app, many, inet] = (await Promise.all(
      [tenant.vm('web'), tenant.vm('app'), tenant.vm('crowd'), topology.inet].map((host) => host.agent()),
    )) as [Agent, Agent, Agent, Agent];
    const outside = internet.hostAddresses[0] as string;
    const echo = { port: ports.udpEcho, intervalMs: INTERVAL_MS };
    const streams = [
      ['1:1 from outside', await inet.udpStream({ to: '203.0.113.10', ...echo })],
      ['1:1 from the VM', await web.udpStream({ to: outside, ...echo })],
      ['SNAT', await app.udpStream({ to: outside, ...echo })],
      ['hairpin', await app.udpStream({ to: '203.0.113.10', ...echo })],
    ] as const;
    const connections = [
      ['1:1 from outside, TCP', await inet.tcpConnect({ to: '203.0.113.10', port: ports.tcp })],
      ['1:1 from the VM, TCP', await web.tcpConnect({ to: outside, port: ports.tcp })],
      ['DNAT, TCP', await inet.tcpConnect({ to: '203.0.113.20', port: 2200 })],
      ['hairpin, TCP', await app.tcpConnect({ to: '203.0.113.10', port: ports.tcp })],
    ] as const;
    const localPort = ++crowdPort;
    const targets = crowd.map((from) => ({ to: outside, port: ports.tcp, from, localPort }));
    const together = await many.tcpConnectMany({ targets, concurrency: AT_ONCE, timeoutMs: ALIVE_MS });
    if (together.errors.length > 0) throw new Error(`${together.errors.length} of the crowd could not connect`);
    return new PairFlows(streams, connections, together);
  }

  /** What became of each; nothing is left open. */
  async end(): Promise<FlowReport[]> {
    const alive = await Promise.all(this.connections.map(([, connection]) => connection.isAlive(ALIVE_MS)));
    const crowdAlive = await this.crowd.countAlive(ALIVE_MS);
    const streams = await Promise.all(this.streams.map(([, stream]) => stream.stop()));
    await Promise.all([
      ...this.streams.map(([, stream]) => stream.close()),
      ...this.connections.map(([, connection]) => connection.close({ reset: true })),
      this.crowd.close({ reset: true }),
    ]);
    return [
      ...this.streams.map(([flow], index) => streamReport(flow, streams[index] as UdpStreamReport)),
      ...this.connections.map(([flow], index) => ({ flow, lost: alive[index] === true ? 0 : 1, of: 1 })),
      { flow: `SNAT of ${CROWD} from one port, TCP`, lost: CROWD - crowdAlive, of: CROWD },
    ];
  }
}

/** Lost when nothing comes back at its end. */
function streamReport(flow: string, { sent, lost, longestGapMs }: UdpStreamReport): FlowReport {
  const silentAtEnd = lost.length > 0 && lost.at(-1) === sent - 1 && lost.length > 1_000 / INTERVAL_MS;
  return { flow, gapMs: longestGapMs, lost: silentAtEnd ? 1 : 0, of: 1 };
}
