import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Capture } from '../support/capture.js';
import { elasticIp, gateway, snatRule, vpnConnection, type VpnPeer } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { ping } from '../support/ping.js';
import { exampleKey, examplePublicKey } from '../support/example-keys.js';
import { Keys, PlainWireGuard } from '../support/plain-wireguard.js';
import { overTcp, overUdp, silence, silenceMs } from '../support/reach.js';
import type { Tenant } from '../support/topology.js';

// A tunnel between a gateway and a site that somebody set up by hand: what passes, and what never does.

const outers = [
  {
    outer: 'IPv4',
    eip: '203.0.113.40',
    site: '198.51.100.1',
    roamed: '198.51.100.2',
    at: (ip: string) => `${ip}:51820`,
  },
  { outer: 'IPv6', eip: '2001:db8:e::40', site: '2001:db8:1::1', at: (ip: string) => `[${ip}]:51820` },
];
const inners = [
  {
    inner: 'IPv4',
    vm: '10.0.0.5',
    site: '192.168.77.1',
    other: '192.168.78.1',
    nextHop: '10.0.0.1',
    vpcEip: '203.0.113.10',
  },
  {
    inner: 'IPv6',
    vm: 'fd00:a::5',
    site: 'fd00:77::1',
    other: 'fd00:78::1',
    nextHop: 'fd00:a::1',
    vpcEip: '2001:db8:e::10',
  },
];
const LOCAL = ['10.0.0.0/24', 'fd00:a::/64'];
const SITE = ['192.168.77.0/24', 'fd00:77::/64'];
const gatewayKey = examplePublicKey('gateway.key');

