import { beforeAll, describe, expect, it } from 'vitest';
import type { Agent } from '../support/agent.js';
import { Capture } from '../support/capture.js';
import { bandwidthPackage, dnatRule, elasticIp, gateway, snatRule } from '../support/documents.js';
import { serve, useGatewayLab } from '../support/gateway-lab.js';
import { ping } from '../support/ping.js';
import { Supervisor } from '../support/supervisor.js';
import { Topology } from '../support/topology.js';
import { bytesOfClass, bytesOfClasses, trafficControl } from '../support/traffic-control.js';

// Limits of bandwidth, both ways, nested; changed in place; and what they do not touch.

const streams = { sink: 81, source: 82 };
const sourceBytes = 2_000_000;

async function serveStreams(agent: Agent): Promise<void> {
  await agent.tcpServer({ port: streams.sink, mode: 'sink' });
  await agent.tcpServer({ port: streams.source, mode: 'source', bytes: sourceBytes });
}

/** Payload in bits a second, towards the server or from it. */
async function rateOf(client: Agent, to: string, direction: 'up' | 'down', bytes = sourceBytes): Promise<number> {
  const port = direction === 'up' ? streams.sink : streams.source;
  const report = await client.transfer({ to, port, bytes, direction, timeoutMs: 25_000 });
  expect(report.intact).toBe(true);
  return (bytes * 8) / (report.durationMs / 1000);
}

/** Headers take 4 per cent, and the burst of the first 50 ms comes on top. */
function expectNear(rate: number, limit: number): void {
  expect(rate).toBeLessThan(limit * 1.08);
  expect(rate).toBeGreaterThan(limit * 0.75);
}

const M = 1e6;

describe('limits of elastic IPs', () => {
  const web = elasticIp('web', '203.0.113.10', { target: '10.0.0.5', bandwidth: { ingress: '16M', egress: '24M' } });
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app'] }],
    routes: [{ destination: '192.0.2.0/24', via: '100.64.0.11' }],
    documents: (tenant) => [
      gateway(tenant),
      web,
      elasticIp('web6', '2001:db8:e::10', { target: 'fd00:a::5', bandwidth: { ingress: '24M', egress: '16M' } }),
      elasticIp('pool', '203.0.113.20', { bandwidth: { ingress: '16M', egress: '24M' } }),
      elasticIp('routed', '192.0.2.10', { announcement: 'Routed', bandwidth: { ingress: '16M' } }),
      elasticIp('free', '203.0.113.30'),
      snatRule('app', ['10.0.0.6/32'], ['pool']),
      dnatRule('free', { elasticIP: 'free', protocol: 'Any', target: '10.0.0.6' }),
      dnatRule('routed', { elasticIP: 'routed', protocol: 'Any', target: '10.0.0.5' }),
    ],
  });
  beforeAll(async () => {
    await serve(lab.tenant.vm('web'));
    for (const agent of [await lab.vm('web'), await lab.vm('app'), await lab.inet()]) await serveStreams(agent);
  });

  it.each([
    { what: 'a bound one', to: '203.0.113.10', ingress: 16 * M, egress: 24 * M },
    { what: 'one of IPv6', to: '2001:db8:e::10', ingress: 24 * M, egress: 16 * M },
  ])('hold both ways: $what', async ({ to, ingress, egress }) => {
    const inet = await lab.inet();
    expectNear(await rateOf(inet, to, 'up'), ingress);
    expectNear(await rateOf(inet, to, 'down'), egress);
  });

  it('hold for a VM that leaves by a pool', async () => {
    const app = await lab.vm('app');
    expectNear(await rateOf(app, '198.51.100.1', 'down'), 16 * M);
    expectNear(await rateOf(app, '198.51.100.1', 'up'), 24 * M);
  });

  it('hold for a routed one, in the one direction that has any', async () => {
    const inet = await lab.inet();
    expectNear(await rateOf(inet, '192.0.2.10', 'up'), 16 * M);
    expect(await rateOf(inet, '192.0.2.10', 'down')).toBeGreaterThan(10 * M);
  });

  it('are no others’: one without a limit goes as fast as it can', async () => {
    const inet = await lab.inet();
    for (const direction of ['up', 'down'] as const)
      expect(await rateOf(inet, '203.0.113.30', direction)).toBeGreaterThan(10 * M);
  });

  it('do not count traffic between VMs by a public address', async () => {
    const before = await bytesOfClass(lab.tenant.gateway, 'vi-ext0', '10');
    expect(await rateOf(await lab.vm('app'), '203.0.113.10', 'up')).toBeGreaterThan(10 * M);
    expect(await rateOf(await lab.vm('web'), '203.0.113.10', 'up')).toBeGreaterThan(10 * M);
    expect(await bytesOfClass(lab.tenant.gateway, 'vi-ext0', '10')).toBe(before);
  });

  it('meter what passes, and tell of it', async () => {
    const read = async (name: string, direction: string) =>
      (await lab.supervisor().metrics()).value('vpcgw_elastic_ip_bytes_total', { name, direction });
    const before = await read('web', 'ingress');
    const kernel = await bytesOfClass(lab.tenant.gateway, 'vi-ext0', '10');
    expect(before).toBe(kernel);
    await rateOf(await lab.inet(), '203.0.113.10', 'up');
    const grown = (await read('web', 'ingress')) - before;
    expect(grown).toBeGreaterThan(sourceBytes);
    expect(grown).toBeLessThan(sourceBytes * 1.1);
    const transfer = rateOf(await lab.inet(), '203.0.113.10', 'up', 4_000_000);
    const rows = JSON.parse((await lab.supervisor().get('/v1/show/bandwidth')).text) as { name: string }[];
    await transfer;
    const row = rows.find(({ name }) => name === 'web') as { ingress?: { limit: number; rate: number } } | undefined;
    expect(row).toMatchObject({
      kind: 'ElasticIP',
      package: '',
      ingress: { limit: 16 * M },
      egress: { limit: 24 * M },
    });
    expectNear(row?.ingress?.rate ?? 0, 16 * M);
    expect(rows.some(({ name }) => name === 'free')).toBe(false);
  });

  it('count what they drop', async () => {
    const drops = async () => (await lab.supervisor().metrics()).value('vpcgw_drops_total', { reason: 'Bandwidth' });
    const before = await drops();
    const inet = await lab.inet();
    // Far more than the queue holds, and nobody who would slow down.
    const flood = await inet.udpOpen({ to: '203.0.113.10', port: 7 });
    await Promise.all(Array.from({ length: 2_000 }, () => flood.send({ bytes: 1_400 })));
    expect(await drops()).toBeGreaterThan(before);
  });

  it('change in place under a running download: no packet is lost by it, and the counters go on', async () => {
    const documents = (egress: string) => [
      gateway(lab.tenant),
      { ...web, spec: { address: '203.0.113.10', target: { address: '10.0.0.5' }, bandwidth: { egress } } },
    ];
    await lab.apply(documents('4M'));
    const inet = await lab.inet();
    const connection = await inet.tcpConnect({ to: '203.0.113.10', port: 80 });
    const before = await trafficControl(lab.tenant.gateway);
    const counted = await bytesOfClass(lab.tenant.gateway, 'vg-ext0', '10');
    const began = performance.now();
    const download = rateOf(inet, '203.0.113.10', 'down');
    await lab.apply(documents('160M'));
    await download;
    // At the former rate alone it would have taken 4 s.
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(await connection.isAlive()).toBe(true);
    expect(await bytesOfClass(lab.tenant.gateway, 'vg-ext0', '10')).toBeGreaterThan(counted + sourceBytes);
    await lab.apply(documents('4M'));
    expect(await trafficControl(lab.tenant.gateway)).toBe(before);
    expectNear(await rateOf(inet, '203.0.113.10', 'down', sourceBytes), 4 * M);
  });

  it('leave nothing behind when the last one goes', async () => {
    await lab.apply([gateway(lab.tenant), elasticIp('web', '203.0.113.10', { target: '10.0.0.5' })]);
    expect(await trafficControl(lab.tenant.gateway)).toBe('');
    expect(await rateOf(await lab.inet(), '203.0.113.10', 'up')).toBeGreaterThan(10 * M);
  });
});

