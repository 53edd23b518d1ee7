import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serve } from '../support/gateway-lab.js';
import { overTcp, overUdp } from '../support/reach.js';
import { useCluster } from './lab/use-cluster.js';

// Two tenants with the same addresses, a gateway for each, from the overlays of manifests/: `blue` on the first node, its
// sysctls by the kubelet; `green` on the second, whose kubelet allows none, its sysctls by the CNI.

const lab = useCluster({
  vms: { blue: { web: '10.0.0.5/24', app: '10.0.0.6/24' }, green: { web: '10.0.0.5/24', app: '10.0.0.6/24' } },
});

describe('a gateway on Kubernetes', () => {
  beforeAll(async () => {
    await serve(lab.inet, lab.vm('blue', 'web'), lab.vm('green', 'web'));
  });
  it.each([
    ['blue', '203.0.113.10', '203.0.113.20'],
    ['green', '203.0.113.110', '203.0.113.120'],
  ])('carries the elastic IPs of %s both ways', async (tenant, own, shared) => {
    const [inet, web, app] = await Promise.all([
      lab.inet.agent(),
      lab.vm(tenant, 'web').agent(),
      lab.vm(tenant, 'app').agent(),
    ]);
    const client = '198.51.100.1';
    for (const over of [overTcp, overUdp]) {
      expect(await over(inet, { to: own, from: client })).toEqual({ server: `${tenant}-web`, client });
      expect(await over(web, { to: client })).toEqual({ server: 'inet', client: own });
      expect(await over(app, { to: client })).toEqual({ server: 'inet', client: shared });
    }
  });
});

afterAll(() => undefined);
