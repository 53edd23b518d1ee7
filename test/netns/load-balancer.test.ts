import { beforeAll, describe, expect, it } from 'vitest';
import type { Agent } from '../support/agent.js';
import {
  type BalancerListener,
  type BalancerMember,
  elasticIp,
  firewallPolicy,
  gateway,
  loadBalancer,
} from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { hasIpvs } from '../support/has-ipvs.js';
import { overTcp, overUdp, silence, silenceMs } from '../support/reach.js';
import type { Tenant } from '../support/topology.js';

// Listeners of a load balancer: who gets the connections, who may open them, and what an edit leaves alone.

const families = [
  {
    family: 'IPv4',
    eip: '203.0.113.10',
    inside: '10.0.0.100',
    vm: (host: number) => `10.0.0.${host}`,
    client: '198.51.100.1',
    nextHop: '10.0.0.1',
  },
  {
    family: 'IPv6',
    eip: '2001:db8:e::10',
    inside: 'fd00:a::100',
    vm: (host: number) => `fd00:a::${host}`,
    client: '2001:db8:1::1',
    nextHop: 'fd00:a::1',
  },
];
type Kind = (typeof families)[number];
const HOSTS = { web: 5, app: 6, db: 7 };
const refused = { error: 'ECONNREFUSED' };

/** One balancer, on an elastic IP that is bound 1:1 to db as well. */
function documentsOf(
  tenant: Tenant,
  { family, eip, inside, vm }: Kind,
  {
    members,
    listeners,
    pool = {},
  }: { members: readonly Omit<BalancerMember, 'address'>[]; listeners: readonly BalancerListener[]; pool?: object },
) {
  const name = family.toLowerCase();
  const given = members.map((member, i) => ({ address: vm(5 + i), ...member }));
  return [
    gateway(tenant),
    elasticIp(name, eip, { target: vm(HOSTS.db) }),
    loadBalancer(name, { elasticIP: name, address: inside, members: given, pool, listeners }),
  ];
}

/** How many connections each server got. */
async function served(
  agent: Agent,
  to: string,
  port: number,
  count: number,
  from?: string,
): Promise<Record<string, number>> {
  const all = await agent.tcpConnectMany({ targets: [{ to, port, from }], count });
  expect(all.errors).toEqual([]);
  const counts: Record<string, number> = {};
  for (const { server } of all.greetings) counts[server] = (counts[server] ?? 0) + 1;
  await all.close({ reset: true });
  return counts;
}

