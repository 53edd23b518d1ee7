import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Agent, TcpConnection } from '../support/agent.js';
import { Capture, type Packet } from '../support/capture.js';
import { dnatRule, elasticIp, gateway, ipv6Prefix, snatRule } from '../support/documents.js';
import { serve, useGatewayLab } from '../support/gateway-lab.js';
import { ping } from '../support/ping.js';
import { currentRun } from '../support/run-name.js';
import { pace } from '../support/pace.js';
import { Supervisor } from '../support/supervisor.js';
import { type Tenant, Topology } from '../support/topology.js';

// Under traffic: nothing that happens to the supervisor costs a packet, no edit costs one that it does not concern, and
// no tenant packet ever leaves untranslated.

const base = (tenant: Tenant) => [
  gateway(tenant),
  elasticIp('web', '203.0.113.10', { target: '10.0.0.5' }),
  elasticIp('web6', '2001:db8:e::10', { target: 'fd00:a::5' }),
  elasticIp('nat', '203.0.113.20'),
  snatRule('all', ['10.0.0.0/24'], ['nat']),
  dnatRule('echo', { elasticIP: 'nat', protocol: 'UDP', port: 7000, target: '10.0.0.6', targetPort: 7 }),
];

describe('under traffic', () => {
  const lab = useGatewayLab({ tenants: [{ name: 'blue', vms: ['web', 'app'] }], documents: base });
  let inet: Agent;
  let web: Agent;
  let app: Agent;

  beforeAll(async () => {
    await serve(lab.topology.inet, lab.tenant.vm('web'), lab.tenant.vm('app'));
    [inet, web, app] = await Promise.all([lab.inet(), lab.vm('web'), lab.vm('app')]);
  });

  /** Streams with sequence numbers through every kind of translation, and a held connection, while `work` goes on. */
  async function lostDuring(work: () => Promise<unknown>): Promise<Record<string, number[] | boolean>> {
    // The far end's process must be able to drain its socket, also where all share one CPU.
    const intervalMs = 2 * pace;
    const streams = {
      'in by 1:1': await inet.udpStream({ to: '203.0.113.10', port: 7, intervalMs }),
      'in by 1:1, IPv6': await inet.udpStream({ to: '2001:db8:e::10', port: 7, intervalMs }),
      'in by port': await inet.udpStream({ to: '203.0.113.20', port: 7000, intervalMs }),
      'out by 1:1': await web.udpStream({ to: '198.51.100.1', port: 7, intervalMs }),
      'out by SNAT': await app.udpStream({ to: '198.51.100.1', port: 7, intervalMs }),
    };
    const held: TcpConnection = await app.tcpConnect({ to: '198.51.100.1', port: 80 });
    await sleep(100);
    await work();
    await sleep(100);
    const lost: Record<string, number[] | boolean> = { 'TCP lives': await held.isAlive() };
    for (const [name, stream] of Object.entries(streams)) {
      const report = await stream.stop();
      expect(report.sent, name).toBeGreaterThan(50);
      expect(report.errors, name).toEqual({});
      lost[name] = report.lost;
    }
    return lost;
  }
  const nothing = {
    'TCP lives': true,
    'in by 1:1': [],
    'in by 1:1, IPv6': [],
    'in by port': [],
    'out by 1:1': [],
    'out by SNAT': [],
  };

  it('kill -9 and a restart cost nothing', async () => {
    const lost = await lostDuring(async () => {
      await lab.supervisor().kill9();
      await sleep(300);
      await lab.supervisor().restart();
    });
    expect(lost).toEqual(nothing);
  });

  it('SIGTERM and a restart cost nothing', async () => {
    const lost = await lostDuring(async () => {
      await lab.supervisor().stop();
      await lab.supervisor().restart();
    });
    expect(lost).toEqual(nothing);
  });

  it('an upgrade to another build costs nothing', async () => {
    const upgraded = join(currentRun().directory, 'upgraded');
    const built = fileURLToPath(new URL('../../dist', import.meta.url));
    cpSync(built, upgraded, { recursive: true, filter: (path) => path === built || /[.](js|cache)$/.test(path) });
    const lost = await lostDuring(async () => {
      await lab.supervisor().stop();
      const program = join(upgraded, 'vpcgw.js');
      const other = await Supervisor.start(lab.tenant.gateway, { documents: base(lab.tenant), program });
      await other.stop();
      await lab.supervisor().restart();
    });
    expect(lost).toEqual(nothing);
  });

  it('edits that do not concern a flow cost it nothing', async () => {
    const more = [
      elasticIp('more', '203.0.113.30', { target: '10.0.0.30' }),
      elasticIp('more6', '2001:db8:e::30', { target: 'fd00:a::30' }),
      elasticIp('near', '203.0.113.11', { target: '10.0.0.7' }),
      elasticIp('nat2', '203.0.113.21'),
      snatRule('some', ['10.0.0.128/25'], ['nat', 'nat2']),
      dnatRule('ssh', { elasticIP: 'nat', protocol: 'TCP', port: 2200, target: '10.0.0.6', targetPort: 22 }),
      dnatRule('other', { elasticIP: 'web', protocol: 'TCP', port: 8443, target: '10.0.0.6', targetPort: 443 }),
      ipv6Prefix('six', 'fd00:a::/80'),
    ];
    const lost = await lostDuring(async () => {
      for (let count = 1; count <= more.length; count++)
        await lab.apply([...base(lab.tenant), ...more.slice(0, count)]);
      await lab.apply([
        gateway(lab.tenant, { spec: { timeouts: { udp: '45s' }, limits: { connectionsPerSource: 5000 } } }),
        ...base(lab.tenant).slice(1),
      ]);
      for (let count = more.length; count >= 0; count--)
        await lab.apply([...base(lab.tenant), ...more.slice(0, count)]);
    });
    expect(lost).toEqual(nothing);
  });

  it('repairs cost nothing that the damage did not', async () => {
    const lost = await lostDuring(async () => {
      const repairs = (await lab.supervisor().metrics()).value('vpcgw_drift_repairs_total');
      await lab.tenant.gateway.exec(['iptables', '-t', 'nat', '-F', 'VG-S']);
      await lab.tenant.gateway.exec(['nft', 'delete', 'table', 'inet', 'vpcgw_guard']);
      for (;;) {
        const now = (await lab.supervisor().metrics()).value('vpcgw_drift_repairs_total');
        if (now > repairs) break;
      }
      await sleep(600);
    });
    expect(lost).toEqual(nothing);
  });
});

