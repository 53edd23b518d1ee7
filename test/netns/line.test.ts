import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Live } from '../../gateway/insight/trace/tracer.js';
import { Capture } from '../support/capture.js';
import { dedicatedLine, type Document, elasticIp, gateway, snatRule } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { ping } from '../support/ping.js';
import { overTcp, overUdp, silence, silenceMs } from '../support/reach.js';
import { Site } from '../support/site.js';
import type { Tenant } from '../support/topology.js';

// Dedicated lines between a gateway and a customer's router that was set up by hand: what passes, what never does, and
// where the traffic goes when a line is lost.

const NETWORKS = ['172.20.0.0/16', 'fd00:20::/48'];
const LOCAL = ['10.0.0.0/24', 'fd00:a::/64'];
const families = [
  {
    family: 'IPv4',
    vm: '10.0.0.5',
    site: '172.20.0.1',
    other: '172.31.0.1',
    nextHop: '10.0.0.1',
    end: '169.254.100.1',
  },
  {
    family: 'IPv6',
    vm: 'fd00:a::5',
    site: 'fd00:20::1',
    other: 'fd00:31::1',
    nextHop: 'fd00:a::1',
    end: 'fd00:100::1',
  },
];

describe('dedicated lines', () => {
  const line = (n: number, more: Partial<Parameters<typeof dedicatedLine>[1]> = {}) =>
    dedicatedLine(`paris${n}`, { number: n, port: `line${n}`, networks: NETWORKS, ...more });
  const PROBED = { address: '172.20.0.1', interval: '200ms', steady: '300ms' };
  const documents = (tenant: Tenant, lines: readonly Document[] = [line(0)]) => [
    gateway(tenant),
    elasticIp('web', '203.0.113.10', { target: '10.0.0.5' }),
    elasticIp('nat', '203.0.113.20'),
    snatRule('all', ['10.0.0.0/24'], ['nat']),
    ...lines,
  ];
  let site: Site;
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app'] }],
    documents: (tenant) => documents(tenant),
    prepare: async ({ tenants: [tenant] }) => {
      if (!tenant) return;
      site = await Site.create(tenant.gateway, {
        lines: [{ name: 'line0' }, { name: 'line1' }],
        addresses: families.flatMap(({ site: address, other }) => [address, other]),
        networks: LOCAL,
      });
    },
  });

  beforeAll(async () => {
    await serve(lab.tenant.vm('web'), lab.tenant.vm('app'), site.host);
  });
  afterAll(() => site?.delete());

  /** As the condition of each line's document says it. */
  const connected = (...states: readonly string[]) =>
    lab.supervisor().statusWhen(({ objects }) => {
      const lines = objects.filter(({ kind }) => kind === 'DedicatedLine') as unknown as {
        conditions: { type: string; reason: string }[];
      }[];
      const found = lines.map(({ conditions }) => conditions.find(({ type }) => type === 'Connected')?.reason);
      return found.join() === states.join();
    });

  describe.each(families)('carries $family', ({ vm, site: address, other, nextHop, end }) => {
    it('from the VPC, whose own addresses the site sees', async () => {
      for (const name of ['web', 'app']) {
        const client = lab.tenant.vm(name).addresses.find((own) => own.includes(':') === vm.includes(':'));
        expect(await overTcp(await lab.vm(name), { to: address })).toMatchObject({ client });
        expect(await overUdp(await lab.vm(name), { to: address })).toMatchObject({ client });
      }
    });

    it('from the site, whose own address the VM sees', async () => {
      const from = { from: address, to: vm };
      expect(await overTcp(await site.host.agent(), from)).toEqual({ server: 'blue-web', client: address });
      expect(await overUdp(await site.host.agent(), from)).toEqual({ server: 'blue-web', client: address });
    });

    it('a ping of the next hop and of the line’s end, and nothing else of the gateway', async () => {
      for (const to of [nextHop, end])
        expect(await ping(site.router, { to, from: address })).toEqual({ received: 1, errors: [] });
      expect(await ping(site.router, { to: end })).toEqual({ received: 1, errors: [] });
      const agent = await site.host.agent();
      for (const to of [nextHop, end])
        expect(await overTcp(agent, { to, from: address, timeoutMs: silenceMs })).toEqual(silence);
    });

    it('nothing from an address that is not the site’s', async () => {
      const capture = await Capture.start(lab.tenant.vm('web').namespace, { interface: 'eth0', filter: 'udp port 53' });
      const from = { from: other, to: vm, timeoutMs: silenceMs };
      expect(await overUdp(await site.host.agent(), from)).toEqual(silence);
      expect(await capture.stop()).toEqual([]);
    });

    it('64 KB each way, intact', async () => {
      const report = await (await lab.vm('web')).transfer({ to: address, port: ports.tcp, bytes: 65_536 });
      expect(report.intact).toBe(true);
    });
  });

  it('refuses the site an elastic IP, which is no way into the VPC for it', async () => {
    await site.router.ip(['route add 203.0.113.10/32 via 169.254.100.1']);
    const capture = await Capture.start(lab.tenant.vm('web').namespace, { interface: 'eth0', filter: 'tcp port 80' });
    expect(
      await overTcp(await site.host.agent(), { from: '172.20.0.1', to: '203.0.113.10', timeoutMs: silenceMs }),
    ).toMatchObject({ error: expect.stringMatching(/EHOSTUNREACH|ECONNREFUSED|TIMEOUT/) as unknown });
    expect(await capture.stop()).toEqual([]);
    await site.router.ip(['route delete 203.0.113.10/32']);
  });

  it('sends nothing to the internet without a carrier, and refuses at once', async () => {
    const capture = await Capture.start(lab.tenant.gateway, { interface: 'ext0', filter: 'host 172.20.0.1' });
    await site.cut('line0');
    await connected('Down');
    expect(await overTcp(await lab.vm('app'), { to: '172.20.0.1', timeoutMs: silenceMs })).toMatchObject({
      error: expect.stringMatching(/EHOSTUNREACH|ENETUNREACH/) as unknown,
    });
    expect(await capture.stop()).toEqual([]);
    await site.mend('line0');
    await lab.apply(documents(lab.tenant, [line(0, { probe: PROBED })]));
    await connected('Up');
    expect(await overTcp(await lab.vm('app'), { to: '172.20.0.1' })).toMatchObject({ client: '10.0.0.6' });
  });

  it('is walked by a trace as the kernel takes it: a ping of the line’s end, by who may ask and who may not', async () => {
    const web = lab.tenant.vm('web').namespace;
    const asked = [
      { question: { from: '172.20.0.1' }, by: site.router, received: 1 },
      { question: { from: '169.254.100.2', enters: 'DedicatedLine/paris0' }, by: site.router, received: 1 },
      { question: { from: '10.0.0.5' }, by: web, received: 0 },
    ];
    for (const { question, by, received } of asked) {
      const watching = lab.supervisor().post('/v1/trace/live', { ...question, to: '169.254.100.1/icmp', seconds: 25 });
      let over = false;
      void watching.finally(() => (over = true));
      while (!over) {
        const answered = await ping(by, { to: '169.254.100.1', from: question.from });
        expect({ question, received: answered.received }).toEqual({ question, received });
      }
      const { live } = JSON.parse((await watching).text.trim().split('\n').at(-1) ?? '{}') as { live?: Live };
      expect({ question, live }).toMatchObject({ question, live: { seen: true, differences: [] } });
    }
  });

  it('asks its rules, and cuts what an edit denies', async () => {
    const [vm, router] = [await lab.vm('web'), await site.host.agent()];
    const open = await router.tcpConnect({ from: '172.20.0.1', to: '10.0.0.5', port: ports.tcp });
    const out = await vm.tcpConnect({ to: '172.20.0.1', port: ports.tcp });
    const rules = [
      { action: 'Allow' as const, ports: [{ protocol: 'UDP' as const, port: ports.udp }] },
      { action: 'Reject' as const },
    ];
    await lab.apply(documents(lab.tenant, [line(0, { rules })]));
    expect(await open.isAlive()).toBe(false);
    expect(await out.isAlive()).toBe(true);
    const from = { from: '172.20.0.1', to: '10.0.0.5' };
    expect(await overTcp(router, from)).toEqual({ error: 'ECONNREFUSED' });
    expect(await overUdp(router, from)).toMatchObject({ server: 'blue-web' });
    await lab.apply(documents(lab.tenant));
  });

  it('takes the next line when one is cut, with its connections, and comes back when it is steady', async () => {
    await lab.apply(documents(lab.tenant, [line(0, { probe: PROBED }), line(1, { priority: 110 })]));
    await connected('Up', 'Up');
    const connection = await (await lab.vm('web')).tcpConnect({ to: '172.20.0.1', port: ports.tcp });
    await site.cut('line0');
    await site.prefers(1);
    expect(await connection.isAlive(5_000)).toBe(true);
    await connected('Down', 'Up');
    await site.mend('line0');
    await connected('Up', 'Up');
    expect(await connection.isAlive()).toBe(true);
    const ways = async () =>
      (JSON.parse((await lab.supervisor().get('/v1/show/routes')).text) as Record<string, unknown>[]).filter(
        ({ network }) => network === '172.20.0.0/16',
      );
    await expect.poll(ways).toEqual([
      {
        network: '172.20.0.0/16',
        by: 'DedicatedLine/paris0',
        via: '169.254.100.2',
        link: 'vg-line0',
        metric: 100,
        state: 'Taken',
      },
      {
        network: '172.20.0.0/16',
        by: 'DedicatedLine/paris1',
        via: '169.254.101.2',
        link: 'vg-line1',
        metric: 110,
        state: 'Next',
      },
      { network: '172.20.0.0/16', by: '', via: '', link: '', metric: 9999, state: 'Refuses' },
    ]);
  });

  it('takes out a line that is up and does not forward, and says so', async () => {
    const connection = await (await lab.vm('web')).tcpConnect({ to: '172.20.0.1', port: ports.tcp });
    await site.blackHole('line0');
    await connected('Down', 'Up');
    expect(await connection.isAlive()).toBe(true);
    expect(lab.supervisor().logged('its networks go by DedicatedLine/paris1 after').length).toBeGreaterThan(0);
    const metrics = await lab.supervisor().metrics();
    expect(metrics.value('vpcgw_line_up', { name: 'paris0' })).toBe(0);
    expect(metrics.value('vpcgw_line_up', { name: 'paris1' })).toBe(1);
    expect(metrics.value('vpcgw_line_switch_over_seconds', { name: 'paris0' })).toBeLessThan(3);
    const answer = JSON.parse((await lab.supervisor().get('/v1/explain/line/paris0')).text) as {
      findings: { check: string; code: string; evidence: string[] }[];
    };
    expect(answer.findings.find(({ check }) => check === 'Line')).toMatchObject({ code: 'LineDown' });
    await site.mend('line0');
    await connected('Up', 'Up');
    expect(await connection.isAlive()).toBe(true);
  });

  it('shares connections between lines of one priority', async () => {
    await lab.apply(documents(lab.tenant, [line(0), line(1)]));
    const bytes = async (name: string) =>
      (await lab.supervisor().metrics()).value('vpcgw_line_sent_bytes_total', { name }) ?? 0;
    const before = [await bytes('paris0'), await bytes('paris1')];
    const hosts = Array.from({ length: 24 }, (_, i) => `172.20.1.${i + 1}`);
    await site.router.ip(hosts.map((host) => `address add ${host} dev lo`));
    await Promise.all(hosts.map((to) => ping(lab.tenant.vm('web').namespace, { to })));
    const after = [await bytes('paris0'), await bytes('paris1')];
    for (const n of [0, 1]) expect((after[n] ?? 0) - (before[n] ?? 0)).toBeGreaterThan(100);
  });

  it('takes up a port as soon as it is there, and touches nothing else while it is not', async () => {
    await site.prefers(0);
    await lab.apply(documents(lab.tenant, [line(0), line(2)]));
    const missing = await lab.supervisor().status();
    expect(JSON.stringify(missing.objects)).toContain('interface line2 does not exist here');
    expect(await overTcp(await lab.vm('web'), { to: '172.20.0.1' })).toMatchObject({ client: '10.0.0.5' });
    await lab.tenant.gateway.ip(['link add line2 up type veth peer name line2p', 'link set line2p up']);
    await connected('Up', 'Up');
    await lab.tenant.gateway.ip(['link delete line2']);
    await connected('Up', 'PortMissing');
    expect(await overTcp(await lab.vm('web'), { to: '172.20.0.1' })).toMatchObject({ client: '10.0.0.5' });
    await lab.apply(documents(lab.tenant));
  });

  it('knows a port that was there before any document named it', async () => {
    const { gateway: namespace } = lab.tenant;
    const repairs = async () => (await lab.supervisor().metrics()).value('vpcgw_drift_repairs_total') ?? 0;
    // What has changed is looked at together: once this is repaired, all else has been seen.
    const haveAllSeen = async () => {
      const before = await repairs();
      await namespace.ip(['address delete 203.0.113.20/32 dev vg-ext0']);
      await expect.poll(repairs).toBeGreaterThan(before);
    };
    await lab.apply(documents(lab.tenant, []));
    await haveAllSeen();
    await namespace.ip(['link add line3 up type veth peer name line3p', 'link set line3p up']);
    await haveAllSeen();
    await lab.apply(documents(lab.tenant, [line(3)]));
    await connected('Up');
    await lab.apply(documents(lab.tenant));
    await namespace.ip(['link delete line3']);
  });
});
