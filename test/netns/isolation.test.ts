import { beforeAll, describe, expect, it } from 'vitest';
import { Agent } from '../support/agent.js';
import { Capture } from '../support/capture.js';
import { elasticIp, gateway, snatRule } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { ping } from '../support/ping.js';
import { overTcp, overUdp, silenceMs } from '../support/reach.js';
import type { Tenant } from '../support/topology.js';

// Two tenants with the same addresses: nothing passes between them, into them or out of them but through public ones.

const families = [
  {
    family: 'IPv4',
    eip: (tenant: Tenant, host: number) => `203.0.113.${tenant.name === 'blue' ? 100 + host : 200 + host}`,
    web: '10.0.0.5',
    // Wider than the VPC, so that SNAT would take sources that are not its own.
    source: '10.0.0.0/8',
    nextHop: '10.0.0.1',
    client: '198.51.100.1',
    own: '100.64.0.11',
    unused: '100.64.0.99',
    foreign: ['192.0.2.77', '10.0.99.1', '203.0.113.205'],
    stranger: '198.51.100.2',
    length: 32,
  },
  {
    family: 'IPv6',
    eip: (tenant: Tenant, host: number) => `2001:db8:e::${tenant.name === 'blue' ? 100 + host : 200 + host}`,
    web: 'fd00:a::5',
    source: 'fd00::/16',
    nextHop: 'fd00:a::1',
    client: '2001:db8:1::1',
    own: '2001:db8:ffff::11',
    unused: '2001:db8:ffff::99',
    foreign: ['2001:db8:77::1', 'fd00:b::1', '2001:db8:e::205'],
    stranger: '2001:db8:3::1',
    length: 128,
  },
];

/** On it only packets with a foreign source are sent. */
const spoofedPort = 81;
/** Of the packets that somebody's rule keeps from translation. */
const sabotagedPort = 99;

