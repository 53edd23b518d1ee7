import { PairLab, type Member } from '../support/pair-lab.js';
import type { TcpConnections, UdpStream } from '../support/agent.js';
import { ThirdVoter, voteOf } from '../support/third-voter.js';
import { elasticIp, elasticIpDocument } from './documents.js';

// A pair with many elastic IPs, traffic through it, and how long it stands still when something happens.

export interface PairPlan {
  readonly elasticIps: number;
  readonly macMode: 'Own' | 'Virtual';
  /** The default where it is left out. */
  readonly advertInterval?: string;
  /** With a third voter, beside it. */
  readonly strict?: true;
}

export interface Strike {
  /** The longest time without an answer, in ms. */
  readonly gapMs: number;
  readonly lost: number;
}

export const OUTSIDE = '198.51.100.1';
const numbered = { number: 1 };
const ports = { tcp: 80, echo: 7 };
const STREAM_INTERVAL_MS = 2;
/** Until the stream has gone on for long enough to be seen going on. */
const GOES_ON_MS = 300;
const ALIVE_MS = 10_000;

/** Each is a neighbour here and there, and all namespaces of a machine have room for 1,024 together. */
const SPREAD = 100;

export class PairBench {
  private constructor(
    readonly lab: PairLab,
    readonly plan: PairPlan,
  ) {}

  static async start(plan: PairPlan): Promise<PairBench> {
    const lab = new PairLab({
      vms: [
        { name: 'server', addresses: ['10.0.0.5/16'] },
        { name: 'client', addresses: ['10.0.0.6/16'] },
      ],
      routes: [{ destination: '198.18.64.0/18' }],
      beside: ['bare'],
      ...(plan.strict ? { before: async (...built) => void (await ThirdVoter.start(...built)) } : {}),
      documents: () => documentsOf(plan),
    });
    await lab.start();
    const { tenant } = lab;
    await tenant.vm('server').namespace.ip(['route add local 10.0.64.0/18 dev lo']);
    const [server, inet] = await Promise.all([tenant.vm('server').agent(), lab.inet()]);
    // What a stream does not send for want of a processor is no gap of the pair's.
    await Promise.all([server.onItsOwn(), inet.onItsOwn()]);
    await server.tcpServer({ port: ports.tcp });
    await server.udpServer({ port: ports.echo, address: '10.0.64.0' });
    await inet.tcpServer({ port: ports.tcp });
    await inet.udpServer({ port: ports.echo, address: OUTSIDE });
    return new PairBench(lab, plan);
  }

  /** Every change of role that the members told. */
  roles(): string {
    const told = this.lab.members.flatMap(({ name, supervisor }) =>
      supervisor.logged('"event":"Role"').map(({ time, msg }) => `${String(time)} ${name}: ${String(msg)}`),
    );
    return told.sort().join('\n');
  }

  /** Half of them to 100 elastic IPs, the others by SNAT from inside. */
  async connect(count: number): Promise<readonly TcpConnections[]> {
    const [inet, client] = await Promise.all([this.lab.inet(), this.lab.tenant.vm('client').agent()]);
    const inward = Array.from({ length: count / 2 }, (_, i) => ({
      to: elasticIp(numbered, i % Math.min(this.plan.elasticIps, SPREAD)),
      port: ports.tcp,
      from: OUTSIDE,
    }));
    const outward = { targets: [{ to: OUTSIDE, port: ports.tcp }], count: count / 2 };
    const opened = [
      await inet.tcpConnectMany({ targets: inward, concurrency: 50, timeoutMs: ALIVE_MS }),
      await client.tcpConnectMany({ ...outward, concurrency: 50, timeoutMs: ALIVE_MS }),
    ];
    for (const { errors } of opened) if (errors[0]) throw new Error(`not connected: ${errors[0].message}`);
    return opened;
  }

  /** From outside to the first elastic IP. */
  async stream(): Promise<UdpStream> {
    const to = { to: elasticIp(numbered, 0), from: OUTSIDE, port: ports.echo, intervalMs: STREAM_INTERVAL_MS };
    return (await this.lab.inet()).udpStream(to);
  }

  /** With so many connections open, of which `lost` did not answer afterwards. */
  async strike(connections: number, event: (active: Member, standby: Member) => Promise<void>): Promise<Strike> {
    const { active, standby } = await this.lab.settled();
    const opened = connections > 0 ? await this.connect(connections) : [];
    await this.lab.connectionsKnown(active);
    // While the stream is looked at nothing is asked, which takes programs, and those a core of two.
    const stream = await this.stream();
    await this.lab.wait(GOES_ON_MS);
    await event(active, standby);
    await this.lab.wait(GOES_ON_MS);
    await this.lab.until('the other one speaks', () => standby.holdsLease());
    await this.lab.wait(GOES_ON_MS);
    const { longestGapMs: gapMs } = await stream.stop();
    const alive = await Promise.all(opened.map((each) => each.countAlive(ALIVE_MS)));
    await Promise.all([stream.close(), ...opened.map((each) => each.close({ reset: true }))]);
    return { gapMs, lost: connections - alive.reduce((sum, each) => sum + each, 0) };
  }
}

export function documentsOf({ elasticIps, macMode, advertInterval, strict }: PairPlan): string {
  const fencing = strict ? `, fencing: Strict, vote: ${JSON.stringify(voteOf)}` : '';
  const interval = advertInterval === undefined ? '' : `, advertInterval: ${advertInterval}`;
  const gateway = `apiVersion: vpcgw.io/v1alpha1
kind: VpcGateway
metadata: {name: gateway}
spec:
  internal: {interface: vpc0, addresses: [10.0.0.1/16], macMode: ${macMode}}
  externals:
    - {name: internet, interface: ext0, addresses: [100.64.0.11/24], gateways: [100.64.0.1], macMode: ${macMode}}
  highAvailability: {mode: AcrossNodes${interval}${fencing}}
---
apiVersion: vpcgw.io/v1alpha1
kind: ElasticIP
metadata: {name: nat}
spec: {address: 203.0.113.20}
---
apiVersion: vpcgw.io/v1alpha1
kind: SnatRule
metadata: {name: all}
spec: {sources: [{cidr: 10.0.0.0/24}], elasticIPs: [nat]}
`;
  const bound = Array.from({ length: elasticIps }, (_, index) => elasticIpDocument(numbered, index));
  return [gateway, ...bound].join('---\n');
}
