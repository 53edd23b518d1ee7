import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { elasticIp, gateway, vpnConnection, type VpnPeer, vpnPeer } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { exampleKey, examplePublicKey } from '../support/example-keys.js';
import { kernelHasWireGuard, Keys, PlainWireGuard, tunnelOf, tunnelShows } from '../support/plain-wireguard.js';
import { overTcp } from '../support/reach.js';

// What an edit of a tunnel leaves alone, and what mends itself.

const SITE = ['192.168.77.0/24', 'fd00:77::/64'];
const gatewayKey = examplePublicKey('gateway.key');
const siteKey = examplePublicKey('site.key');

describe('peers of a tunnel', () => {
  const keys = new Keys('gateway.key', 'site.psk');
  const site: VpnPeer = { name: 'site', publicKey: siteKey, endpoint: '198.51.100.1:51820', networks: SITE };
  const laptop = (number: number): VpnPeer => ({
    name: `laptop-${number}`,
    publicKey: examplePublicKey(`laptop-${number}`),
    networks: [`192.168.${100 + Math.floor(number / 250)}.${number % 250}/32`],
  });
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web'] }],
    farMtu: 1400,
    documents: (tenant) => documents(tenant),
    supervisor: { args: keys.args },
  });
  const documents = (
    tenant = lab.tenant,
    peers: readonly VpnPeer[] = [site],
    more: Partial<Parameters<typeof vpnConnection>[1]> = {},
  ) => [
    gateway(tenant),
    elasticIp('vpn', '203.0.113.40'),
    vpnConnection('site', { elasticIP: 'vpn', key: 'gateway.key', peers, ...more }),
  ];
  const endpoint = async () => (await tunnelShows(lab.tenant.gateway, 'endpoints')).get(siteKey);
  const handshake = async () => (await tunnelShows(lab.tenant.gateway, 'latest-handshakes')).get(siteKey);
  const reaches = async (to = '192.168.77.1') =>
    expect(await overTcp(await lab.vm('web'), { to, timeoutMs: 8_000 })).toMatchObject({ client: '10.0.0.5' });
  let plain: PlainWireGuard;

  beforeAll(async () => {
    plain = await PlainWireGuard.create(lab.topology.inet.namespace, {
      key: 'site.key',
      port: 51820,
      addresses: ['192.168.77.1/24', 'fd00:77::1/64'],
      peers: [{ publicKey: gatewayKey, endpoint: '203.0.113.40:51820', networks: ['10.0.0.0/24', 'fd00:a::/64'] }],
    });
    await (await lab.inet()).tcpServer({ port: ports.tcp });
    await serve(lab.tenant.vm('web'));
  });
  afterAll(() => plain?.delete());

  it('keep their sessions while 200 others come, change and go', async () => {
    await reaches();
    const before = await handshake();
    const others = Array.from({ length: 200 }, (_, i) => laptop(i));
    await lab.apply(documents(lab.tenant, [site, ...others]));
    expect((await tunnelShows(lab.tenant.gateway, 'allowed-ips')).size).toBe(201);
    const edited = others.map((peer, i) => (i === 7 ? { ...peer, networks: ['192.168.200.7/32'] } : peer));
    await lab.apply(documents(lab.tenant, [site, ...edited]));
    const networks = await tunnelShows(lab.tenant.gateway, 'allowed-ips');
    expect(networks.get(laptop(7).publicKey)).toBe('192.168.200.7/32');
    await lab.apply(documents());
    expect([...(await tunnelShows(lab.tenant.gateway, 'allowed-ips')).keys()]).toEqual([siteKey]);
    expect(await handshake()).toBe(before);
    await reaches();
  });

  it('in documents of their own come, change and go, and one without its key is left out alone', async () => {
    const before = await handshake();
    const own = { ...laptop(1), psk: 'own.psk' };
    await lab.apply([...documents(), vpnPeer('site', own), vpnPeer('site', laptop(2))]);
    const networks = await tunnelShows(lab.tenant.gateway, 'allowed-ips');
    expect([...networks.keys()].sort()).toEqual([siteKey, laptop(2).publicKey].sort());
    const troubled = (objects: readonly object[]) =>
      objects.flatMap((each) =>
        JSON.stringify(each).includes('KeyUnusable') ? [(each as { name: string }).name] : [],
      );
    await lab.supervisor().statusWhen(({ objects }) => troubled(objects).join() === own.name);
    keys.write('own.psk', exampleKey('own.psk'));
    await told('preshared-keys', (text) => text.includes(exampleKey('own.psk')));
    await lab.apply([...documents(), vpnPeer('site', { ...own, networks: ['192.168.200.1/32'] })]);
    expect((await tunnelShows(lab.tenant.gateway, 'allowed-ips')).get(own.publicKey)).toBe('192.168.200.1/32');
    await lab.apply(documents());
    expect(await handshake()).toBe(before);
  });

  it('that have roamed stay where they are, through edits of others and a restart', async () => {
    await plain.set('listen-port', '51999');
    const inet = await lab.inet();
    expect(await overTcp(inet, { from: '192.168.77.1', to: '10.0.0.5' })).toMatchObject({ server: 'blue-web' });
    const roamed = await endpoint();
    expect(roamed).toMatch(/:51999$/);
    await lab.apply(documents(lab.tenant, [site, laptop(1)]));
    expect(await endpoint()).toBe(roamed);
    await lab.supervisor().restart();
    expect(await endpoint()).toBe(roamed);
    await lab.apply(documents(lab.tenant, [{ ...site, networks: SITE.slice(0, 1) }]));
    expect(await endpoint()).toBe(roamed);
  });

  it('are called elsewhere when a document says so, also by a supervisor that was not there', async () => {
    await lab.apply(documents(lab.tenant, [{ ...site, endpoint: '198.51.100.2:51999' }]));
    expect(await endpoint()).toBe('198.51.100.2:51999');
    await lab.supervisor().stop();
    lab.supervisor().write(documents(lab.tenant, [{ ...site, endpoint: '198.51.100.3:51999' }]));
    lab.supervisor().relaunch();
    await lab.supervisor().ready();
    expect(await endpoint()).toBe('198.51.100.3:51999');
    await reaches();
    await plain.set('listen-port', '51820');
    await lab.apply(documents());
    await reaches();
  });

  it('get a preshared key, another one, and none, without a lost ping', async () => {
    const pings = pingOften(80);
    for (const name of ['site.psk', 'another']) {
      keys.write('site.psk', exampleKey(name));
      await lab.apply(documents(lab.tenant, [{ ...site, psk: 'site.psk' }]));
      await told('preshared-keys', (text) => text.includes(exampleKey(name)));
      await plain.set('peer', gatewayKey, 'preshared-key', join(keys.directory, 'site.psk'));
    }
    await lab.apply(documents());
    await told('preshared-keys', (text) => text.includes('(none)'));
    await plain.set('peer', gatewayKey, 'preshared-key', '/dev/null');
    expect(await pings).toBe(80);
  });

  it('see the gateway take up another key without a lost ping', async () => {
    const pings = pingOften(120);
    keys.write('gateway.key', exampleKey('next'));
    await told('public-key', (text) => text.includes(examplePublicKey('next')));
    await plain.set(
      ...['peer', gatewayKey, 'remove', 'peer', examplePublicKey('next'), 'endpoint', '203.0.113.40:51820'],
      ...['allowed-ips', '10.0.0.0/24,fd00:a::/64'],
    );
    expect(await pings).toBe(120);
    keys.write('gateway.key', exampleKey('gateway.key'));
    await told('public-key', (text) => text.includes(gatewayKey));
    await plain.set('peer', examplePublicKey('next'), 'remove');
    await plain.set('peer', gatewayKey, 'endpoint', '203.0.113.40:51820', 'allowed-ips', '10.0.0.0/24,fd00:a::/64');
    await reaches();
  });

  it('come back when somebody takes one away, or the whole link', async () => {
    const link = await tunnelOf(lab.tenant.gateway);
    await lab.tenant.gateway.exec(['wg', 'set', link, 'peer', siteKey, 'remove']);
    await told('peers', (text) => text.includes(siteKey));
    await lab.tenant.gateway.ip([`link delete ${link}`]);
    await told('peers', (text) => text.includes(siteKey));
    await reaches();
  });

  it('come back when wireguard-go is killed', async ({ skip }) => {
    skip(kernelHasWireGuard, 'this kernel has WireGuard itself');
    const link = await tunnelOf(lab.tenant.gateway);
    await lab.tenant.gateway.exec(['pkill', '-9', '-f', `^wireguard-go ${link}$`]);
    await told('peers', (text) => text.includes(siteKey));
    await reaches();
  });

  it('reach the VPC by a tunnel of another name that took the port and the key of the former', async () => {
    const renamed = vpnConnection('office', { elasticIP: 'vpn', key: 'gateway.key', peers: [site] });
    await lab.apply([gateway(lab.tenant), elasticIp('vpn', '203.0.113.40'), renamed]);
    await reaches();
    await lab.apply(documents());
    await reaches();
  });

  it('carry 64 KB over a path of 1400', async () => {
    const far = await PlainWireGuard.create(lab.topology.far.namespace, {
      key: 'far.key',
      port: 51820,
      addresses: ['192.168.79.1/24'],
      peers: [{ publicKey: gatewayKey, endpoint: '203.0.113.40:51820', networks: ['10.0.0.0/24'] }],
    });
    const peer = {
      name: 'far',
      publicKey: examplePublicKey('far.key'),
      endpoint: '198.51.100.66:51820',
      networks: ['192.168.79.0/24'],
    };
    await lab.apply(documents(lab.tenant, [site, peer]));
    const agent = await lab.topology.far.agent();
    await agent.tcpServer({ port: ports.tcp });
    const up = await (
      await lab.vm('web')
    ).transfer({ to: '192.168.79.1', port: ports.tcp, bytes: 65_536, timeoutMs: 20_000 });
    const down = await agent.transfer({ to: '10.0.0.5', port: ports.tcp, bytes: 65_536, timeoutMs: 20_000 });
    expect([up.intact, down.intact]).toEqual([true, true]);
    await far.delete();
  });

  it('are held to a bandwidth, each way', async () => {
    const M = 1e6;
    await lab.apply(documents(lab.tenant, [site], { bandwidth: { ingress: '8M', egress: '16M' } }));
    const vm = await lab.vm('web');
    await (await lab.inet()).tcpServer({ port: 81, mode: 'sink' });
    await (await lab.inet()).tcpServer({ port: 82, mode: 'source', bytes: 2_000_000 });
    const rate = async (direction: 'up' | 'down') => {
      const port = direction === 'up' ? 81 : 82;
      const report = await vm.transfer({ to: '192.168.77.1', port, bytes: 2_000_000, direction, timeoutMs: 25_000 });
      expect(report.intact).toBe(true);
      return (16 * M) / (report.durationMs / 1000);
    };
    const [up, down] = [await rate('up'), await rate('down')];
    expect([up / (16 * M), down / (8 * M)].map((part) => part > 0.75 && part < 1.08)).toEqual([true, true]);
    await lab.apply(documents());
    expect(await rate('down')).toBeGreaterThan(10 * M);
  });

  /** How many of so many came back, the late ones too. */
  async function pingOften(count: number): Promise<number> {
    const argv = ['ping', '-n', '-i', '0.06', '-c', String(count), '-W', '10', '192.168.77.1'];
    const { stdout } = await lab.tenant.vm('web').namespace.exec(argv, { okExitCodes: [0, 1], timeoutMs: 40_000 });
    return Number(/(\d+) received/.exec(stdout)?.[1]);
  }

  /** What `wg show` says of the tunnel, as soon as it is so. */
  async function told(what: string, holds: (text: string) => boolean): Promise<string> {
    for (const deadline = performance.now() + 10_000; ; await sleep(50)) {
      const link = await tunnelOf(lab.tenant.gateway).catch(() => '');
      const { stdout } = await lab.tenant.gateway.exec(['wg', 'show', link, what], { okExitCodes: [0, 1] });
      if (holds(stdout)) return stdout;
      if (performance.now() > deadline) throw new Error(`wg show ${what} says ${digest(stdout)}`);
    }
  }
  const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 8);
});