describe('tenants with the same addresses', () => {
  const lab = useGatewayLab({
    tenants: [
      { name: 'blue', vms: ['web', 'app'] },
      { name: 'green', vms: ['web', 'app'] },
    ],
    documents: (tenant) => [
      gateway(tenant),
      ...families.flatMap(({ eip, web, source }, family) => [
        elasticIp(`web${family}`, eip(tenant, 5), { target: web }),
        elasticIp(`nat${family}`, eip(tenant, 6)),
        snatRule(`all${family}`, [source], [`nat${family}`]),
      ]),
    ],
  });
  const blue = () => lab.topology.tenant('blue');
  const green = () => lab.topology.tenant('green');

  beforeAll(async () => {
    const vms = [blue(), green()].flatMap((tenant) => ['web', 'app'].map((name) => tenant.vm(name)));
    await serve(lab.topology.inet, ...vms);
  });

  describe.each(families)('$family', ({ eip, web, nextHop, client, own, unused, foreign, stranger, length }) => {
    it('each reach their own, and each other by public addresses only', async () => {
      for (const tenant of [blue(), green()]) {
        const other = tenant === blue() ? green() : blue();
        const app = await lab.vm('app', tenant);
        for (const over of [overTcp, overUdp]) {
          expect(await over(app, { to: web })).toMatchObject({ server: `${tenant.name}-web` });
          expect(await over(app, { to: eip(other, 5) })).toEqual({
            server: `${other.name}-web`,
            client: eip(tenant, 6),
          });
        }
        const inside = await Capture.start(tenant.vm('web').namespace, {
          interface: 'eth0',
          filter: `port ${ports.tcp}`,
        });
        expect(await overTcp(await lab.vm('web', other), { to: client })).toEqual({
          server: 'inet',
          client: eip(other, 5),
        });
        expect(await inside.stop()).toEqual([]);
      }
    });

    it('are not entered by packets to their own addresses, whichever of the gateway’s MACs they are sent to', async () => {
      const { namespace } = lab.topology.inet;
      const { stdout } = await blue().gateway.exec(['ip', '-j', 'link', 'show', 'ext0']);
      const [{ address: parentMac }] = JSON.parse(stdout) as [{ address: string }];
      await namespace.ip([`neigh replace ${unused} lladdr ${parentMac} nud permanent dev ext`]);
      const capture = await Capture.start(blue().vm('web').namespace, { interface: 'eth0', filter: 'ip or ip6' });
      const inet = await lab.inet();
      for (const via of [own, unused]) {
        await namespace.ip([`route replace ${web}/${length} via ${via}`]);
        const attempts = [overTcp, overUdp].map((over) => over(inet, { to: web, from: client, timeoutMs: silenceMs }));
        const echo = ping(namespace, { to: web, from: client, timeoutMs: silenceMs });
        for (const outcome of await Promise.all(attempts)) expect(outcome).toHaveProperty('error');
        expect((await echo).received).toBe(0);
      }
      // The same capture does see what may come in.
      expect(await overTcp(inet, { to: eip(blue(), 5), from: client, port: 81 })).toEqual({ error: 'ECONNREFUSED' });
      const entered = (await capture.stop()).filter(({ src }) => src === client);
      expect(entered.map(({ dport }) => dport)).toEqual([81]);
    });

    it('send nothing out under a source that is not theirs', async () => {
      const app = await lab.vm('app', blue());
      await blue()
        .vm('app')
        .namespace.ip(foreign.map((address) => `address add ${address}/${length} dev lo`));
      const arrived = await Capture.start(blue().gateway, { interface: 'vpc0', filter: 'ip or ip6' });
      const left = await Capture.start(lab.topology.inet.namespace, { interface: 'ext', filter: 'ip or ip6' });
      const attempts = foreign.flatMap((from) =>
        [overTcp, overUdp].map((over) => over(app, { to: client, port: spoofedPort, from, timeoutMs: silenceMs })),
      );
      for (const outcome of await Promise.all(attempts)) expect(outcome).toHaveProperty('error');
      expect(await overTcp(app, { to: client })).toEqual({ server: 'inet', client: eip(blue(), 6) });
      const seen = new Set((await arrived.stop()).map(({ src }) => src));
      expect(foreign.filter((address) => !seen.has(address))).toEqual([]);
      const packets = await left.stop();
      expect(packets.some(({ src, dport }) => src === eip(blue(), 6) && dport === ports.tcp)).toBe(true);
      // Not under a translated source either.
      expect(packets.filter(({ src, dport }) => dport === spoofedPort || foreign.includes(src))).toEqual([]);
    });

    it('send no answer out to a connection that did not come through the gateway', async () => {
      // app pretends to be a host of the internet: what web answers is for the gateway, which knows of no question.
      const app = await lab.vm('app', blue());
      await blue()
        .vm('app')
        .namespace.ip([`address add ${stranger}/${length} dev lo`]);
      const answered = await Capture.start(blue().gateway, { interface: 'vpc0', filter: 'tcp' });
      const left = await Capture.start(lab.topology.inet.namespace, { interface: 'ext', filter: 'tcp' });
      expect(await overTcp(app, { to: web, from: stranger, timeoutMs: silenceMs })).toHaveProperty('error');
      await answered.waitFor(({ src, dst, flags }) => src === web && dst === stranger && flags === 'SA');
      await answered.stop();
      expect((await left.stop()).filter(({ dst }) => dst === stranger)).toEqual([]);
    });

    it('send nothing out untranslated, though a rule of somebody else’s goes before translation and nobody mends it', async () => {
      const iptables = length === 32 ? 'iptables' : 'ip6tables';
      const rule = ['POSTROUTING', '-p', 'udp', '--dport', String(sabotagedPort), '-j', 'ACCEPT'];
      const supervisor = lab.supervisor(blue());
      await supervisor.kill9();
      await blue().gateway.exec([iptables, '-t', 'nat', '-I', ...rule]);
      const arrived = await Capture.start(blue().gateway, { interface: 'vpc0', filter: `udp port ${sabotagedPort}` });
      const left = await Capture.start(blue().gateway, { interface: 'ext0', filter: 'ip or ip6' });
      const app = await lab.vm('app', blue());
      const attempt = overUdp(app, { to: client, port: sabotagedPort, timeoutMs: silenceMs });
      expect(await attempt).toHaveProperty('error');
      expect((await arrived.stop()).length).toBeGreaterThan(0);
      expect((await left.stop()).filter(({ dport }) => dport === sabotagedPort)).toEqual([]);
      await blue().gateway.exec([iptables, '-t', 'nat', '-D', ...rule]);
      await supervisor.restart();
    });

    it('find no open port on the gateway, from neither side, and may ping the next hop', async () => {
      const inside = await Agent.start(green().gateway);
      const service = await inside.tcpServer({ port: 0 });
      const local = length === 32 ? '127.0.0.1' : '::1';
      expect(await overTcp(inside, { to: local, port: service.port })).toHaveProperty('server');
      const external = length === 32 ? '100.64.0.12' : '2001:db8:ffff::12';
      const numbers = [service.port, 22, 53, 80, 179, 443, 3780, 8080, 9090];
      const targets = [nextHop, external, eip(green(), 6)].flatMap((to) => numbers.map((port) => ({ to, port })));
      for (const agent of [await lab.vm('app', green()), await lab.inet()]) {
        const reachable = targets.filter(({ to }) => agent.label !== 'inet' || to !== nextHop);
        const attempts = await agent.tcpConnectMany({ targets: reachable, timeoutMs: silenceMs });
        expect(attempts.errors.map(({ code }) => code)).toEqual(reachable.map(() => 'TIMEOUT'));
      }
      const { namespace } = green().vm('app');
      expect(await ping(namespace, { to: nextHop })).toEqual({ received: 1, errors: [] });
      await inside.stop();
    });
  });
});
