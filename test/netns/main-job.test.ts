import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Supervisor } from '../support/supervisor.js';
import { showLogsOfFailures } from '../support/show-logs.js';
import { type Tenant, Topology } from '../support/topology.js';

const GATEWAY = (externals: string) => `
apiVersion: vpcgw.io/v1alpha1
kind: VpcGateway
metadata: {name: blue}
spec:
  internal: {interface: vpc0, addresses: [10.0.0.1/24, "fd00:a::1/64"]}
  externals: [${externals}]
`;
const INTERNET =
  '{name: internet, interface: ext0, addresses: [100.64.0.11/24, "2001:db8:ffff::11/64"], gateways: [100.64.0.1, "2001:db8:ffff::1"]}';
const doc = (kind: string, name: string, spec: string): string =>
  `---\napiVersion: vpcgw.io/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${spec}\n`;

describe('the main job', () => {
  let topology: Topology;
  let blue: Tenant;
  let supervisor: Supervisor;
  showLogsOfFailures(() => (supervisor ? [supervisor] : []));

  const documents =
    GATEWAY(INTERNET) +
    doc('ElasticIP', 'web', '{address: 203.0.113.10, target: {address: 10.0.0.5}}') +
    doc('ElasticIP', 'web6', '{address: "2001:db8:e::10", target: {address: "fd00:a::5"}}') +
    doc('ElasticIP', 'nat', '{address: 203.0.113.20}') +
    doc('SnatRule', 'all', '{sources: [{cidr: 10.0.0.0/24}], elasticIPs: [nat]}') +
    doc('DnatRule', 'ssh', '{elasticIP: nat, protocol: TCP, port: 2200, target: {address: 10.0.0.6}, targetPort: 22}');

  beforeAll(async () => {
    topology = await Topology.build({ tenants: [{ name: 'blue', vms: ['web', 'app'] }] });
    blue = topology.tenant('blue');
    supervisor = await Supervisor.start(blue.gateway, { documents });
  });
  afterAll(async () => {
    await supervisor?.stop();
    topology?.destroy();
  });

  it('carries a 1:1 elastic IP in and out', async () => {
    const vm = await blue.vm('web').agent();
    const inet = await topology.inet.agent();
    await vm.tcpServer({ port: 80, mode: 'whoami' });
    await inet.tcpServer({ port: 8080, mode: 'whoami' });
    const inward = await inet.tcpConnect({ to: '203.0.113.10', port: 80 });
    expect(inward.greeting?.server).toBe('blue-web');
    const outward = await vm.tcpConnect({ to: '198.51.100.1', port: 8080 });
    expect(outward.greeting?.remote.address).toBe('203.0.113.10');
    await vm.tcpServer({ port: 81, address: 'fd00:a::5', mode: 'whoami' });
    expect((await inet.tcpConnect({ to: '2001:db8:e::10', port: 81 })).greeting?.server).toBe('blue-web');
  });

  it('shares one elastic IP between SNAT and DNAT', async () => {
    const vm = await blue.vm('app').agent();
    const inet = await topology.inet.agent();
    await vm.tcpServer({ port: 22, mode: 'whoami' });
    const outward = await vm.tcpConnect({ to: '198.51.100.1', port: 8080 });
    expect(outward.greeting?.remote.address).toBe('203.0.113.20');
    const inward = await inet.tcpConnect({ to: '203.0.113.20', port: 2200 });
    expect(inward.greeting?.server).toBe('blue-app');
  });

  it('keeps connections over kill -9 of the supervisor and its restart', async () => {
    const vm = await blue.vm('web').agent();
    const held = await vm.tcpConnect({ to: '198.51.100.1', port: 8080 });
    await supervisor.kill9();
    const fresh = await vm.tcpConnect({ to: '198.51.100.1', port: 8080 });
    expect(fresh.greeting?.remote.address).toBe('203.0.113.10');
    await supervisor.restart();
    expect(held.greeting?.remote.address).toBe('203.0.113.10');
  });

  it('lets a VM reach another, and itself, through an elastic IP', async () => {
    const app = await blue.vm('app').agent();
    const web = await blue.vm('web').agent();
    expect((await app.tcpConnect({ to: '203.0.113.10', port: 80 })).greeting?.remote.address).toBe('203.0.113.20');
    expect((await web.tcpConnect({ to: '203.0.113.10', port: 80 })).greeting?.remote.address).toBe('203.0.113.10');
  });
});