describe('two gateways whose VPCs have the same networks', () => {
  const keys = new Keys('blue.key', 'green.key');
  const AS = { blue: ['100.64.7.0/24', 'fd00:7::/64'], green: ['100.64.8.0/24', 'fd00:8::/64'] };
  const EIP = { blue: '203.0.113.41', green: '203.0.113.42' };
  type Name = keyof typeof EIP;
  const other = { blue: 'green', green: 'blue' } as const;
  const lab = useGatewayLab({
    tenants: [
      { name: 'blue', vms: ['web'] },
      { name: 'green', vms: ['web'] },
    ],
    documents: (tenant) => {
      const [own, far] = [tenant.name as Name, other[tenant.name as Name]];
      return [
        gateway(tenant),
        elasticIp('vpn', EIP[own]),
        vpnConnection(`to-${far}`, {
          elasticIP: 'vpn',
          key: `${own}.key`,
          translate: ['10.0.0.0/24', 'fd00:a::/64'].map((network, i) => ({ network, as: AS[own][i] ?? '' })),
          peers: [
            { name: far, publicKey: examplePublicKey(`${far}.key`), endpoint: `${EIP[far]}:51820`, networks: AS[far] },
          ],
        }),
      ];
    },
    supervisor: { args: keys.args },
  });
  beforeAll(() => serve(...lab.topology.tenants.map((tenant) => tenant.vm('web'))));

  it.each([
    { from: 'blue' as const, to: '100.64.8.5', seen: '100.64.7.5' },
    { from: 'green' as const, to: '100.64.7.5', seen: '100.64.8.5' },
    { from: 'blue' as const, to: 'fd00:8::5', seen: 'fd00:7::5' },
    { from: 'green' as const, to: 'fd00:7::5', seen: 'fd00:8::5' },
  ])('see each other as something else: $from to $to', async ({ from, to, seen }) => {
    const agent = await lab.topology.tenant(from).vm('web').agent();
    expect(await overTcp(agent, { to, timeoutMs: 8_000 })).toEqual({ server: `${other[from]}-web`, client: seen });
  });
});
