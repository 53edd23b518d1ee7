import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { TopView } from '../../gateway/insight/top/top.js';
import { elasticIp, gateway } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';

// What passes elastic IPs, while it passes.

const program = fileURLToPath(new URL('../../dist/vpcgw.js', import.meta.url));

describe('top', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app'] }],
    documents: (tenant) => [
      gateway(tenant),
      elasticIp('web', '203.0.113.10', { target: '10.0.0.5', bandwidth: { ingress: '8M' } }),
      elasticIp('app', '2001:db8:e::20', { target: 'fd00:a::6' }),
      elasticIp('idle', '203.0.113.30'),
    ],
  });
  beforeAll(() => serve(lab.topology.inet, lab.tenant.vm('web'), lab.tenant.vm('app')));
  const view = async (): Promise<TopView> => {
    const { status, text } = await lab.supervisor().get('/v1/top');
    expect({ status, text }).toMatchObject({ status: 200 });
    return JSON.parse(text) as TopView;
  };

  it('tells rates, connections and drops of each, the busiest first', async () => {
    const inet = await lab.inet();
    const held = await inet.tcpConnect({ to: '2001:db8:e::20', port: ports.tcp, from: '2001:db8:1::1' });
    // What comes back is not limited, so that the limit of what goes in is the rate.
    const transfer = inet.transfer({ to: '203.0.113.10', port: ports.tcp, bytes: 4_000_000, timeoutMs: 60_000 });
    let busy: TopView['rows'][number] | undefined;
    await expect
      .poll(
        async () => {
          const { rows, total, connectionsMax } = await view();
          expect({ total, names: rows.map(({ name }) => name).sort() }).toEqual({
            total: 3,
            names: ['app', 'idle', 'web'],
          });
          expect(connectionsMax).toBeGreaterThan(0);
          [busy] = rows;
          expect(rows.find(({ name }) => name === 'app')?.connections).toBe(1);
          expect(rows.find(({ name }) => name === 'idle')).toMatchObject({ ingress: 0, egress: 0, connections: 0 });
          return busy?.name === 'web' && busy.connections === 1 && busy.ingress > 4e6;
        },
        { timeout: 30_000 },
      )
      .toBe(true);
    expect(busy?.ingress).toBeLessThan(9e6);
    await transfer;
    expect(await held.isAlive()).toBe(true);
    await held.close();
  });

  it('is drawn once for who has no terminal, sorted as asked', () => {
    const args = ['top', '--socket', lab.supervisor().socketPath, '--sort', 'name'];
    const { status, stdout } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', timeout: 30_000 });
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^3 elastic IPs {2}\d+ of \d+ connections\ndropped packets: .*\n\nELASTIC IP +ADDRESS +INGRESS/,
    );
    expect([...stdout.matchAll(/^(\w+) {2}/gm)].map(([, name]) => name)).toEqual(['app', 'idle', 'web']);
  });
});
