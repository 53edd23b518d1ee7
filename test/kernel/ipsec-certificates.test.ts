import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { Authority, type Certificate } from '../support/certificates.js';
import { elasticIp, gateway, ipsecConnection } from '../support/documents.js';
import { useGatewayLab } from '../support/gateway-lab.js';
import { ping } from '../support/ping.js';
import { PlainIpsec, type PlainIpsecOptions } from '../support/plain-ipsec.js';
import { Keys } from '../support/plain-wireguard.js';

// A tunnel of IPsec whose ends show certificates to each other.

const EIP = '203.0.113.40';
const SITE = '198.51.100.1';
const NETWORK = '192.168.77.0/24';
const INNER = '192.168.77.1';
const LONG_MS = 120_000;

describe('IPsec by certificates', () => {
  const keys = new Keys();
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web'] }],
    documents: (tenant) => [
      gateway(tenant),
      elasticIp('vpn', EIP),
      ipsecConnection('site', {
        elasticIP: 'vpn',
        peer: SITE,
        networks: [NETWORK],
        localNetworks: ['10.0.0.0/24'],
        certificates: ['gw.crt', 'gw.key', 'ca.crt'],
        more: { peerId: 'site.example.com' },
      }),
    ],
    supervisor: { args: keys.args },
  });
  let ours: Authority;
  let others: Authority;
  let site: PlainIpsec;
  let theirs: PlainIpsecOptions;

  const lay = ({ cert, key }: Certificate): void => {
    keys.write('gw.key', readFileSync(key, 'utf8'));
    keys.write('gw.crt', readFileSync(cert, 'utf8'));
  };
  const web = () => lab.tenant.vm('web').namespace;
  const conditionOf = (type: string, reason: string) =>
    lab.supervisor().statusWhen(({ objects }) => {
      const found = objects.find(({ kind }) => kind === 'VpnConnection') as unknown as {
        conditions: { type: string; reason: string }[];
      };
      return found.conditions.some((each) => each.type === type && each.reason === reason);
    }, 60_000);
  const reason = async () =>
    (JSON.parse((await lab.supervisor().get('/v1/show/vpn')).text) as { reason: string }[])[0]?.reason;

  beforeAll(async () => {
    [ours, others] = [await Authority.create(), await Authority.create('another authority')];
    const signed = await ours.sign('site', '/CN=site', 'DNS:site.example.com');
    theirs = {
      own: SITE,
      ownId: 'site.example.com',
      gateway: EIP,
      certificates: { ...signed, ca: ours.ca, gatewayId: 'gw.example.com' },
      addresses: [INNER],
      local: [NETWORK],
      remote: ['10.0.0.0/24'],
    };
    site = await PlainIpsec.create(lab.topology.inet.namespace, theirs);
    keys.write('ca.crt', readFileSync(ours.ca, 'utf8'));
    lay(await ours.sign('gw', '/CN=gw', 'DNS:gw.example.com'));
  }, LONG_MS);

  it(
    'comes up when the files are there, by the name in its certificate',
    async () => {
      await conditionOf('Connected', 'Up');
      expect(await ping(web(), { to: INNER, count: 3 })).toMatchObject({ received: 3 });
      const { config } = JSON.parse((await lab.supervisor().get('/v1/vpn/site/peer-config')).text) as {
        config: string;
      };
      expect(config).toContain('id = "gw.example.com"');
      expect(config).not.toContain('PRIVATE');
    },
    LONG_MS,
  );

  it('says that its certificate, of two days, expires soon', async () => {
    await conditionOf('CertificateLasting', 'ExpiresSoon');
    const endS = (await lab.supervisor().metrics()).value('vpcgw_vpn_certificate_expiry_timestamp_seconds', {
      name: 'site',
    });
    const leftS = (endS ?? 0) - Date.now() / 1000;
    expect(leftS).toBeGreaterThan(0);
    expect(leftS).toBeLessThanOrEqual(2 * 86_400);
  });

  it(
    'takes a renewed one up at once, and nothing but what is under way in that moment is lost',
    async () => {
      const before = await site.spis();
      const pings = web().exec(['ping', '-n', '-q', '-i', '0.05', '-c', '300', INNER], { okExitCodes: [0, 1] });
      const { cert, key } = await ours.sign('renewed', '/CN=gw', 'DNS:gw.example.com');
      keys.write('gw.new', `${readFileSync(key, 'utf8')}${readFileSync(cert, 'utf8')}`);
      keys.swap('gw.new', 'gw.key', 'gw.crt');
      const received = /(\d+) received/.exec((await pings).stdout)?.[1];
      expect(Number(received)).toBeGreaterThanOrEqual(299);
      await expect.poll(() => site.spis(), { timeout: 40_000 }).toHaveLength(2);
      const after = await site.spis();
      expect(after.filter((spi) => before.includes(spi))).toEqual([]);
      await conditionOf('Connected', 'Up');
    },
    LONG_MS,
  );

  it(
    'says that the other end’s is not trusted, and comes up when it is',
    async () => {
      const foreign = await others.sign('foreign', '/CN=site', 'DNS:site.example.com');
      await site.tell({ ...theirs, certificates: { ...foreign, ca: ours.ca, gatewayId: 'gw.example.com' } });
      await site.swanctl('--terminate', '--ike', 'gw', '--timeout', '2');
      await conditionOf('Connected', 'PeerRefuses');
      expect(await reason()).toMatch(/not trusted here/);
      await site.tell(theirs);
      await conditionOf('Connected', 'Up');
    },
    LONG_MS,
  );

  it(
    'says that the other end refuses its own, and which file is at fault where it can know',
    async () => {
      lay(await others.sign('gw', '/CN=gw', 'DNS:gw.example.com'));
      await conditionOf('Connected', 'PeerRefuses');
      expect(await reason()).toMatch(/refuses the key or the certificate/);
      const { cert } = await ours.sign('gw2', '/CN=gw', 'DNS:gw.example.com');
      keys.write('gw.crt', readFileSync(cert, 'utf8'));
      await conditionOf('Ready', 'CertificateUnusable');
      expect(await reason()).toBeUndefined();
      lay(await ours.sign('gw3', '/CN=gw', 'DNS:gw.example.com'));
      await conditionOf('Connected', 'Up');
      expect(lab.supervisor().logs()).not.toContain('PRIVATE KEY');
    },
    LONG_MS,
  );
});
