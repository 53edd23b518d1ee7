import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Capture } from '../support/capture.js';
import { elasticIp, gateway, ipsecConnection } from '../support/documents.js';
import { useGatewayLab } from '../support/gateway-lab.js';
import { Namespace } from '../support/namespace.js';
import { ping } from '../support/ping.js';
import { PlainIpsec } from '../support/plain-ipsec.js';
import { Keys } from '../support/plain-wireguard.js';

// Tunnels of IPsec over ways that are not plain: one that is cut, a NAT in between, IPv6 outside.

const PSK = 'correct-horse-battery';
const LONG_MS = 120_000;
const HOME = { public: '198.51.100.9', next: '198.51.100.10', own: '192.168.200.2', router: '192.168.200.1' };

describe('IPsec', () => {
  const keys = new Keys();
  keys.write('site.psk', PSK);
  const common = { psk: 'site.psk', more: { dpd: '2s' } };
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web'] }],
    documents: (tenant) => documents(tenant, HOME.public),
    supervisor: { args: keys.args },
  });
  /** `peer`: where the one at home is said to be. */
  const documents = (tenant: Parameters<typeof gateway>[0], peer?: string) => [
    gateway(tenant),
    elasticIp('vpn', '203.0.113.40'),
    elasticIp('vpn6', '2001:db8:e::40'),
    ipsecConnection('six', {
      ...common,
      elasticIP: 'vpn6',
      peer: '2001:db8:1::1',
      networks: ['192.168.77.0/24'],
      localNetworks: ['10.0.0.0/24'],
    }),
    ipsecConnection('home', {
      ...common,
      elasticIP: 'vpn',
      ...(peer === undefined ? {} : { peer }),
      networks: ['192.168.78.0/24'],
      localNetworks: ['10.0.0.0/24'],
      more: { dpd: '2s', peerId: 'home.example.com' },
    }),
  ];
  let home: Namespace;
  const web = () => lab.tenant.vm('web').namespace;
  const connected = (name: string, reason: string) =>
    lab.supervisor().statusWhen(({ objects }) => {
      const found = objects.find(({ kind, name: of }) => kind === 'VpnConnection' && of === name) as unknown as {
        conditions: { type: string; reason: string }[];
      };
      return found.conditions.some(({ type, reason: why }) => type === 'Connected' && why === reason);
    }, 60_000);

  const rowOf = async (name: string) => {
    const rows = JSON.parse((await lab.supervisor().get('/v1/show/vpn')).text) as Record<string, unknown>[];
    return rows.find(({ connection }) => connection === name);
  };

  beforeAll(async () => {
    const inet = lab.topology.inet.namespace;
    await PlainIpsec.create(inet, {
      own: '2001:db8:1::1',
      gateway: '2001:db8:e::40',
      psk: PSK,
      addresses: ['192.168.77.1'],
      local: ['192.168.77.0/24'],
      remote: ['10.0.0.0/24'],
    });
    home = await Namespace.create('home');
    await home.loopbackUp();
    await inet.ip([
      `link add to-home type veth peer name eth0 netns ${home.name}`,
      `address add ${HOME.router}/24 dev to-home`,
      'link set to-home up',
      `address add ${HOME.public}/32 dev lo`,
    ]);
    await inet.setSysctls({ 'ipv4/ip_forward': 1 });
    await inet.exec(
      `iptables -t nat -A POSTROUTING -s ${HOME.own} -j SNAT --to-source ${HOME.public} --random`.split(' '),
    );
    await home.ip([`address add ${HOME.own}/24 dev eth0`, 'link set eth0 up', `route add default via ${HOME.router}`]);
    await PlainIpsec.create(home, {
      own: HOME.own,
      ownId: 'home.example.com',
      gateway: '203.0.113.40',
      psk: PSK,
      addresses: ['192.168.78.1'],
      local: ['192.168.78.0/24'],
      remote: ['10.0.0.0/24'],
      calls: true,
    });
  }, LONG_MS);
  afterAll(() => home?.delete());

  it(
    'through a NAT, whose far side calls, in UDP',
    async () => {
      await connected('home', 'Up');
      const capture = await Capture.start(lab.tenant.gateway, { interface: 'ext0', filter: `host ${HOME.public}` });
      expect(await ping(web(), { to: '192.168.78.1', count: 3 })).toMatchObject({ received: 3 });
      expect(await ping(home, { to: '10.0.0.5', from: '192.168.78.1' })).toMatchObject({ received: 1 });
      const seen = await capture.stop();
      expect(new Set(seen.map(({ protocol }) => protocol))).toEqual(new Set(['udp']));
      expect(seen.some(({ sport, src }) => src === '203.0.113.40' && sport === 4500)).toBe(true);
    },
    LONG_MS,
  );

  it(
    'to one that calls from anywhere, and moves',
    async () => {
      await lab.apply(documents(lab.tenant));
      // It asks again when its tunnel is gone, or by its next packet.
      const reached = async () => (await ping(home, { to: '10.0.0.5', from: '192.168.78.1', timeoutMs: 500 })).received;
      await expect.poll(reached, { timeout: 60_000 }).toBe(1);
      await connected('home', 'Up');
      expect(await ping(web(), { to: '192.168.78.1' })).toMatchObject({ received: 1 });
      const inet = lab.topology.inet.namespace;
      await inet.ip([`address add ${HOME.next}/32 dev lo`]);
      const translation = (verb: string, to: string) =>
        inet.exec(`iptables -t nat ${verb} POSTROUTING -s ${HOME.own} -j SNAT --to-source ${to} --random`.split(' '));
      await translation('-I', HOME.next);
      await inet.exec(['conntrack', '-D', '-s', HOME.own]);
      await expect.poll(reached, { timeout: 60_000 }).toBe(1);
      await expect
        .poll(async () => (await rowOf('home'))?.['endpoint'], { timeout: 20_000 })
        .toMatch(new RegExp(`^${HOME.next}:`));
      expect(await ping(web(), { to: '192.168.78.1' })).toMatchObject({ received: 1 });
    },
    LONG_MS,
  );

  it(
    'over IPv6, that carries IPv4',
    async () => {
      await connected('six', 'Up');
      expect(await ping(web(), { to: '192.168.77.1', count: 3 })).toMatchObject({ received: 3 });
    },
    LONG_MS,
  );

  it(
    'notices that a way is cut, leaves the other one alone, and is back by itself',
    async () => {
      const cut = (verb: string) =>
        lab.topology.inet.namespace.exec(['ip6tables', verb, 'INPUT', '-s', '2001:db8:e::40', '-j', 'DROP']);
      await cut('-I');
      await connected('six', 'Down');
      expect(await rowOf('six')).toMatchObject({
        state: 'Down',
        reason: 'the other end does not answer',
      });
      expect(await ping(web(), { to: '192.168.78.1' })).toMatchObject({ received: 1 });
      await cut('-D');
      await connected('six', 'Up');
      expect(await ping(web(), { to: '192.168.77.1' })).toMatchObject({ received: 1 });
    },
    LONG_MS,
  );
});
