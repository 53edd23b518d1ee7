import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { Capture } from '../support/capture.js';
import { elasticIp, gateway, ipsecConnection, snatRule } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { ping } from '../support/ping.js';
import { PlainIpsec, type PlainIpsecOptions } from '../support/plain-ipsec.js';
import { Keys } from '../support/plain-wireguard.js';
import { overTcp, overUdp, silence, silenceMs } from '../support/reach.js';
import type { Tenant } from '../support/topology.js';

// A tunnel of IPsec between a gateway and a strongSwan that was set up by hand. What holds of tunnels whatever they are
// made of is in test/netns/vpn.test.ts.

const EIP = '203.0.113.40';
const SITE = '198.51.100.1';
const PSK = 'correct-horse-battery';
const inners = [
  { inner: 'IPv4', vm: '10.0.0.5', address: '192.168.77.1' },
  { inner: 'IPv6', vm: 'fd00:a::5', address: 'fd00:77::1' },
];
const LOCAL = ['10.0.0.0/24', 'fd00:a::/64'];
const NETWORKS = ['192.168.77.0/24', 'fd00:77::/64'];
const LONG_MS = 120_000;

describe('IPsec', () => {
  const keys = new Keys();
  keys.write('site.psk', PSK);
  const documents = (tenant: Tenant, more: Readonly<Record<string, unknown>> = {}) => [
    gateway(tenant),
    elasticIp('nat', '203.0.113.20'),
    elasticIp('vpn', EIP, { target: '10.0.0.6' }),
    snatRule('all', ['10.0.0.0/24'], ['nat']),
    ipsecConnection('site', { elasticIP: 'vpn', peer: SITE, networks: NETWORKS, psk: 'site.psk', more }),
  ];
  const theirs: PlainIpsecOptions = {
    own: SITE,
    gateway: EIP,
    psk: PSK,
    addresses: [...inners.map(({ address }) => address), '192.168.78.1'],
    local: [...NETWORKS, '192.168.78.0/24'],
    remote: LOCAL,
  };
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app'] }],
    documents: (tenant) => documents(tenant),
    supervisor: { args: keys.args },
  });
  let site: PlainIpsec;

  beforeAll(async () => {
    site = await PlainIpsec.create(lab.topology.inet.namespace, theirs);
    await serve(lab.tenant.vm('web'), lab.tenant.vm('app'));
    const inet = await lab.inet();
    await inet.tcpServer({ port: ports.tcp });
    for (const { address } of inners) await inet.udpServer({ port: ports.udp, address, mode: 'whoami' });
  }, LONG_MS);

  /** As the condition of the document says it. */
  const connected = (reason: string) =>
    lab.supervisor().statusWhen(({ objects }) => {
      const found = objects.find(({ kind }) => kind === 'VpnConnection') as unknown as {
        conditions: { type: string; reason: string }[];
      };
      return found.conditions.some(({ type, reason: why }) => type === 'Connected' && why === reason);
    }, 60_000);
  const web = () => lab.tenant.vm('web').namespace;
  const daemon = (): number =>
    Number(
      lab
        .supervisor()
        .logged('"msg":"started"')
        .filter(({ daemon: name }) => name === 'ipsec').length,
    );

  it(
    'comes up by itself, and sends from its elastic IP alone',
    async () => {
      await connected('Up');
      const capture = await Capture.start(lab.tenant.gateway, {
        interface: 'ext0',
        filter: `ip proto 50 and host ${SITE} or host 192.168.77.1`,
      });
      expect(await ping(web(), { to: '192.168.77.1', count: 3 })).toEqual({ received: 3, errors: [] });
      const seen = await capture.stop();
      expect(new Set(seen.map(({ src }) => src))).toEqual(new Set([EIP, SITE]));
    },
    LONG_MS,
  );

  describe.each(inners)('carries $inner', ({ vm, address }) => {
    it('from the VPC, whose own addresses the site sees', async () => {
      const client = lab.tenant.vm('app').addresses.find((own) => own.includes(':') === vm.includes(':'));
      expect(await overTcp(await lab.vm('app'), { to: address })).toMatchObject({ client });
      expect(await overUdp(await lab.vm('app'), { to: address })).toMatchObject({ client });
    });

    it('from the site, whose own address the VM sees', async () => {
      const from = { from: address, to: vm };
      expect(await overTcp(await lab.inet(), from)).toEqual({ server: 'blue-web', client: address });
      expect(await overUdp(await lab.inet(), from)).toEqual({ server: 'blue-web', client: address });
    });

    it('64 KB, intact', async () => {
      const report = await (await lab.vm('web')).transfer({ to: address, port: ports.tcp, bytes: 65_536 });
      expect(report.intact).toBe(true);
    });
  });

  it('nothing from an address that is not the site’s', async () => {
    const capture = await Capture.start(web(), { interface: 'eth0', filter: 'udp port 53' });
    const from = { from: '192.168.78.1', to: '10.0.0.5', timeoutMs: silenceMs };
    expect(await overUdp(await lab.inet(), from)).toEqual(silence);
    expect(await capture.stop()).toEqual([]);
  });

  it('leaves all else of its elastic IP to whom it is bound', async () => {
    expect(await overTcp(await lab.inet(), { from: '198.51.100.2', to: EIP })).toMatchObject({ server: 'blue-app' });
  });

  it(
    'gets new keys without a lost ping',
    async () => {
      const before = await site.spis();
      const pings = web().exec(['ping', '-n', '-q', '-i', '0.05', '-c', '80', '192.168.77.1'], { okExitCodes: [0, 1] });
      await site.swanctl('--rekey', '--child', 'net');
      expect((await pings).stdout).toContain('80 received');
      await expect.poll(() => site.spis(), { timeout: 20_000 }).toHaveLength(2);
      expect(await site.spis()).not.toEqual(before);
    },
    LONG_MS,
  );

  it(
    'is not touched by an edit that does not concern it, nor by the supervisor’s death',
    async () => {
      const before = await site.spis();
      await lab.apply([...documents(lab.tenant), elasticIp('other', '203.0.113.41')]);
      await lab.supervisor().kill9();
      expect(await ping(web(), { to: '192.168.77.1' })).toMatchObject({ received: 1 });
      lab.supervisor().relaunch();
      await lab.supervisor().ready();
      await connected('Up');
      expect(await site.spis()).toEqual(before);
    },
    LONG_MS,
  );

  it(
    'stands again when its daemon was killed',
    async () => {
      const started = daemon();
      const { stdout } = await lab.tenant.gateway.exec(['ip', 'netns', 'pids', lab.tenant.gateway.name]);
      const charon = stdout.split('\n').filter((pid) => pid !== '' && commandOf(pid).includes('charon'));
      expect(charon).toHaveLength(1);
      process.kill(Number(charon[0]), 'SIGKILL');
      await expect.poll(daemon, { timeout: 20_000 }).toBe(started + 1);
      await expect
        .poll(async () => (await ping(web(), { to: '192.168.77.1', timeoutMs: 500 })).received, { timeout: 30_000 })
        .toBe(1);
      await connected('Up');
      // Nothing of the former one's is left.
      await expect.poll(() => statesOf(lab.tenant), { timeout: 20_000 }).toHaveLength(2);
    },
    LONG_MS,
  );

  it(
    'says that the two keys differ, and comes up when they do no more',
    async () => {
      const told = () => lab.supervisor().logged('"msg":"told"').length;
      const before = told();
      keys.write('site.psk', 'another-horse');
      await expect.poll(told, { timeout: 20_000 }).toBe(before + 1);
      await site.swanctl('--terminate', '--ike', 'gw', '--timeout', '2');
      await connected('PeerRefuses');
      const rows = JSON.parse((await lab.supervisor().get('/v1/show/vpn')).text) as Record<string, unknown>[];
      expect(rows).toMatchObject([{ connection: 'site', peer: SITE, state: 'Down' }]);
      expect(rows[0]?.['reason']).toMatch(/refuses the key/);
      expect(await overTcp(await lab.vm('web'), { to: '192.168.77.1', timeoutMs: silenceMs })).toHaveProperty('error');
      keys.write('site.psk', PSK);
      await connected('Up');
      expect(await ping(web(), { to: '192.168.77.1' })).toMatchObject({ received: 1 });
    },
    LONG_MS,
  );

  it(
    'says what the other side must set, without the key',
    async () => {
      const { config } = JSON.parse((await lab.supervisor().get('/v1/vpn/site/peer-config')).text) as {
        config: string;
      };
      expect(config).toContain(`remote_addrs = ${EIP}`);
      expect(config).not.toContain(PSK);
      const state = await lab.tenant.gateway.exec(['ip', '-d', 'link', 'show', 'vw-site']);
      expect(state.stdout).toContain('mtu 1415');
      expect(lab.supervisor().logs()).not.toContain(PSK);
    },
    LONG_MS,
  );

  it(
    'ends with its document',
    async () => {
      await lab.apply([gateway(lab.tenant)]);
      await expect.poll(() => statesOf(lab.tenant), { timeout: 20_000 }).toEqual([]);
      expect((await lab.tenant.gateway.exec(['ip', 'link'])).stdout).not.toContain('vw-site');
    },
    LONG_MS,
  );
});

async function statesOf(tenant: Tenant): Promise<string[]> {
  const { stdout } = await tenant.gateway.exec(['ip', 'xfrm', 'state']);
  return stdout.match(/proto esp spi \S+/g) ?? [];
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