describe('untranslated', () => {
  let topology: Topology;
  let blue: Tenant;
  beforeAll(async () => {
    topology = await Topology.build({ tenants: [{ name: 'blue', vms: ['web', 'app'] }] });
    blue = topology.tenant('blue');
  });
  afterAll(() => topology?.destroy());

  it('no tenant packet ever leaves: start, edits, crash loops, an emptied gateway', async () => {
    await serve(topology.inet);
    // Only what must not be there: of all the traffic some packets would be lost to the capture.
    const filter = '( ip or ip6 ) and ( src net 10.0.0.0/8 or src net fd00::/8 )';
    const capture = await Capture.start(topology.inet.namespace, { interface: 'ext', filter });
    const vms = await Promise.all(['web', 'app'].map((name) => blue.vm(name).agent()));
    // Two senders that never pause, over both families, and many short connections that begin at every moment.
    const streams = await Promise.all(
      vms.flatMap((vm) => [
        vm.udpStream({ to: '198.51.100.1', port: 7, intervalMs: 2 }),
        vm.udpStream({ to: '2001:db8:1::1', port: 7, intervalMs: 2 }),
      ]),
    );
    let done = false;
    const short = (async () => {
      while (!done)
        for (const vm of vms)
          await vm.udpExchangeMany({ to: '198.51.100.1', port: 53, payload: 'x', count: 10, timeoutMs: 20 });
    })();

    const supervisor = Supervisor.launch(blue.gateway, { documents: base(blue) });
    try {
      // A crash at many moments of the first start, each a little later than the one before.
      for (let ms = 150; ms < 900; ms += 60) {
        await sleep(ms);
        await supervisor.kill9();
        supervisor.relaunch();
      }
      await supervisor.ready();
      await supervisor.apply(base(blue).slice(0, 4));
      await supervisor.apply([gateway(blue)]);
      await supervisor.apply(base(blue));
      await blue.gateway.exec(['iptables', '-t', 'nat', '-F']);
      await supervisor.kill9();
      await sleep(300);
      await supervisor.restart();
      await blue.gateway.exec(['ip6tables', '-t', 'nat', '-F']);
      await sleep(700);
      supervisor.write([gateway(blue), elasticIp('web', '203.0.113.10', { target: '10.0.0.6' })]);
      await sleep(30);
      await supervisor.kill9();
      await supervisor.restart();
      await sleep(200);
    } finally {
      done = true;
      await short;
      await supervisor.stop();
    }
    const sent = await Promise.all(streams.map((stream) => stream.stop(0)));
    // A packet of the kind that is looked for, to prove that it would be found.
    await topology.inet.namespace.ip(['address add 10.77.0.1/32 dev lo']);
    await ping(topology.inet.namespace, { to: '100.64.0.11', from: '10.77.0.1', timeoutMs: 200 });
    const packets = await capture.stop();
    expect(sent.every((report) => report.sent > 1_000)).toBe(true);
    expect(
      sent.filter((report) => report.received > 500),
      'most of it goes through',
    ).toHaveLength(3);
    const describePacket = ({ src, dst, protocol }: Packet): string => `${protocol} ${src} → ${dst}`;
    expect([...new Set(packets.map(describePacket))]).toEqual(['icmp 10.77.0.1 → 100.64.0.11']);
  });
});
