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
/** All of the crowd from one port, so that translation has to tell them apart; another one each time, of none that the kernel gives. */
let crowdPort = 20_000;
const crowd = Array.from({ length: CROWD }, (_, i) => `10.0.0.${20 + i}`);

export interface FlowReport {
  readonly flow: string;
  /** Of streams. */
  readonly gapMs?: number;
  /** Of connections; a stream is lost that did not come back. */
  readonly lost: number;
  readonly of: number;
}

export const isTunnel = ({ flow }: FlowReport): boolean => flow.startsWith('tunnel');

interface PairForm {
  readonly macMode?: 'Own' | 'Virtual';
  readonly paths?: Paths;
  /** With a third voter, which has to be there before the members. */
  readonly strict?: NonNullable<PairLabOptions['before']>;
  readonly secondUnder?: NonNullable<PairLabOptions['secondUnder']>;
  /** What is carried beside translation. */
  readonly services?: { readonly args: readonly string[]; readonly documents: readonly Document[] };
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

export const pairOptions = ({
  macMode = 'Own',
  paths = 'IPv4',
  strict,
  services,
  ...more
}: PairForm = {}): PairLabOptions => ({
  vms: [
    'web',
    'app',
    { name: 'hostile', addresses: ['10.0.0.9/24'] },
    { name: 'crowd', addresses: crowd.map((address) => `${address}/24`) },
  ],
  paths,
  ...more,
  ...(strict ? { before: strict } : {}),
  ...(services ? { args: services.args } : {}),
  documents: (tenant) => [
    ...pairDocuments(pairGateway(tenant, macMode, strict ? { fencing: 'Strict', vote: voteOf } : {})),
    ...(services?.documents ?? []),
  ],
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

/** One of the two, by its name. */
export type PairFlow = { readonly flow: string } & (
  { readonly stream: UdpStream } | { readonly connection: TcpConnection }
);

/** What else is to go on. */
export type FlowsBeside = (lab: PairLab) => Promise<readonly PairFlow[]>;

export class PairFlows {
  private constructor(
    private readonly flows: readonly PairFlow[],
    private readonly crowd: TcpConnections,
  ) {}

  static async start(lab: PairLab, beside: FlowsBeside = () => Promise.resolve([])): Promise<PairFlows> {
    const { tenant, topology } = lab;
    const [web, app, many, inet] = (await Promise.all(
      [tenant.vm('web'), tenant.vm('app'), tenant.vm('crowd'), topology.inet].map((host) => host.agent()),
    )) as [Agent, Agent, Agent, Agent];
    const outside = internet.hostAddresses[0] as string;
    const echo = { port: ports.udpEcho, intervalMs: INTERVAL_MS };
    const flows: PairFlow[] = [
      { flow: '1:1 from outside', stream: await inet.udpStream({ to: '203.0.113.10', ...echo }) },
      { flow: '1:1 from the VM', stream: await web.udpStream({ to: outside, ...echo }) },
      { flow: 'SNAT', stream: await app.udpStream({ to: outside, ...echo }) },
      { flow: 'hairpin', stream: await app.udpStream({ to: '203.0.113.10', ...echo }) },
      ...(await beside(lab)),
      {
        flow: '1:1 from outside, TCP',
        connection: await inet.tcpConnect({ to: '203.0.113.10', port: ports.tcp }),
      },
      { flow: '1:1 from the VM, TCP', connection: await web.tcpConnect({ to: outside, port: ports.tcp }) },
      { flow: 'DNAT, TCP', connection: await inet.tcpConnect({ to: '203.0.113.20', port: 2200 }) },
      { flow: 'hairpin, TCP', connection: await app.tcpConnect({ to: '203.0.113.10', port: ports.tcp }) },
    ];
    const localPort = ++crowdPort;
    const targets = crowd.map((from) => ({ to: outside, port: ports.tcp, from, localPort }));
    const together = await many.tcpConnectMany({ targets, concurrency: AT_ONCE, timeoutMs: ALIVE_MS });
    const [first] = together.errors;
    if (first) throw new Error(`${together.errors.length} of the crowd could not connect: ${first.message}`);
    return new PairFlows(flows, together);
  }

  /** What became of each; nothing is left open. */
  async end(): Promise<FlowReport[]> {
    const ended = await Promise.all(this.flows.map(endOf));
    const crowdAlive = await this.crowd.countAlive(ALIVE_MS);
    await this.crowd.close({ reset: true });
    return [...ended, { flow: `SNAT of ${CROWD} from one port, TCP`, lost: CROWD - crowdAlive, of: CROWD }];
  }
}

async function endOf(flow: PairFlow): Promise<FlowReport> {
  if ('stream' in flow) {
    const report = await flow.stream.stop();
    await flow.stream.close();
    return streamReport(flow.flow, report);
  }
  const alive = await flow.connection.isAlive(ALIVE_MS);
  await flow.connection.close({ reset: true });
  return { flow: flow.flow, lost: alive ? 0 : 1, of: 1 };
}

/** Lost when nothing comes back at its end. */
function streamReport(flow: string, { sent, lost, longestGapMs }: UdpStreamReport): FlowReport {
  const silentAtEnd = lost.length > 0 && lost.at(-1) === sent - 1 && lost.length > 1_000 / INTERVAL_MS;
  return { flow, gapMs: longestGapMs, lost: silentAtEnd ? 1 : 0, of: 1 };
}
