import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { elasticIp, gateway, snatRule } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { overTcp } from '../support/reach.js';

// A pool whose one address has given nearly all its ports away towards one far end, and a VM that holds too much open.

const first = '203.0.113.20';
const second = '203.0.113.41';
const farEnd = '198.51.100.1';
const used = 59_000;
const maxConnections = 20;

/** What the address would hold after as many flows, each from a port of its own. */
const flowsOf = (address: string): string =>
  Array.from({ length: used }, (_, index) => {
    const port = 1024 + index;
    const way = `-s 10.0.0.5 -d ${farEnd} --sport ${port} --dport 9 -r ${farEnd} -q ${address}`;
    return `-I -p udp ${way} --reply-port-src 9 --reply-port-dst ${port} -t 120\n`;
  }).join('');

interface PortRow {
  address: string;
  headroom: number;
}

describe('a pool of two elastic IPs', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app'] }],
    documents: (tenant) => [
      gateway(tenant, { spec: { limits: { connectionsPerSource: maxConnections } } }),
      elasticIp('first', first),
      elasticIp('second', second),
      snatRule('all', ['10.0.0.0/24'], ['first', 'second']),
    ],
  });

  beforeAll(async () => serve(lab.topology.inet));

  const leavesBy = async (vm: string): Promise<string> => {
    const reached = await overTcp(await lab.vm(vm), { to: farEnd });
    return 'client' in reached ? reached.client : reached.error;
  };

  it('spills over from the one whose ports are used up, says so, and comes back', async () => {
    const vm = (await leavesBy('web')) === first ? 'web' : 'app';
    const [own, other] = (await leavesBy(vm)) === first ? [first, second] : [second, first];
    const flows = join(lab.supervisor().stateDirectory, 'flows');
    writeFileSync(flows, flowsOf(own));
    await lab.tenant.gateway.exec(['conntrack', '-R', flows], { timeoutMs: 50_000 });
    const supervisor = lab.supervisor();
    const full = (status: object): boolean =>
      JSON.stringify(status).includes(`nearly used up: ${own}`) && JSON.stringify(status).includes('NearlyUsedUp');
    await supervisor.statusWhen(full);
    expect(await leavesBy(vm)).toBe(other);
    const rows = JSON.parse((await supervisor.get('/v1/show/ports')).text) as PortRow[];
    expect(rows.find((row) => row.address === own)?.headroom).toBeCloseTo(1 - used / 64_512, 2);
    expect(
      (await supervisor.metrics()).value('vpcgw_port_headroom', { name: own === first ? 'first' : 'second' }),
    ).toBeLessThan(0.1);
    await lab.tenant.gateway.exec(['conntrack', '-D', '-p', 'udp', '-q', own], { timeoutMs: 50_000 });
    await supervisor.statusWhen((status) => !full(status));
    expect(await leavesBy(vm)).toBe(own);
  });

  it('lets one VM hold so many connections open and no more', async () => {
    const connections = await (
      await lab.vm('app')
    ).tcpConnectMany({
      targets: [{ to: farEnd, port: ports.tcp }],
      count: maxConnections + 10,
      timeoutMs: 1500,
    });
    expect(connections.greetings.length).toBeGreaterThan(maxConnections / 2);
    expect(connections.greetings.length).toBeLessThanOrEqual(maxConnections);
    expect(await leavesBy('web')).toMatch(/203\.0\.113/);
    await connections.close();
  });
});