describe.each(outers)('WireGuard over $outer', ({ eip, site, at }) => {
  const keys = new Keys('gateway.key', 'site.psk');
  const peer: VpnPeer = {
    name: 'site',
    publicKey: examplePublicKey('site.key'),
    psk: 'site.psk',
    endpoint: at(site),
    networks: SITE,
  };
  const documents = (tenant: Tenant, more: Partial<Parameters<typeof vpnConnection>[1]> = {}) => [
    gateway(tenant),
    elasticIp('web', '203.0.113.10', { target: '10.0.0.5' }),
    elasticIp('web6', '2001:db8:e::10', { target: 'fd00:a::5' }),
    elasticIp('nat', '203.0.113.20'),
    elasticIp('vpn', eip),
    snatRule('all', ['10.0.0.0/24'], ['nat']),
    vpnConnection('site', { elasticIP: 'vpn', key: 'gateway.key', peers: [peer], ...more }),
  ];
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app'] }],
    documents: (tenant) => documents(tenant),
    supervisor: { args: keys.args },
  });
  let plain: PlainWireGuard;

  beforeAll(async () => {
    plain = await PlainWireGuard.create(lab.topology.inet.namespace, {
      key: 'site.key',
      port: 51820,
      addresses: ['192.168.77.1/24', 'fd00:77::1/64', '192.168.78.1/32', 'fd00:78::1/128'],
      peers: [{ publicKey: gatewayKey, psk: exampleKey('site.psk'), networks: [...LOCAL, '203.0.113.10/32'] }],
    });
    await serve(lab.tenant.vm('web'), lab.tenant.vm('app'));
    const inet = await lab.inet();
    await inet.tcpServer({ port: ports.tcp });
    for (const { site: address } of inners) await inet.udpServer({ port: ports.udp, address, mode: 'whoami' });
  });

  it('calls from its elastic IP', async () => {
    await ping(lab.tenant.vm('web').namespace, { to: '192.168.77.1' });
    expect(await plain.endpointOf(gatewayKey)).toBe(at(eip));
  });

  describe.each(inners)('carries $inner', ({ vm, site: address, other, nextHop }) => {
    it('from the VPC, whose own addresses the site sees', async () => {
      for (const name of ['web', 'app']) {
        const client = lab.tenant.vm(name).addresses.find((own) => own.includes(':') === vm.includes(':'));
        expect(await overTcp(await lab.vm(name), { to: address })).toMatchObject({ client });
        expect(await overUdp(await lab.vm(name), { to: address })).toMatchObject({ client });
      }
    });

    it('from the site, whose own address the VM sees', async () => {
      const from = { from: address, to: vm };
      expect(await overTcp(await lab.inet(), from)).toEqual({ server: 'blue-web', client: address });
      expect(await overUdp(await lab.inet(), from)).toEqual({ server: 'blue-web', client: address });
    });

    it('a ping of the next hop, and nothing else of the gateway', async () => {
      const inet = lab.topology.inet.namespace;
      expect(await ping(inet, { to: nextHop, from: address })).toEqual({ received: 1, errors: [] });
      expect(await overTcp(await lab.inet(), { to: nextHop, from: address, timeoutMs: silenceMs })).toEqual(silence);
    });

    it('nothing from an address that is not the peer’s', async () => {
      const capture = await Capture.start(lab.tenant.vm('web').namespace, { interface: 'eth0', filter: 'udp port 53' });
      const from = { from: other, to: vm, timeoutMs: silenceMs };
      expect(await overUdp(await lab.inet(), from)).toEqual(silence);
      expect(await capture.stop()).toEqual([]);
    });

    it('64 KB each way, intact', async () => {
      const report = await (await lab.vm('web')).transfer({ to: address, port: ports.tcp, bytes: 65_536 });
      expect(report.intact).toBe(true);
    });
  });

  it('refuses the site an elastic IP, and what it is not offered', async () => {
    const inet = await lab.inet();
    const capture = await Capture.start(lab.tenant.vm('web').namespace, { interface: 'eth0', filter: 'tcp port 80' });
    // It leads that address into the tunnel.
    expect(await overTcp(inet, { from: '192.168.77.1', to: '203.0.113.10', timeoutMs: silenceMs })).toMatchObject({
      error: expect.stringMatching(/EHOSTUNREACH|ECONNREFUSED|TIMEOUT/) as unknown,
    });
    await plain.namespace.ip([`route delete 203.0.113.10/32 dev ${plain.link}`]);
    expect(await capture.stop()).toEqual([]);
    expect(await overTcp(inet, { to: '203.0.113.10' })).toMatchObject({ server: 'blue-web' });
  });

  it('sends nothing to the internet while there is no tunnel', async () => {
    keys.write('gateway.key', 'not a key\n');
    await lab.supervisor().statusWhen(({ objects }) => JSON.stringify(objects).includes('KeyUnusable'));
    const capture = await Capture.start(lab.tenant.gateway, { interface: 'ext0', filter: 'host 192.168.77.1' });
    expect(await overTcp(await lab.vm('app'), { to: '192.168.77.1', timeoutMs: silenceMs })).toMatchObject({
      error: expect.stringMatching(/EHOSTUNREACH|ENETUNREACH/) as unknown,
    });
    expect(await capture.stop()).toEqual([]);
    keys.write('gateway.key', exampleKey('gateway.key'));
    await lab.supervisor().statusWhen(({ objects }) => !JSON.stringify(objects).includes('KeyUnusable'));
    expect(await overTcp(await lab.vm('app'), { to: '192.168.77.1' })).toMatchObject({ client: '10.0.0.6' });
  });

  it('asks its rules, both ways, and cuts what an edit denies', async () => {
    const [vm, inet] = [await lab.vm('web'), await lab.inet()];
    const open = await inet.tcpConnect({ from: '192.168.77.1', to: '10.0.0.5', port: ports.tcp });
    const out = await vm.tcpConnect({ to: '192.168.77.1', port: ports.tcp });
    await lab.apply(
      documents(lab.tenant, {
        rules: [{ action: 'Allow', ports: [{ protocol: 'UDP', port: ports.udp }] }, { action: 'Reject' }],
      }),
    );
    expect(await open.isAlive()).toBe(false);
    expect(await out.isAlive()).toBe(true);
    const from = { from: '192.168.77.1', to: '10.0.0.5' };
    expect(await overTcp(inet, from)).toEqual({ error: 'ECONNREFUSED' });
    expect(await overUdp(inet, from)).toMatchObject({ server: 'blue-web' });
    await lab.apply(
      documents(lab.tenant, {
        rules: [{ action: 'Deny', direction: 'Egress', ports: [{ protocol: 'TCP' }], log: true }],
      }),
    );
    const logged = () => lab.supervisor().logged('Deny/100/VpnConnection/site');
    // Who reads the packets starts when the first rule wants it, and may miss the first.
    for (let attempt = 0; attempt < 5 && logged().length === 0; attempt++)
      expect(await overTcp(vm, { to: '192.168.77.1', timeoutMs: silenceMs })).toEqual(silence);
    expect(logged()[0]).toMatchObject({ event: 'Firewall', from: '10.0.0.5', to: '192.168.77.1' });
    expect(await overTcp(inet, from)).toMatchObject({ server: 'blue-web' });
    await lab.apply(documents(lab.tenant));
  });

  it('tells how it stands, by status, metrics, show and event', async () => {
    const states = async () =>
      JSON.parse((await lab.supervisor().get('/v1/show/vpn')).text) as Record<string, unknown>[];
    await lab.apply(
      documents(lab.tenant, { peers: [{ ...peer, probe: { address: '192.168.77.1', interval: '200ms' } }] }),
    );
    await connected('Up');
    expect(await states()).toMatchObject([{ connection: 'site', peer: 'site', state: 'Up', probe: { lost: 0 } }]);
    expect((await lab.supervisor().metrics()).value('vpcgw_vpn_peer_up', { name: 'site', peer: 'site' })).toBe(1);
    await plain.namespace.ip([`link set ${plain.link} down`]);
    await connected('Down');
    // Told before it is in the status, by another way.
    await expect.poll(() => lab.supervisor().logged('→ Down: site: 192.168.77.1 answers none')).toHaveLength(1);
    await plain.namespace.ip([
      `link set ${plain.link} up`,
      ...[...LOCAL, '203.0.113.10/32'].map((network) => `route replace ${network} dev ${plain.link}`),
    ]);
    await connected('Up');
    const config = JSON.parse((await lab.supervisor().get('/v1/vpn/site/peer-config')).text) as { config: string };
    expect(config.config).toContain(`PublicKey = ${gatewayKey}\n`);
    expect(config.config).toContain(`Endpoint = ${at(eip)}\nAllowedIPs = ${LOCAL.join(', ')}`);
    for (const secret of ['gateway.key', 'site.psk']) expect(config.config).not.toContain(exampleKey(secret));
    await lab.apply(documents(lab.tenant));
  });

  /** As the condition of the document says it. */
  const connected = (state: string) =>
    lab.supervisor().statusWhen(({ objects }) => {
      const found = objects.find(({ kind }) => kind === 'VpnConnection') as unknown as {
        conditions: { type: string; reason: string }[];
      };
      return found.conditions.some(({ type, reason }) => type === 'Connected' && reason === state);
    });

  it('leaves other ports of its elastic IP to whom it is bound', async () => {
    const [first, ...others] = documents(lab.tenant).filter(
      ({ metadata }) => (metadata as { name: string }).name !== 'vpn',
    );
    if (first)
      await lab.apply([
        first,
        elasticIp('vpn', eip, { target: eip.includes(':') ? 'fd00:a::6' : '10.0.0.6' }),
        ...others,
      ]);
    expect(await overTcp(await lab.inet(), { to: eip })).toMatchObject({ server: 'blue-app' });
    expect(await overTcp(await lab.vm('web'), { to: '192.168.77.1' })).toMatchObject({ client: '10.0.0.5' });
    await lab.apply(documents(lab.tenant));
  });

  afterAll(() => plain?.delete());
});