describe('a load balancer', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app', 'db', 'bare'] }],
    documents: (tenant) => [gateway(tenant)],
  });

  beforeAll(() => serve(...['web', 'app', 'db', 'bare'].map((name) => lab.tenant.vm(name))));

  describe.each(families)('$family', (kind) => {
    const { eip, inside, client, nextHop, family } = kind;
    const apply = (options: Parameters<typeof documentsOf>[2]) => lab.apply(documentsOf(lab.tenant, kind, options));
    const TCP = { port: 8000 };
    const to = (port: number) => ({ to: eip, port, from: client });

    it('leads to all members, with the address of the client, before the 1:1 target', async () => {
      await apply({
        members: [{ port: ports.tcp }, { port: ports.tcp }],
        listeners: [TCP],
      });
      const inet = await lab.inet();
      const counts = await served(inet, eip, 8000, 100);
      expect(Object.keys(counts).sort()).toEqual(['blue-app', 'blue-web']);
      expect(await overTcp(inet, to(8000))).toMatchObject({ client });
      expect(await overTcp(inet, to(ports.tcp))).toEqual({ server: 'blue-db', client });
    });

    it('is known to `explain`, and its members to `show lb`', async () => {
      await apply({ members: [{ port: ports.tcp }, { port: ports.tcp, weight: 0 }], listeners: [TCP] });
      const connection = await (await lab.inet()).tcpConnect(to(8000));
      const asked = async (path: string): Promise<unknown> => JSON.parse((await lab.supervisor().get(path)).text);
      const { findings } = (await asked(`/v1/explain/eip/${family.toLowerCase()}?port=8000%2Ftcp`)) as {
        findings: { check: string; verdict: string; evidence: string[] }[];
      };
      const led = findings.find(({ check }) => check === 'Led');
      expect(led?.verdict).toBe('Pass');
      expect(led?.evidence.join()).toMatch(/^TCP 8000 leads to the members of all: LoadBalancer/);
      expect(await asked('/v1/show/lb')).toMatchObject([
        { listener: 'TCP 8000', state: 'Up', connections: 1 },
        { listener: 'TCP 8000', state: expect.stringMatching(/Out|Draining/) as string, weight: 0 },
      ]);
      await connection.close({ reset: true });
    });

    it('divides by weight', async () => {
      await apply({
        members: [
          { port: ports.tcp, weight: 3 },
          { port: ports.tcp, weight: 1 },
        ],
        listeners: [TCP],
      });
      const counts = await served(await lab.inet(), eip, 8000, 800);
      // Nearly five standard deviations of 800 draws.
      expect(Math.abs((counts['blue-web'] ?? 0) - 600)).toBeLessThan(60);
    });

    it('reaches a VM, a member itself included, by both of its addresses from inside', async () => {
      await apply({ members: [{ port: ports.tcp }], listeners: [TCP] });
      for (const address of [eip, inside])
        for (const name of ['web', 'bare'])
          expect(await overTcp(await lab.vm(name), { to: address, port: 8000 })).toEqual({
            server: 'blue-web',
            client: nextHop,
          });
      const { objects } = await lab.supervisor().status();
      const notes = objects.find(({ kind: of }) => of === 'LoadBalancer')?.notes;
      expect(notes).toContain(`members see clients inside the VPC as ${nextHop}`);
    });

    it('keeps a client at its member, and moves it at once when that is taken out', async () => {
      const listeners = [{ port: 8000, affinity: { timeout: '1h' } }];
      const both = [{ port: ports.tcp }, { port: ports.tcp }];
      await apply({ members: both, listeners });
      const inet = await lab.inet();
      const [first, ...others] = Object.keys(await served(inet, eip, 8000, 40, client));
      expect(others).toEqual([]);
      const out = both.map((member, i) => ({ ...member, maintenance: first === ['blue-web', 'blue-app'][i] }));
      await apply({ members: out, listeners });
      expect(Object.keys(await served(inet, eip, 8000, 40, client))).toEqual([
        first === 'blue-web' ? 'blue-app' : 'blue-web',
      ]);
      // IPVS remembers where it came last; a hash brings it back to where it was.
      if (hasIpvs()) return;
      await apply({ members: both, listeners });
      expect(Object.keys(await served(inet, eip, 8000, 40, client))).toEqual([first]);
    });

    it('lets TCP of a member that is taken out go on until its time is over', async () => {
      const [stays, goes] = [{ port: ports.tcp }, { port: ports.tcp }];
      const pool = { drainTimeout: '3s' };
      await apply({ members: [{ ...stays, weight: 0 }, goes], listeners: [TCP], pool });
      const inet = await lab.inet();
      const connection = await inet.tcpConnect(to(8000));
      expect(connection.greeting.server).toBe('blue-app');
      await apply({ members: [stays, { ...goes, maintenance: true }], listeners: [TCP], pool });
      expect(await served(inet, eip, 8000, 20)).toEqual({ 'blue-web': 20 });
      expect(await connection.isAlive()).toBe(true);
      await expect.poll(() => connection.isAlive(silenceMs), { timeout: 20_000 }).toBe(false);
    });

    it('leaves connections of other members alone while one comes, goes or changes', async () => {
      const [web, app] = [{ port: ports.tcp }, { port: ports.tcp }];
      const pool = { drainTimeout: '0s' };
      await apply({ members: [web], listeners: [TCP], pool });
      const connection = await (await lab.inet()).tcpConnect(to(8000));
      await apply({ members: [web, app], listeners: [TCP], pool });
      await apply({ members: [{ ...web, weight: 7 }, app], listeners: [TCP, { port: 8001 }], pool });
      await apply({ members: [web], listeners: [TCP], pool });
      expect(await connection.isAlive()).toBe(true);
      await apply({ members: [{ ...web, weight: 0 }, app], listeners: [TCP], pool });
      expect(await connection.isAlive(silenceMs)).toBe(false);
    });

    it('moves UDP at once', async () => {
      const listeners = [{ protocol: 'UDP', port: 5353 }] as const;
      const members = [{ port: ports.udp }, { port: ports.udp, weight: 0 }];
      await apply({ members, listeners });
      const inet = await lab.inet();
      const socket = await inet.udpOpen(to(5353));
      await socket.send({ payload: 'one' });
      expect((await socket.receive()).greeting?.server).toBe('blue-web');
      await apply({ members: members.map(({ port }, i) => ({ port, weight: i })), listeners });
      await socket.send({ payload: 'two' });
      expect((await socket.receive()).greeting?.server).toBe('blue-app');
      await socket.close();
    });

    it('asks a backup only while nobody else serves, and refuses while nobody does', async () => {
      const members = (...weights: readonly number[]) => [
        { port: ports.tcp, weight: weights[0] ?? 0 },
        { port: ports.tcp, backup: true, weight: weights[1] ?? 0 },
      ];
      const listeners = [TCP, { protocol: 'UDP', port: 5353 }] as const;
      const inet = await lab.inet();
      await apply({ members: members(1, 1), listeners });
      expect(await served(inet, eip, 8000, 20)).toEqual({ 'blue-web': 20 });
      await apply({ members: members(0, 1), listeners });
      expect(await served(inet, eip, 8000, 20)).toEqual({ 'blue-app': 20 });
      await apply({ members: members(0, 0), listeners });
      expect(await overTcp(inet, to(8000))).toEqual(refused);
      expect(await overTcp(await lab.vm('bare'), { to: inside, port: 8000 })).toEqual(refused);
      expect(await overUdp(inet, to(5353))).toMatchObject({
        error: expect.stringMatching(/^E(CONNREFUSED|ACCES|HOSTUNREACH)$/) as string,
      });
      // What is not a listener's goes on as before.
      expect(await overTcp(inet, to(ports.tcp))).toEqual({ server: 'blue-db', client });
    });

    it('carries a range of ports to the same ports', async () => {
      const app = await lab.vm('app');
      const server = await app.tcpServer({ port: 7005 });
      await apply({ members: [{ weight: 0 }, {}], listeners: [{ port: 7000, endPort: 7010, algorithm: 'Maglev' }] });
      const inet = await lab.inet();
      expect(await overTcp(inet, to(7005))).toEqual({ server: 'blue-app', client });
      expect(await overTcp(inet, to(7006))).toEqual(refused);
      expect(await overTcp(inet, { ...to(7011), timeoutMs: silenceMs })).toEqual(refused);
      await server.close();
    });

    it('takes allowed sources only, and no more connections than it may', async () => {
      const length = family === 'IPv4' ? 32 : 128;
      const listeners = [
        { port: 8000, allowedSources: [`${client}/${length}`] },
        { port: 8001, allowedSources: [family === 'IPv4' ? '192.0.2.0/24' : '2001:db8:77::/48'] },
        { port: 8002, maxConnections: 2 },
      ];
      await apply({ members: [{ port: ports.tcp }], listeners });
      const inet = await lab.inet();
      expect(await overTcp(inet, to(8000))).toEqual({ server: 'blue-web', client });
      expect(await overTcp(inet, { ...to(8001), timeoutMs: silenceMs })).toEqual(silence);
      expect(await overTcp(await lab.vm('bare'), { to: inside, port: 8000, timeoutMs: silenceMs })).toEqual(silence);
      const open = [await inet.tcpConnect(to(8002)), await inet.tcpConnect(to(8002))];
      expect(await overTcp(inet, { ...to(8002), timeoutMs: silenceMs })).toEqual(silence);
      for (const connection of open) await connection.close();
    });

    it('forgets a connection that idles for as long as its listener says, also beside edits, and no other', async () => {
      const [own, long] = [
        { port: 8000, idleTimeout: '2s' },
        { protocol: 'UDP', port: 5353, idleTimeout: '1h' },
      ] as const;
      const members = [{ port: ports.tcp }];
      const udp = loadBalancer('dns', {
        ...(family === 'IPv4' ? { elasticIP: 'ipv4' } : { elasticIP: 'ipv6' }),
        members: [{ address: kind.vm(HOSTS.web), port: ports.udp }],
        listeners: [long],
      });
      const given = (...more: BalancerListener[]) => [
        ...documentsOf(lab.tenant, kind, { members, listeners: [own, { port: 8001 }, ...more] }),
        udp,
      ];
      await lab.apply(given());
      const inet = await lab.inet();
      const [short, common] = [await inet.tcpConnect(to(8000)), await inet.tcpConnect(to(8001))];
      const socket = await inet.udpOpen(to(5353));
      await socket.send({ payload: 'one' });
      await socket.receive();
      /** Seconds that are left to a flow. */
      const left = async (protocol: string, port: number): Promise<number | undefined> => {
        const where = ['-f', family.toLowerCase(), '-p', protocol, '--orig-dst', eip, '--dport', `${port}`];
        const { stdout } = await lab.tenant.gateway.exec(['conntrack', '-L', ...where]);
        const found = /^\w+ +\d+ (\d+) (?!.*CLOSE|.*WAIT)/m.exec(stdout)?.[1];
        return found === undefined ? undefined : Number(found);
      };
      // While it is used it stays, and what is edited beside it leaves it its timeout.
      await lab.apply(given({ port: 8002, idleTimeout: '3s' }));
      for (const began = performance.now(); performance.now() - began < 3_000;)
        expect(await short.isAlive()).toBe(true);
      await expect.poll(() => left('tcp', 8000), { timeout: 10_000, interval: 50 }).toBeUndefined();
      expect(await left('tcp', 8001)).toBeGreaterThan(600);
      expect(await left('udp', 5353)).toBeGreaterThan(3_500);
      expect(await short.isAlive(silenceMs)).toBe(false);
      expect(await common.isAlive()).toBe(true);
      expect(await overTcp(inet, to(8000))).toMatchObject({ server: 'blue-web' });
      await common.close({ reset: true });
      await socket.close();
    });

    it('is judged by the firewall on its public port, and not at all inside', async () => {
      const documents = documentsOf(lab.tenant, kind, { members: [{ port: ports.tcp }], listeners: [TCP] });
      const deny = firewallPolicy('closed', { elasticIPs: [family.toLowerCase()] }, [
        { action: 'Reject', ports: [{ protocol: 'TCP', port: 8000 }] },
      ]);
      await lab.apply([...documents, deny]);
      expect(await overTcp(await lab.inet(), to(8000))).toEqual(refused);
      expect(await overTcp(await lab.vm('bare'), { to: inside, port: 8000 })).toMatchObject({ server: 'blue-web' });
    });
  });
});
