import { describe, expect, it } from 'vitest';
import { dnatRule, elasticIp, gateway, snatRule } from '../support/documents.js';
import { usePairLab } from '../support/pair-lab.js';

const PAIR = { highAvailability: { mode: 'AcrossNodes' } };

describe('a pair', () => {
  const lab = usePairLab({
    vms: ['web', 'app'],
    documents: (tenant) => [
      gateway(tenant, { spec: PAIR }),
      elasticIp('web', '203.0.113.10', { target: '10.0.0.5' }),
      elasticIp('nat', '203.0.113.20'),
      snatRule('all', ['10.0.0.0/24'], ['nat']),
      dnatRule('echo', { elasticIP: 'nat', protocol: 'TCP', port: 2200, target: '10.0.0.6', targetPort: 80 }),
    ],
  });

  it('has one active member, and only that one holds the lease', async () => {
    const { active, standby } = await lab.settled();
    expect([await active.holdsLease(), await standby.holdsLease()]).toEqual([true, false]);
  });
});
