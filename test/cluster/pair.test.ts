import { beforeAll, describe, expect, it } from 'vitest';
import type { TcpConnection, UdpStream } from '../support/agent.js';
import { ports, serve } from '../support/gateway-lab.js';
import { overTcp } from '../support/reach.js';
import type { ClusterGateway } from './lab/cluster-gateway.js';
import type { Pod } from './lab/kubernetes-api.js';
import { useCluster } from './lab/use-cluster.js';

// The overlay `red`: a pair of gateway pods, each on a node of its own, between the internet and a VPC. In the end a node
// dies.

const lab = useCluster({ vms: { red: { web: '10.0.0.5/24', app: '10.0.0.6/24' } }, pair: 'red' });
const client = '198.51.100.1';
const own = '203.0.113.210';
const added = '203.0.113.230';

/** A frame lost on a busy machine is sent again after so long. */
const PATIENCE_MS = 10_000;
/** Three adverts of 200 ms, and what it takes one kernel to clear away a node while the other node waits for its locks. */
const GAP_MS = 2_000;

beforeAll(() => serve(lab.inet, lab.vm('red', 'web'), lab.vm('red', 'app')));

interface Pair {
  active: ClusterGateway;
  standby: ClusterGateway;
}

const settled = (): Promise<Pair> =>
  lab.cluster.api.until('an active and a standby', async () => {
    const roles = await Promise.all(lab.members.map((member) => member.role()));
    const [active, standby] = ['Active', 'Standby'].map((wanted) => lab.members[roles.indexOf(wanted)]);
    return active && standby ? { active, standby } : undefined;
  });

const takesOver = (member: ClusterGateway): Promise<true> =>
  lab.cluster.api.until('another active one', async () => ((await member.role()) === 'Active' ? true : undefined));

/** Every connection of the active member stands in the kernel of the other. */
async function known({ active, standby }: Pair): Promise<void> {
  const connections = async (member: ClusterGateway): Promise<string[]> =>
    (await member.exec(['conntrack', '-L', '-p', 'tcp', '--state', 'ESTABLISHED']))
      .split('\n')
      .map((line) => [...line.matchAll(/(?:src|dst|sport|dport)=\S+/g)].join(' '))
      .filter((line) => line.includes(client));
  await lab.cluster.api.until('the other member knows all connections', async () => {
    const [carried, told] = [await connections(active), new Set(await connections(standby))];
    return carried.length > 0 && carried.every((each) => told.has(each)) ? true : undefined;
  });
}

class Flows {
  private constructor(
    private readonly connections: readonly TcpConnection[],
    private readonly streams: readonly UdpStream[],
  ) {}

  /** By an elastic IP from outside, and by SNAT from inside. */
  static async start(): Promise<Flows> {
    const [inet, app] = await Promise.all([lab.inet.agent(), lab.vm('red', 'app').agent()]);
    const [inward, outward] = [{ to: own, from: client }, { to: client }];
    const connections = [
      await inet.tcpConnect({ ...inward, port: ports.tcp }),
      await app.tcpConnect({ ...outward, port: ports.tcp }),
    ];
    const echo = { port: ports.udpEcho, intervalMs: 10 };
    return new Flows(connections, [
      await inet.udpStream({ ...inward, ...echo }),
      await app.udpStream({ ...outward, ...echo }),
    ]);
  }

  /** Longest gap of each stream, in ms; a connection that does not answer fails. */
  async end(): Promise<number[]> {
    for (const connection of this.connections) expect(await connection.isAlive(PATIENCE_MS)).toBe(true);
    const reports = await Promise.all(this.streams.map((stream) => stream.stop()));
    await Promise.all([...this.connections, ...this.streams].map((each) => each.close({ reset: true })));
    return reports.map(({ longestGapMs }) => longestGapMs);
  }
}

/** What is open before the event carries traffic after it. */
async function through(event: (active: ClusterGateway, standby: ClusterGateway) => Promise<void>): Promise<void> {
  const both = await settled();
  const flows = await Flows.start();
  await known(both);
  await event(both.active, both.standby);
  const gaps = await flows.end();
  console.info(`longest gaps: ${gaps.map((gap) => Math.round(gap)).join(' and ')} ms`);
  for (const gap of gaps) expect(gap).toBeLessThan(GAP_MS);
}

describe('a pair of gateway pods', () => {
  it('stands on two nodes, one active and one ready to take over', async () => {
    const { active, standby } = await settled();
    expect(active.node.name).not.toBe(standby.node.name);
    const reached = await overTcp(await lab.inet.agent(), { to: own, from: client });
    expect(reached).toEqual({ server: 'red-web', client });
  });

  it('takes over an edited ConfigMap, both members, and keeps connections', async () => {
    await through(async (active, standby) => {
      const before = await Promise.all([active, standby].map((member) => member.status()));
      const spec = { address: added, target: { address: '10.0.0.6' } };
      const elasticIp = { apiVersion: 'vpcgw.io/v1alpha1', kind: 'ElasticIP', metadata: { name: 'added' }, spec };
      await active.write('added.yaml', JSON.stringify(elasticIp));
      await Promise.all([active, standby].map((member, index) => member.takesAfter(before[index]?.revision ?? 0)));
      const reached = await overTcp(await lab.inet.agent(), { to: added, from: client });
      expect(reached).toEqual({ server: 'red-app', client });
    });
  });

  it('hands over when the active pod is deleted, and has two members again', async () => {
    let replaced: ClusterGateway | undefined;
    await through(async (active, standby) => {
      replaced = active;
      const before = await active.pod();
      await lab.cluster.api.deletePod(active.namespace, active.podName);
      await takesOver(standby);
      await lab.cluster.api.podWhen(
        active.namespace,
        active.podName,
        'replacement',
        ({ metadata }) => metadata.uid !== before.metadata.uid,
      );
    });
    await replaced?.ready();
    await settled();
  });

  it('moves without the API server, when the active container dies, and that one is a standby again', async () => {
    const { controlPlane } = lab.cluster;
    const pods = new Map(await Promise.all(lab.members.map(async (member) => [member, await member.pod()] as const)));
    await controlPlane.killApiServer();
    try {
      await through(async (active, standby) => {
        await active.node.killContainer(pods.get(active) as Pod);
        await takesOver(standby);
      });
    } finally {
      controlPlane.startApiServer();
      await controlPlane.ready();
    }
    await Promise.all(lab.members.map((member) => member.ready()));
    await settled();
  });

  it('goes on when the node of the active one dies', async () => {
    await through(async (active, standby) => {
      await active.node.kill();
      await takesOver(standby);
    });
    const reached = await overTcp(await lab.inet.agent(), { to: own, from: client });
    expect(reached).toEqual({ server: 'red-web', client });
  });
});
