import { beforeAll, describe, expect, it } from 'vitest';
import type { Agent } from '../support/agent.js';
import {
  type BalancerListener,
  type BalancerMember,
  type Document,
  elasticIp,
  firewallPolicy,
  gateway,
  loadBalancer,
} from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { overTcp, overUdp, silenceMs } from '../support/reach.js';

// Load balancers by the kernel's own IPVS. What does not depend on who balances is in test/netns/load-balancer.test.ts,
// which the lab kernel runs by IPVS, too.

const EIP = '203.0.113.10';
const EIP6 = '2001:db8:e::10';
const NAMES = ['web', 'app', 'db', 'aux', 'bak'];
const HOSTS = NAMES.map((_, i) => 5 + i);
/** Local to the internet's host, all of them: as many clients as are needed. */
const CLIENTS = '198.18.0.0/16';
const clientOf = (i: number): string => `198.18.${(i >> 8) & 0xff}.${i & 0xff}`;
const BATCH = 500;
const LONG_MS = 300_000;

describe('load balancing by IPVS', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: NAMES }],
    documents: (tenant) => [gateway(tenant)],
    prepare: (topology) => topology.inet.namespace.ip([`route add local ${CLIENTS} dev lo`]),
  });
  let inet: Agent;
  beforeAll(async () => {
    await serve(...NAMES.map((name) => lab.tenant.vm(name)));
    inet = await lab.inet();
  });

  const memberOf = (i: number, more: Partial<BalancerMember> = {}): BalancerMember => ({
    address: `10.0.0.${HOSTS[i]}`,
    ...more,
  });
  const members = (...weights: readonly number[]) =>
    weights.map((weight, i) => memberOf(i, { weight, port: ports.tcp }));
  const documents = (
    given: readonly BalancerMember[],
    listeners: readonly BalancerListener[],
    pool: object = {},
    eip: object = {},
  ): Document[] => [
    gateway(lab.tenant),
    elasticIp('vip', EIP, eip),
    loadBalancer('web', { elasticIP: 'vip', members: given, listeners, pool }),
  ];
  const balance = (...given: Parameters<typeof documents>) => lab.apply(documents(...given));
  const ipvsadm = async (...args: string[]): Promise<string> =>
    (await lab.tenant.gateway.exec(['ipvsadm', ...args])).stdout;

  /** Which member each client came to. */
  async function served(clients: readonly (string | undefined)[], port = 8000): Promise<string[]> {
    const servers: string[] = [];
    for (let i = 0; i < clients.length; i += BATCH) {
      const targets = clients.slice(i, i + BATCH).map((from) => ({ to: EIP, port, from }));
      const all = await inet.tcpConnectMany({ targets, concurrency: 50, timeoutMs: 20_000 });
      expect(all.errors).toEqual([]);
      servers.push(...all.greetings.map(({ server }) => server));
      await all.close({ reset: true });
    }
    return servers;
  }

  const shareOf = (servers: readonly string[], name: string): number =>
    servers.filter((server) => server === `blue-${name}`).length / servers.length;

  it('is what status says, and no other condition', async () => {
    await balance(members(1), [{ port: 8000 }]);
    const { conditions, objects } = JSON.parse((await lab.supervisor().get('/v1/status')).text) as {
      conditions: { type: string; status: string }[];
      objects: { kind: string; notes: string[] }[];
    };
    expect(conditions.find(({ type }) => type === 'BalancedByIpvs')?.status).toBe('True');
    expect(objects.find(({ kind }) => kind === 'LoadBalancer')?.notes).toEqual([
      'pool all: 1 of 1 members serve',
      'members see clients inside the VPC as 10.0.0.1',
    ]);
  });

  describe('divides connections by weight', () => {
    const COUNT = 10_000;
    const EXPECTED = { web: 0.5, app: 0.3, db: 0.2 };
    it.each([
      { algorithm: 'RoundRobin', clients: 1 },
      { algorithm: 'LeastConnections', clients: 1 },
      { algorithm: 'SourceHash', clients: COUNT },
      { algorithm: 'Maglev', clients: COUNT },
    ] as const)(
      '$algorithm',
      async ({ algorithm, clients }) => {
        await balance(members(5, 3, 2), [{ port: 8000, algorithm }]);
        const servers = await served(Array.from({ length: COUNT }, (_, i) => clientOf(i % clients)));
        const shares = Object.keys(EXPECTED).map((name) => [name, shareOf(servers, name)] as const);
        for (const [name, share] of shares)
          expect(Math.abs(share - EXPECTED[name as keyof typeof EXPECTED]), `${name} of ${algorithm}`).toBeLessThan(
            0.03,
          );
      },
      LONG_MS,
    );
  });

  it(
    'by Maglev moves few clients when a member leaves',
    async () => {
      const clients = Array.from({ length: 3_000 }, (_, i) => clientOf(i));
      await balance(members(1, 1, 1, 1, 1), [{ port: 8000, algorithm: 'Maglev' }]);
      const before = await served(clients);
      await balance(members(1, 1, 1, 1, 0), [{ port: 8000, algorithm: 'Maglev' }], { drainTimeout: '0s' });
      const after = await served(clients);
      const moved = before.filter((server, i) => server !== after[i]).length;
      expect(moved / clients.length).toBeLessThanOrEqual(1.5 / 5);
      expect(after).not.toContain('blue-bak');
    },
    LONG_MS,
  );

  it('keeps a client with affinity to its member, for as long as that serves', async () => {
    const listeners = [{ port: 8000, affinity: { timeout: '1h' } }];
    await balance(members(1, 1, 1), listeners);
    const [first = '', ...others] = new Set(await served(Array.from({ length: 30 }, () => clientOf(7))));
    expect(others).toEqual([]);
    expect(new Set(await served(Array.from({ length: 30 }, (_, i) => clientOf(i)))).size).toBe(3);
    const out = NAMES.findIndex((name) => `blue-${name}` === first);
    await balance(members(...[1, 1, 1].map((weight, i) => (i === out ? 0 : weight))), listeners);
    const next = new Set(await served(Array.from({ length: 10 }, () => clientOf(7))));
    expect(next.size).toBe(1);
    expect(next).not.toContain(first);
  });

  /** Of one listener: tests leave members behind that drain. */
  const saved = async (port: number): Promise<string> =>
    (await ipvsadm('-Sn'))
      .split('\n')
      .filter((line) => line.includes(`${EIP}:${port} `))
      .join('\n');

  it('moves a client with affinity to a member that dies at once, and leaves the others theirs', async () => {
    const check = { type: 'TCP', interval: '1s', timeout: '500ms', unhealthyThreshold: 1 };
    const port = 84;
    const servers = new Map<string, { close(): Promise<void> }>();
    for (const [i, name] of ['web', 'app', 'db'].entries())
      servers.set(
        `blue-${name}`,
        await (await lab.vm(name)).tcpServer({ port, address: `10.0.0.${HOSTS[i]}`, mode: 'whoami' }),
      );
    const listeners = [{ port: 8010, affinity: { timeout: '1h' } }];
    await balance(
      [0, 1, 2].map((i) => memberOf(i, { port })),
      listeners,
      { healthCheck: check },
    );
    const clients = Array.from({ length: 12 }, (_, i) => clientOf(i));
    const before = await served(clients, 8010);
    const [dead = ''] = before;
    const weightOf = async (server: string) => {
      const host = HOSTS[NAMES.findIndex((name) => `blue-${name}` === server)];
      return new RegExp(`-r 10\\.0\\.0\\.${host}:${port} -m -w (\\d+)`).exec(await saved(8010))?.[1];
    };
    await expect.poll(() => weightOf(dead)).toBe('1');
    await servers.get(dead)?.close();
    await expect.poll(() => weightOf(dead), { timeout: 20_000, interval: 50 }).toBe('0');
    // Not one of its clients is refused: each goes elsewhere with its next connection, an hour early, and stays there.
    const after = await served(clients, 8010);
    expect(after).not.toContain(dead);
    expect(await served(clients, 8010)).toEqual(after);
    for (const [i, server] of before.entries()) if (server !== dead) expect(after[i]).toBe(server);
    servers.delete(dead);
    for (const server of servers.values()) await server.close();
  });

  it('lets a download end whole at a member that is taken out', async () => {
    const bytes = 3_000_000;
    const source = await (await lab.vm('web')).tcpServer({ port: 82, mode: 'source', bytes });
    const limit = { bandwidth: { egress: '8M' } };
    const pool = { drainTimeout: '1m' };
    const listeners = [{ port: 8002 }];
    const [web, app] = [memberOf(0, { port: 82 }), memberOf(1, { port: ports.tcp })];
    await balance([web], listeners, pool, limit);
    const download = inet.transfer({ to: EIP, port: 8002, bytes, direction: 'down', timeoutMs: 50_000 });
    await expect.poll(async () => activeConnections(await ipvsadm('-Ln', '-t', `${EIP}:8002`))).toBe(1);
    await balance([app], listeners, pool, limit);
    expect(await overTcp(inet, { to: EIP, port: 8002 })).toMatchObject({ server: 'blue-app' });
    const report = await download;
    expect(report.intact).toBe(true);
    // The limit of its elastic IP holds for what is balanced.
    expect((bytes * 8) / (report.durationMs / 1000)).toBeLessThan(8e6 * 1.08);
    await source.close();
  });

  it('ends what drains when its time is over, and takes the member away', async () => {
    const pool = { drainTimeout: '2s' };
    await balance(members(1), [{ port: 8003 }], pool);
    const connection = await inet.tcpConnect({ to: EIP, port: 8003 });
    await balance([memberOf(1, { port: ports.tcp })], [{ port: 8003 }], pool);
    expect(await connection.isAlive()).toBe(true);
    expect(await saved(8003)).toContain(`-r 10.0.0.5:80 -m -w 0`);
    await expect.poll(() => connection.isAlive(silenceMs), { timeout: 20_000 }).toBe(false);
    expect(await saved(8003)).not.toContain('10.0.0.5');
  });

  it('goes on as it is when a member’s port is written out', async () => {
    await balance([memberOf(0), memberOf(1)], [{ port: ports.tcp }]);
    await balance([memberOf(0, { port: ports.tcp }), memberOf(1)], [{ port: ports.tcp }]);
    expect(await saved(ports.tcp)).not.toContain('-w 0');
    expect(await overTcp(inet, { to: EIP, port: ports.tcp })).toMatchObject({ client: expect.any(String) as string });
  });

  it('leaves the counters of all that an edit does not concern', async () => {
    await balance(members(1, 1), [{ port: 8004 }, { port: 8005 }]);
    await served(
      Array.from({ length: 20 }, () => undefined),
      8004,
    );
    // The kernel sums up every two seconds.
    const counted = () =>
      expect.poll(
        async () => {
          const listings = [8004, 8005].map((port) => ipvsadm('-Ln', '--stats', '-t', `${EIP}:${port}`));
          return (await Promise.all(listings)).map((listing) =>
            [...listing.matchAll(/(?:TCP|->) +\S+:\d+ +(\d+)/g)].map(([, count]) => Number(count)),
          );
        },
        { timeout: 10_000 },
      );
    await counted().toEqual([
      [20, 10, 10],
      [0, 0, 0],
    ]);
    await balance(members(1, 7, 2), [{ port: 8004 }, { port: 8005 }]);
    await counted().toEqual([
      [20, 10, 10, 0],
      [0, 0, 0, 0],
    ]);
  });

  it('is put back within two seconds of `ipvsadm -C`, and a client of a hash finds its member', async () => {
    await balance(members(1, 1, 1), [{ port: 8000, algorithm: 'Maglev' }]);
    const connections = await inet.tcpConnectMany({ targets: [{ to: EIP, port: 8000, from: clientOf(3) }], count: 5 });
    const before = await ipvsadm('-Sn');
    await ipvsadm('-C');
    const began = performance.now();
    await expect.poll(() => ipvsadm('-Sn'), { timeout: 20_000, interval: 50 }).toBe(before);
    expect(performance.now() - began).toBeLessThan(2_500);
    expect(await connections.countAlive(10_000)).toBe(5);
    await connections.close({ reset: true });
  });

  it('keeps apart what one client opens from one port to two listeners of the same members', async () => {
    await balance(members(1), [{ port: 8006 }, { port: 8007 }]);
    const open = (port: number) => inet.tcpConnect({ to: EIP, port, from: clientOf(9), localPort: 45_000 });
    const both = [await open(8006), await open(8007)];
    for (const connection of both) expect(await connection.isAlive()).toBe(true);
    // Another balancer, whose name comes first, has the end from now on.
    await lab.apply([
      ...documents(members(1), [{ port: 8006 }, { port: 8007 }]),
      loadBalancer('a', { elasticIP: 'vip', members: members(1), listeners: [{ port: 8008 }] }),
    ]);
    for (const connection of both) expect(await connection.isAlive()).toBe(true);
    for (const port of [8006, 8007, 8008])
      expect(await overTcp(inet, { to: EIP, port })).toMatchObject({ server: 'blue-web' });
    for (const connection of both) await connection.close({ reset: true });
  });

  it('leaves what others have put there', async () => {
    await balance(members(1), [{ port: 8000 }]);
    await ipvsadm('-A', '-t', '192.0.2.1:80', '-s', 'wrr');
    await balance(members(1, 1), [{ port: 8000 }]);
    expect(await ipvsadm('-Sn')).toContain('-A -t 192.0.2.1:80');
    await ipvsadm('-D', '-t', '192.0.2.1:80');
  });

  it('loses no connection, and takes every new one, while its supervisor is killed and starts again', async () => {
    await balance(members(1, 1, 1), [{ port: 8000 }]);
    const supervisor = lab.supervisor();
    const standing = await inet.tcpConnectMany({ targets: [{ to: EIP, port: 8000 }], count: 60 });
    let over = false;
    /** One client after the other, from before the kill until after the start; a failed one rejects. */
    const arriving = (async () => {
      const servers: string[] = [];
      while (!over) servers.push(...(await served(Array.from({ length: 10 }, () => undefined))));
      return servers;
    })();
    await served([undefined]);
    await supervisor.kill9();
    expect(await standing.countAlive()).toBe(60);
    expect(new Set(await served(Array.from({ length: 30 }, () => undefined))).size).toBe(3);
    supervisor.relaunch();
    await supervisor.ready();
    over = true;
    const servers = await arriving;
    expect(servers.length).toBeGreaterThan(30);
    expect(new Set(servers).size).toBe(3);
    expect(await standing.countAlive()).toBe(60);
    await standing.close({ reset: true });
  });

  it('obeys the firewall, and counts against its limits', async () => {
    const policy = firewallPolicy('some', { elasticIPs: ['vip'] }, [
      { action: 'Deny', peers: [{ cidr: `${clientOf(1)}/32` }] },
      { action: 'Allow' },
    ]);
    const given = documents(members(1), [{ port: 8000, maxConnections: 3 }]);
    await lab.apply([...given, policy]);
    const from = (i: number) => ({ to: EIP, port: 8000, from: clientOf(i), timeoutMs: silenceMs });
    expect(await overTcp(inet, from(1))).toEqual({ error: 'TIMEOUT' });
    expect(await overTcp(inet, from(2))).toEqual({ server: 'blue-web', client: clientOf(2) });
    const all = await inet.tcpConnectMany({ targets: [from(3)], count: 6, timeoutMs: 5 * silenceMs });
    expect(all.greetings).toHaveLength(3);
    // Neither its neighbours' edits nor its own make it forget how many there are.
    await lab.apply([...documents(members(1, 1), [{ port: 8000, maxConnections: 3 }, { port: 8009 }]), policy]);
    expect(await overTcp(inet, from(3))).toEqual({ error: 'TIMEOUT' });
    await all.close({ reset: true });
  });

  it('moves a client of UDP within an interval of its member’s death', async () => {
    const check = { type: 'UDP', interval: '1s', timeout: '500ms', unhealthyThreshold: 1 };
    const given = [0, 1].map((i) => memberOf(i, { port: 5353 }));
    const servers = await Promise.all(
      [0, 1].map(async (i) =>
        (await lab.vm(NAMES[i] ?? '')).udpServer({ port: 5353, address: `10.0.0.${HOSTS[i]}`, mode: 'whoami' }),
      ),
    );
    await balance(given, [{ protocol: 'UDP', port: 53 }], { healthCheck: check });
    const socket = await inet.udpOpen({ to: EIP, port: 53 });
    await socket.send({ payload: 'one' });
    const first = (await socket.receive()).greeting?.server;
    const dead = first === 'blue-web' ? 0 : 1;
    await servers[dead]?.close();
    const began = performance.now();
    const next = async (): Promise<string | undefined> => {
      await socket.send({ payload: 'two' });
      return (await socket.receive(100)).greeting?.server;
    };
    await expect
      .poll(() => next().catch(() => 'nobody'), { timeout: 20_000, interval: 20 })
      .toBe(dead === 0 ? 'blue-app' : 'blue-web');
    // The interval, the check, and what the lab's processor needs for it.
    expect(performance.now() - began).toBeLessThan(2_500);
    expect(await overUdp(inet, { to: EIP, port: 53 })).toMatchObject({ server: dead === 0 ? 'blue-app' : 'blue-web' });
    await socket.close();
    await servers[1 - dead]?.close();
  });

  it('carries a range by IPv6, from inside too', async () => {
    const server = await (await lab.vm('app')).tcpServer({ port: 7005 });
    await lab.apply([
      gateway(lab.tenant),
      elasticIp('six', EIP6),
      loadBalancer('six', {
        elasticIP: 'six',
        address: 'fd00:a::100',
        members: [{ address: 'fd00:a::6' }],
        listeners: [{ port: 7000, endPort: 7010, algorithm: 'SourceHash' }],
      }),
    ]);
    const client = '2001:db8:1::1';
    expect(await overTcp(inet, { to: EIP6, port: 7005, from: client })).toEqual({ server: 'blue-app', client });
    for (const to of [EIP6, 'fd00:a::100'])
      for (const name of ['web', 'app'])
        expect(await overTcp(await lab.vm(name), { to, port: 7005 })).toEqual({
          server: 'blue-app',
          client: 'fd00:a::1',
        });
    await server.close();
  });

  describe('of a thousand listeners', () => {
    /** Each to its own port of the members, since IPVS takes none for two listeners. */
    const FIRST = 20_000;
    const thousand = (weight: number): Document[] => [
      gateway(lab.tenant),
      elasticIp('vip', EIP),
      ...Array.from({ length: 20 }, (_, n) =>
        loadBalancer(`lb${n}`, {
          elasticIP: 'vip',
          members: [memberOf(0, { weight: n === 0 ? weight : 1 }), memberOf(1)],
          listeners: Array.from({ length: 50 }, (_, i) => ({ port: FIRST + n * 50 + i })),
        }),
      ),
    ];
    beforeAll(async () => {
      for (const name of NAMES.slice(0, 2)) {
        const agent = await lab.vm(name);
        await Promise.all(Array.from({ length: 1_000 }, (_, i) => agent.tcpServer({ port: FIRST + i })));
      }
      await lab.apply(thousand(1), lab.tenant, LONG_MS);
    }, LONG_MS);

    it(
      'reaches each, and an edit of one leaves the connections of all',
      async () => {
        const targets = Array.from({ length: 1_000 }, (_, i) => ({ to: EIP, port: FIRST + i }));
        const all = await inet.tcpConnectMany({ targets, concurrency: 50, timeoutMs: 20_000 });
        expect(all.errors).toEqual([]);
        await lab.apply(thousand(3), lab.tenant, LONG_MS);
        expect(await all.countAlive(20_000)).toBe(1_000);
        await all.close({ reset: true });
      },
      LONG_MS,
    );
  });
});

/** Of all services, as `ipvsadm -Ln` counts them. */
const activeConnections = (listing: string): number =>
  [...listing.matchAll(/-> \S+ +Masq +\d+ +(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
