import { beforeAll, describe, expect, it } from 'vitest';
import { dnatRule, elasticIp, gateway, snatRule } from '../support/documents.js';
import { serve, useGatewayLab } from '../support/gateway-lab.js';
import { pace } from '../support/pace.js';
import { overTcp, silence, silenceMs } from '../support/reach.js';
import type { Tenant } from '../support/topology.js';

// Where no iptables of the nft variant works, the legacy one carries the gateway. Such a machine is made of this one: the
// supervisor has a mount namespace of its own, in which the nft variant's program is one that always fails.

const withoutNft = 'mount --bind "$(readlink -f /bin/false)" "$(readlink -f /usr/sbin/iptables-nft)" && exec "$@"';

const base = (tenant: Tenant) => [
  gateway(tenant),
  elasticIp('web', '203.0.113.10', { target: '10.0.0.5' }),
  elasticIp('web6', '2001:db8:e::10', { target: 'fd00:a::5' }),
  elasticIp('nat', '203.0.113.20'),
  snatRule('all', ['10.0.0.0/24'], ['nat']),
];

describe('iptables of the legacy variant', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app'] }],
    supervisor: { wrapper: ['unshare', '--mount', 'sh', '-c', withoutNft, 'sh'] },
    documents: base,
  });
  beforeAll(() => serve(lab.topology.inet, lab.tenant.vm('web'), lab.tenant.vm('app')));

  const listed = async (...argv: string[]): Promise<string> => (await lab.tenant.gateway.exec(argv)).stdout;

  it('holds all chains, and the nft variant none', async () => {
    for (const program of ['iptables', 'ip6tables'])
      expect(await listed(`${program}-legacy`, '-t', 'nat', '-S', 'PREROUTING')).toContain('-j VG-D');
    expect(await listed('nft', 'list', 'tables')).toBe('table inet vpcgw_guard\n');
    expect(lab.supervisor().logs()).toContain('legacy is used');
  });

  it('leads elastic IPs both ways, in both families', async () => {
    const inet = await lab.inet();
    for (const [eip, client] of [
      ['203.0.113.10', '198.51.100.1'],
      ['2001:db8:e::10', '2001:db8:1::1'],
    ] as const) {
      expect(await overTcp(inet, { to: eip, from: client })).toEqual({ server: 'blue-web', client });
      expect(await overTcp(await lab.vm('web'), { to: client })).toEqual({ server: 'inet', client: eip });
    }
    expect(await overTcp(await lab.vm('app'), { to: '198.51.100.1' })).toEqual({
      server: 'inet',
      client: '203.0.113.20',
    });
  });

  it('takes an edit that does not touch other connections, and takes it back', async () => {
    const inet = await lab.inet();
    const held = await inet.tcpConnect({ to: '203.0.113.10', port: 80 });
    const forward = dnatRule('forward', {
      elasticIP: 'nat',
      protocol: 'TCP',
      port: 8080,
      target: '10.0.0.6',
      targetPort: 80,
    });
    await lab.apply([...base(lab.tenant), forward]);
    expect(await overTcp(inet, { to: '203.0.113.20', port: 8080 })).toMatchObject({ server: 'blue-app' });
    await lab.apply(base(lab.tenant));
    expect(await overTcp(inet, { to: '203.0.113.20', port: 8080, timeoutMs: silenceMs })).toEqual(silence);
    expect(await held.isAlive()).toBe(true);
  });

  it('is mended when somebody flushes it, though the kernel tells nobody', async () => {
    await lab.tenant.gateway.exec(['iptables-legacy', '-t', 'nat', '-F']);
    await expect
      .poll(() => listed('iptables-legacy', '-t', 'nat', '-S', 'PREROUTING'), { timeout: 2_000 * pace, interval: 50 })
      .toContain('-j VG-D');
    expect(await overTcp(await lab.inet(), { to: '203.0.113.10' })).toMatchObject({ server: 'blue-web' });
  });
});
