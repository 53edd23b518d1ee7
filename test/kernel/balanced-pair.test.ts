import { beforeAll, describe, expect, it } from 'vitest';
import { SYNC_PORT } from '../../gateway/model/ownership.js';
import type { Agent } from '../support/agent.js';
import { elasticIp, gateway, loadBalancer } from '../support/documents.js';
import { die } from '../support/pair-faults.js';
import type { Member } from '../support/pair-lab.js';
import { usePairLab } from '../support/use-pair-lab.js';

// Balanced connections of a pair, a planned switchover and a node's death. The lab's one processor carries two gateways
// with all of their daemons, so adverts are a second apart: what is asked here is which connections go on, not how soon.

const EIP = '203.0.113.10';
const VMS = ['web', 'app', 'db'];
/** Others in each test: what a member remembers of an earlier one is not counted. */
const CLIENTS = { old: 0, young: 4, told: 8, untold: 12 };
type Age = keyof typeof CLIENTS;
/** Local to the internet's host, all of them. */
const clientsOf = (age: Age): string[] => [1, 2, 3, 4].map((host) => `198.18.0.${CLIENTS[age] + host}`);
const EACH = 8;
const COUNT = 4 * EACH;
const LISTENERS = [
  { port: 8000, algorithm: 'RoundRobin' },
  { port: 8001, algorithm: 'LeastConnections' },
  { port: 8002, algorithm: 'SourceHash' },
  { port: 8003, algorithm: 'Maglev' },
] as const;
const WITH_AFFINITY = { port: 8004, affinity: { timeout: '1h' } };
/** Where a member hears of connections: from conntrackd, and from the kernel's IPVS. */
const HEARS = { conntrackd: SYNC_PORT, ipvs: 8848 };
const ALIVE_MS = 20_000;
const LONG_MS = 200_000;