describe('ceilings that are shared', () => {
  const members = ['one', 'two'].map((name, i) => ({
    name,
    address: `203.0.113.${10 + i}`,
    target: `10.0.0.${5 + i}`,
  }));
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app'] }],
    documents: (tenant) => documents(tenant),
  });
  const documents = (
    tenant: Parameters<typeof gateway>[0],
    spec: Record<string, unknown> = {},
    ...packages: readonly object[]
  ) => [
    gateway(tenant, { spec }),
    ...members.map(({ name, address, target }) => elasticIp(name, address, { target })),
    ...(packages as ReturnType<typeof gateway>[]),
  ];
  beforeAll(async () => {
    for (const name of ['web', 'app']) await serveStreams(await lab.vm(name));
  });
  /** What each of both gets while both want all, in bits a second of frames; by their classes, in the middle of it. */
  async function sharesOf(direction: 'up' | 'down', classes: readonly [string, string]): Promise<number[]> {
    const inet = await lab.inet();
    const device = direction === 'up' ? 'vi-ext0' : 'vg-ext0';
    const read = () => bytesOfClasses(lab.tenant.gateway, device, classes);
    const start = await read();
    // Several connections each, so that there is always one that wants more.
    const wanting = members.flatMap(({ address }) => [1, 2, 3].map(() => rateOf(inet, address, direction)));
    let goesOn = true;
    const running = Promise.all(wanting).finally(() => (goesOn = false));
    const when = async (holds: (grown: readonly number[]) => boolean) => {
      for (;;) {
        const now = await read();
        if (!goesOn) throw new Error('all was through before it was measured');
        if (holds(now.bytes.map((bytes, i) => bytes - (start.bytes[i] ?? 0)))) return now;
      }
    };
    const before = await when((grown) => grown.every((bytes) => bytes > sourceBytes / 4));
    const after = await when((grown) => grown.some((bytes) => bytes > sourceBytes * 2.5));
    await running;
    return after.bytes.map((bytes, i) => ((bytes - (before.bytes[i] ?? 0)) * 8_000) / (after.ms - before.ms));
  }

  it('a package: both get half, and one alone gets all', async () => {
    const pack = bandwidthPackage('pack', { ingress: '24M', egress: '16M' }, [
      { elasticIP: 'one' },
      { elasticIP: 'two' },
    ]);
    await lab.apply(documents(lab.tenant, {}, pack));
    const inet = await lab.inet();
    for (const rate of await sharesOf('up', ['11', '12'])) expectNear(rate, 12 * M);
    for (const rate of await sharesOf('down', ['11', '12'])) expectNear(rate, 8 * M);
    expectNear(await rateOf(inet, '203.0.113.10', 'up'), 24 * M);
  });

  it('a package: what is guaranteed is got, and a member’s own maximum holds', async () => {
    const pack = bandwidthPackage('pack', { ingress: '24M' }, [
      { elasticIP: 'one', guaranteed: { ingress: '18M' } },
      { elasticIP: 'two', max: { ingress: '16M' } },
    ]);
    await lab.apply(documents(lab.tenant, {}, pack));
    const inet = await lab.inet();
    // Beside those of before, which were below two ceilings.
    const [one = 0, two = 0] = await sharesOf('up', ['13', '14']);
    expect(one).toBeGreaterThan(16 * M);
    expectNear(one + two, 24 * M);
    expectNear(await rateOf(inet, '203.0.113.11', 'up'), 16 * M);
  });

  it('the gateway: its ceiling is above packages and above those without any limit', async () => {
    const pack = bandwidthPackage('pack', { ingress: '100M' }, [{ elasticIP: 'one' }]);
    await lab.apply(documents(lab.tenant, { bandwidth: { ingress: '16M' } }, pack));
    const inet = await lab.inet();
    expectNear(await rateOf(inet, '203.0.113.10', 'up'), 16 * M);
    expectNear(await rateOf(inet, '203.0.113.11', 'up'), 16 * M);
    for (const rate of await sharesOf('up', ['13', '2'])) expectNear(rate, 8 * M);
    const status = await lab.supervisor().status();
    expect(status.diagnostics).toEqual([]);
  });

  it('the gateway: its own addresses, ARP and neighbour discovery do not count', async () => {
    const capture = await Capture.start(lab.tenant.gateway, { interface: 'vg-ext0', filter: 'arp or icmp' });
    const before = await bytesOfClass(lab.tenant.gateway, 'vi-ext0', '2');
    expect(await ping(lab.topology.inet.namespace, { to: '100.64.0.11', count: 3 })).toEqual({
      received: 3,
      errors: [],
    });
    expect((await capture.stop()).length).toBeGreaterThan(0);
    const { stdout } = await lab.topology.inet.namespace.exec(['ip', 'neigh', 'flush', 'dev', 'ext']);
    expect(stdout).toBe('');
    for (const to of ['100.64.0.11', '2001:db8:ffff::11'])
      expect(await ping(lab.topology.inet.namespace, { to })).toEqual({ received: 1, errors: [] });
    expect(await bytesOfClass(lab.tenant.gateway, 'vi-ext0', '2')).toBe(before);
  });
});

