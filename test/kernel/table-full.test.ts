import { readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { smallGateway } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { silenceMs } from '../support/reach.js';

// The size of the connection table belongs to the whole machine, so it is made small only where the machine is a test's.

const SIZE = '/proc/sys/net/netfilter/nf_conntrack_max';
const size = 40;

describe('a connection table that is full', () => {
  const lab = useGatewayLab({ tenants: [{ name: 'blue', vms: ['web'] }], documents: smallGateway });
  beforeAll(() => serve(lab.topology.inet, lab.tenant.vm('web')));

  it('takes no more, which is counted, and has room again', async () => {
    const dropped = async (): Promise<number> =>
      (await lab.supervisor().metrics()).value('vpcgw_drops_total', { reason: 'ConntrackFull' });
    const inet = await lab.inet();
    const open = (count: number) =>
      inet.tcpConnectMany({ targets: [{ to: '203.0.113.10', port: ports.tcp }], count, timeoutMs: 5 * silenceMs });
    const before = await dropped();
    const former = readFileSync(SIZE, 'utf8');
    writeFileSync(SIZE, `${size}`);
    try {
      const opened = await open(2 * size);
      expect(opened.greetings.length).toBeLessThanOrEqual(size);
      expect(opened.greetings.length).toBeGreaterThan(size / 2);
      expect(await dropped()).toBeGreaterThan(before);
      await opened.close({ reset: true });
    } finally {
      writeFileSync(SIZE, former);
    }
    const after = await open(size);
    expect(after.greetings).toHaveLength(size);
    await after.close({ reset: true });
  });
});
