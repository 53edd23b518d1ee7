import { beforeAll, describe, expect, it } from 'vitest';
import { ports, serve } from '../support/gateway-lab.js';
import { overTcp, overUdp } from '../support/reach.js';
import { useCluster } from './lab/use-cluster.js';

// Two tenants with the same addresses, a gateway for each, from the overlays of manifests/: `blue` on the first node, its
// sysctls by the kubelet; `green` on the second, whose kubelet allows none, its sysctls by the CNI.

const vms = { web: '10.0.0.5/24', app: '10.0.0.6/24' };
const lab = useCluster({ vms: { blue: vms, green: vms }, single: ['blue', 'green'] });
const client = '198.51.100.1';
const tenants = [
  { tenant: 'blue', own: '203.0.113.10', shared: '203.0.113.20', added: '203.0.113.30' },
  { tenant: 'green', own: '203.0.113.110', shared: '203.0.113.120', added: '203.0.113.130' },
];

const NET_ADMIN_AND_NET_RAW = '0000000000003000';
/** A frame lost on a busy machine is sent again after so long. */
const PATIENCE_MS = 10_000;

beforeAll(() => serve(lab.inet, ...tenants.flatMap(({ tenant }) => [lab.vm(tenant, 'web'), lab.vm(tenant, 'app')])));

describe.each(tenants)('the gateway of $tenant', ({ tenant, own, shared, added }) => {
  const connect = async () => (await lab.inet.agent()).tcpConnect({ to: own, from: client, port: ports.tcp });

  it('carries elastic IPs both ways', async () => {
    const [inet, web, app] = await Promise.all(
      [lab.inet, lab.vm(tenant, 'web'), lab.vm(tenant, 'app')].map((host) => host.agent()),
    );
    if (!inet || !web || !app) throw new Error('an agent is missing');
    for (const over of [overTcp, overUdp]) {
      expect(await over(inet, { to: own, from: client })).toEqual({ server: `${tenant}-web`, client });
      expect(await over(web, { to: client })).toEqual({ server: 'inet', client: own });
      expect(await over(app, { to: client })).toEqual({ server: 'inet', client: shared });
    }
  });

  it('has two rights, no way to more, and a root that it cannot write to', async () => {
    const gateway = lab.gateway(tenant);
    const status = await gateway.exec(['cat', '/proc/1/status']);
    const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1];
    const sets = ['CapPrm', 'CapEff', 'CapBnd'].map(field);
    expect(sets).toEqual([NET_ADMIN_AND_NET_RAW, NET_ADMIN_AND_NET_RAW, NET_ADMIN_AND_NET_RAW]);
    expect({ newPrivileges: field('NoNewPrivs'), seccomp: field('Seccomp') }).toEqual({
      newPrivileges: '1',
      seccomp: '2',
    });
    const attempts = '/x /etc/x /opt/vpcgw/x /etc/vpcgw/x'.split(' ');
    for (const path of attempts) expect(await gateway.exec(['touch', path], [1])).toBe('');
  });

  it('lacks nothing that a gateway needs of a pod', async () => {
    const findings = JSON.parse(await lab.gateway(tenant).exec(['vpcgw', 'preflight', '--json'])) as {
      check: string;
      state: string;
    }[];
    expect(findings.filter(({ state }) => state === 'Missing')).toEqual([]);
    expect(findings.filter(({ check, state }) => check.startsWith('sysctl') && state !== 'Ok')).toEqual([]);
  });

  it('takes over an edited ConfigMap, and keeps connections', async () => {
    const connection = await connect();
    const elasticIp = { apiVersion: 'vpcgw.io/v1alpha1', kind: 'ElasticIP', metadata: { name: 'added' } };
    const spec = { address: added, target: { address: '10.0.0.6' } };
    await lab.gateway(tenant).edit('added.yaml', JSON.stringify({ ...elasticIp, spec }));
    const reached = await overTcp(await lab.inet.agent(), { to: added, from: client });
    expect(reached).toEqual({ server: `${tenant}-app`, client });
    expect(await connection.isAlive(PATIENCE_MS)).toBe(true);
    await connection.close();
  });

  it('keeps connections when its supervisor is killed, and is ready again by itself', async () => {
    const gateway = lab.gateway(tenant);
    const [connection, before] = [await connect(), await gateway.pod()];
    const stream = await (
      await lab.inet.agent()
    ).udpStream({ to: own, from: client, port: ports.udpEcho, intervalMs: 20 });
    await gateway.node.killContainer(before);
    const restarted = await gateway.readyAfter(before);
    expect(restarted.metadata.uid).toBe(before.metadata.uid);
    expect((await stream.stop(PATIENCE_MS)).lost).toEqual([]);
    expect(await connection.isAlive(PATIENCE_MS)).toBe(true);
    await connection.close();
    const reached = await overTcp(await lab.inet.agent(), { to: added, from: client });
    expect(reached).toEqual({ server: `${tenant}-app`, client });
  });
});

describe('both gateways', () => {
  it('go on without the API server, also when a supervisor is killed meanwhile', async () => {
    const { controlPlane } = lab.cluster;
    const inet = await lab.inet.agent();
    const streams = await Promise.all(
      tenants.map(({ own: to }) => inet.udpStream({ to, from: client, port: ports.udpEcho, intervalMs: 20 })),
    );
    const blue = lab.gateway('blue');
    const before = await blue.pod();
    await controlPlane.killApiServer();
    try {
      await blue.node.killContainer(before);
      await blue.readyWithoutServer(before);
      for (const { tenant, own } of tenants)
        expect(await overTcp(inet, { to: own, from: client })).toEqual({ server: `${tenant}-web`, client });
    } finally {
      controlPlane.startApiServer();
      await controlPlane.ready();
    }
    for (const stream of streams) expect((await stream.stop(PATIENCE_MS)).lost).toEqual([]);
    await Promise.all(tenants.map(({ tenant }) => lab.gateway(tenant).ready()));
  });
});