describe('a kernel without traffic control', () => {
  it('works without limits, and says so', async () => {
    const topology = await Topology.build({ tenants: [{ name: 'blue', vms: ['web'] }] });
    const tenant = topology.tenant('blue');
    // The program is there and fails, as it does where the kernel has nothing of it.
    const wrapper = ['unshare', '--mount', 'sh', '-c', 'mount --bind /bin/false "$(command -v tc)" && exec "$@"', 'sh'];
    const limits = { ingress: '1M', egress: '1M' };
    const documents = [gateway(tenant), elasticIp('web', '203.0.113.10', { target: '10.0.0.5', bandwidth: limits })];
    const supervisor = Supervisor.launch(tenant.gateway, { documents, wrapper });
    try {
      await supervisor.ready();
      await serveStreams(await tenant.vm('web').agent());
      expect(await rateOf(await topology.inet.agent(), '203.0.113.10', 'up')).toBeGreaterThan(10 * M);
      const { conditions } = (await supervisor.status()) as unknown as { conditions: readonly { type: string }[] };
      expect(conditions.find(({ type }) => type === 'BandwidthEnforced')).toMatchObject({
        status: 'False',
        message: expect.stringMatching(/^limits of bandwidth are not enforced: .*tc.*; see vpcgw preflight$/) as string,
      });
      await supervisor.apply([gateway(tenant)]);
      expect(await trafficControl(tenant.gateway)).toBe('');
    } finally {
      await supervisor.stop();
      topology.destroy();
    }
  });
});
