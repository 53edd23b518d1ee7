import { describe, expect, it } from 'vitest';
import { elasticIp, gateway, ipsecConnection, snatRule } from '../support/documents.js';
import { serve, useGatewayLab } from '../support/gateway-lab.js';
import { kernelHasEsp } from '../support/plain-ipsec.js';
import { Keys } from '../support/plain-wireguard.js';
import { overTcp, silenceMs } from '../support/reach.js';

// A tunnel of IPsec where the kernel has no ESP, or the key cannot be used: what is said, and what is not touched. With
// ESP, the packets are in test/kernel/ipsec.test.ts.

describe('IPsec that cannot be', () => {
  const keys = new Keys();
  keys.write('site.psk', 'spoilt by a newline\n');
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web'] }],
    documents: (tenant) => [
      gateway(tenant),
      elasticIp('nat', '203.0.113.20'),
      elasticIp('vpn', '203.0.113.40'),
      snatRule('all', ['10.0.0.0/24'], ['nat']),
      ipsecConnection('site', {
        elasticIP: 'vpn',
        peer: '198.51.100.1',
        networks: ['198.51.100.8/30'],
        psk: 'site.psk',
      }),
    ],
    supervisor: { args: keys.args },
  });

  it('says why on its own document, and leaves the rest at work', async () => {
    const reason = kernelHasEsp ? 'KeyUnusable' : 'NoIpsec';
    const { objects } = await lab.supervisor().status();
    const ready = Object.fromEntries(
      (objects as unknown as { kind: string; name: string; conditions: Condition[] }[]).map(
        ({ kind, name, conditions }) => [`${kind}/${name}`, conditions.find(({ type }) => type === 'Ready')],
      ),
    );
    expect(ready['VpnConnection/site']).toMatchObject({ status: 'False', reason });
    if (!kernelHasEsp) expect(ready['VpnConnection/site']?.message).toMatch(/^this kernel has no ESP/);
    for (const other of ['VpcGateway/blue', 'ElasticIP/nat', 'SnatRule/all'])
      expect(ready[other], other).toMatchObject({ status: 'True' });
    await serve(lab.topology.inet);
    expect(await overTcp(await lab.vm('web'), { to: '198.51.100.1' })).toMatchObject({ client: '203.0.113.20' });
  });

  it('sends nothing for the site to the internet', async () => {
    expect(await overTcp(await lab.vm('web'), { to: '198.51.100.9', timeoutMs: silenceMs })).toMatchObject({
      error: expect.stringMatching(/EHOSTUNREACH|ENETUNREACH/) as unknown,
    });
  });

  it('starts no daemon', () => {
    expect(
      lab
        .supervisor()
        .logged('started')
        .filter(({ daemon }) => daemon === 'ipsec'),
    ).toEqual([]);
  });
});

interface Condition {
  type: string;
  status: string;
  reason: string;
  message: string;
}