describe.each([
  ['in the clear', {}],
  ['encrypted', { encryption: 'WireGuard' }],
])('a pair that balances, and talks %s', (how, memberFile) => {
  const lab = usePairLab({
    vms: VMS,
    memberFile,
    before: ({ inet: { namespace } }) => namespace.ip(['route add local 198.18.0.0/16 dev lo']),
    documents: (tenant) => [
      gateway(tenant, { spec: { highAvailability: { mode: 'AcrossNodes', advertInterval: '1s' } } }),
      elasticIp('vip', EIP),
      loadBalancer('web', {
        elasticIP: 'vip',
        members: VMS.map((_, i) => ({ address: `10.0.0.${5 + i}` })),
        listeners: [...LISTENERS, WITH_AFFINITY],
      }),
    ],
  });
  let inet: Agent;
  beforeAll(async () => {
    for (const name of VMS) {
      const agent = await lab.tenant.vm(name).agent();
      for (const { port } of [...LISTENERS, WITH_AFFINITY]) await agent.tcpServer({ port });
    }
    inet = await lab.inet();
  }, LONG_MS);

  const open = async (port: number, age: Age) => {
    const targets = clientsOf(age).flatMap((from) => Array.from({ length: EACH }, () => ({ to: EIP, port, from })));
    const connections = await inet.tcpConnectMany({ targets, concurrency: 10, timeoutMs: ALIVE_MS });
    expect(connections.errors).toEqual([]);
    return connections;
  };
  const known = async ({ namespace }: Member, port: number, age: Age, mark = ''): Promise<number> => {
    const { stdout } = await namespace.exec(['ipvsadm', '-L', '-n', '-c']);
    const own = stdout.split('\n').filter((line) => line.includes(`${EIP}:${port} `) && line.includes(mark));
    return own.filter((line) => clientsOf(age).some((client) => line.includes(` ${client}:`))).length;
  };
  /** Whom each client with affinity comes to. */
  async function servers(): Promise<Record<string, string>> {
    const found: [string, string][] = [];
    for (const from of clientsOf('old')) {
      const connection = await inet.tcpConnect({ to: EIP, port: WITH_AFFINITY.port, from, timeoutMs: ALIVE_MS });
      found.push([from, connection.greeting.server]);
      await connection.close();
    }
    return Object.fromEntries(found);
  }
  const changeOver = async (): Promise<void> => {
    const { active, standby } = await lab.settled();
    const { status, text } = await active.supervisor.post('/v1/failover/switchover', {});
    expect(status, text).toBe(200);
    await expect.poll(() => standby.role(), { timeout: LONG_MS, interval: 100 }).toBe('Active');
  };

  it(
    'keeps all that the other member was told of, whatever the algorithm, and clients with their members',
    async () => {
      await lab.sound();
      const { standby } = await lab.settled();
      const all = await Promise.all(LISTENERS.map(({ port }) => open(port, 'old')));
      const before = await servers();
      const began = performance.now();
      for (const [i, connections] of all.entries()) expect(await connections.countAlive(ALIVE_MS), `${i}`).toBe(COUNT);
      for (const { port } of LISTENERS)
        await expect.poll(() => known(standby, port, 'old'), { timeout: 20_000, interval: 100 }).toBe(COUNT);
      // What remembers a client has no port of its.
      const remembered = () => known(standby, WITH_AFFINITY.port, 'old', ':0 ');
      await expect.poll(remembered, { timeout: 20_000, interval: 100 }).toBe(clientsOf('old').length);
      console.log(`standby knew all after ${((performance.now() - began) / 1000).toFixed(1)} s`);
      await changeOver();
      for (const [i, connections] of all.entries()) {
        expect(await connections.countAlive(ALIVE_MS), LISTENERS[i]?.algorithm).toBe(COUNT);
        await connections.close({ reset: true });
      }
      expect(await servers()).toEqual(before);
    },
    LONG_MS,
  );

  if (how === 'encrypted') {
    it(
      'tells by a link that was made again',
      async () => {
        const { standby } = await lab.settled();
        await standby.namespace.ip(['link delete vgm-1']);
        await lab.until('it is missed', async () => (await standby.role()) !== 'Standby');
        await lab.settled();
        await lab.sound();
        const connections = await open(8000, 'young');
        await expect.poll(() => known(standby, 8000, 'young'), { timeout: 20_000, interval: 100 }).toBe(COUNT);
        await connections.close({ reset: true });
      },
      LONG_MS,
    );
    return;
  }

  it(
    'keeps young ones too, which IPVS has told nobody of: connection tracking has',
    async () => {
      await lab.sound();
      const { active, standby } = await lab.settled();
      // As if it had not had the time yet: what it is told of reaches the other within some 2 to 5 s.
      await active.namespace.exec(['ipvsadm', '--stop-daemon', 'master']);
      const all = await Promise.all(LISTENERS.map(({ port }) => open(port, 'young')));
      for (const { port } of LISTENERS) expect(await known(standby, port, 'young')).toBe(0);
      await changeOver();
      for (const [i, connections] of all.entries()) {
        expect(await connections.countAlive(ALIVE_MS), LISTENERS[i]?.algorithm).toBe(COUNT);
        await connections.close({ reset: true });
      }
    },
    LONG_MS,
  );

  it(
    'keeps at a node’s death what IPVS alone has told of, and by hash also what nobody has',
    async () => {
      await lab.sound();
      const { active, standby } = await lab.settled();
      const deafen = (port: number) =>
        standby.namespace.exec([
          'iptables',
          '-I',
          'INPUT',
          '-i',
          'sync0',
          '-p',
          'udp',
          '--dport',
          `${port}`,
          '-j',
          'DROP',
        ]);
      await deafen(HEARS.conntrackd);
      const told = await Promise.all(LISTENERS.map(({ port }) => open(port, 'told')));
      for (const { port } of LISTENERS)
        await expect.poll(() => known(standby, port, 'told'), { timeout: 20_000, interval: 100 }).toBe(COUNT);
      await deafen(HEARS.ipvs);
      const untold = await Promise.all(LISTENERS.map(({ port }) => open(port, 'untold')));
      await die(active, lab);
      await expect.poll(() => standby.role(), { timeout: LONG_MS, interval: 100 }).toBe('Active');
      for (const [i, { algorithm }] of LISTENERS.entries()) {
        expect(await told[i]?.countAlive(ALIVE_MS), `${algorithm}, told`).toBe(COUNT);
        const alive = await untold[i]?.countAlive(ALIVE_MS);
        console.log(`${algorithm}: ${alive} of ${COUNT} that nobody was told of`);
        if (algorithm === 'SourceHash' || algorithm === 'Maglev') expect(alive, algorithm).toBe(COUNT);
      }
    },
    LONG_MS,
  );
});
