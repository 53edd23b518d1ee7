import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dedicatedLine, gateway } from '../support/documents.js';
import { serve, useGatewayLab } from '../support/gateway-lab.js';
import { overTcp, silence, silenceMs } from '../support/reach.js';
import { Site } from '../support/site.js';

// A line on a VLAN of a port, beside one on the port itself; and what a kernel without VLANs says of it.

const hasVlans = ((): boolean => {
  const name = `vlt${process.pid}`;
  spawnSync('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`]);
  const made =
    spawnSync('ip', ['link', 'add', 'link', name, 'name', `${name}v`, 'type', 'vlan', 'id', '1']).status === 0;
  spawnSync('ip', ['link', 'delete', name]);
  return made;
})();

describe('a line on a VLAN', () => {
  let site: Site;
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web'] }],
    documents: (tenant) => [
      gateway(tenant),
      dedicatedLine('plain', { number: 0, port: 'line0', networks: ['172.20.0.0/16', 'fd00:20::/48'] }),
      dedicatedLine('tagged', { number: 1, port: 'line1', vlan: 100, networks: ['172.21.0.0/16', 'fd00:21::/48'] }),
    ],
    prepare: async ({ tenants: [tenant] }) => {
      if (!tenant) return;
      site = await Site.create(tenant.gateway, {
        lines: [{ name: 'line0' }, { name: 'line1', ...(hasVlans ? { vlan: 100 } : {}) }],
        addresses: ['172.20.0.1', '172.21.0.1', 'fd00:20::1', 'fd00:21::1'],
        networks: ['10.0.0.0/24', 'fd00:a::/64'],
      });
    },
  });
  beforeAll(() => serve(lab.tenant.vm('web'), site.host));
  afterAll(() => site?.delete());

  it.runIf(hasVlans)('carries both families, tagged', async () => {
    for (const [line, addresses] of [
      ['172.20.0.1', 'fd00:20::1'],
      ['172.21.0.1', 'fd00:21::1'],
    ].entries()) {
      await site.prefers(line);
      for (const to of addresses)
        expect(await overTcp(await lab.vm('web'), { to })).toMatchObject({ server: site.router.label });
    }
    const { stdout } = await lab.tenant.gateway.exec(['ip', '-d', '-o', 'link', 'show', 'vg-line1.100']);
    expect(stdout).toContain('vlan protocol 802.1Q id 100');
  });

  it.runIf(!hasVlans)('says what the kernel lacks, and leaves the line on the port alone', async () => {
    const status = await lab.supervisor().statusWhen(({ objects }) => JSON.stringify(objects).includes('NoVlan'));
    expect(JSON.stringify(status.objects)).toContain('this kernel has no VLANs (CONFIG_VLAN_8021Q)');
    expect(await overTcp(await lab.vm('web'), { to: '172.20.0.1' })).toMatchObject({ server: site.router.label });
    // Refused at once, and never sent to the internet.
    const reached = await overTcp(await lab.vm('web'), { to: '172.21.0.1', timeoutMs: silenceMs });
    expect(reached).not.toEqual(silence);
    expect(reached).toMatchObject({ error: expect.stringMatching(/EHOSTUNREACH|ENETUNREACH/) as unknown });
  });
});
