import { beforeAll, describe, expect, it } from 'vitest';
import type { Agent } from '../support/agent.js';
import {
  addressGroup,
  type Document,
  dnatRule,
  elasticIp,
  firewallBaseline,
  firewallPolicy,
  gateway,
  snatRule,
} from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { overTcp, overUdp, silence, silenceMs } from '../support/reach.js';

// Who may open connections: towards elastic IPs, judged on the public address and port, and out of the VPC.

const families = [
  { eip: '203.0.113.10', pool: '203.0.113.20', vm: '10.0.0.', client: '198.51.100.1', vpc: '10.0.0.0/24' },
  { eip: '2001:db8:e::10', pool: '2001:db8:e::20', vm: 'fd00:a::', client: '2001:db8:1::1', vpc: 'fd00:a::/64' },
];

const refused = { error: 'ECONNREFUSED' };

describe('a firewall policy', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app', 'db'] }],
    documents: () => documents(),
  });
  let inet: Agent;
  let web: Agent;
  let app: Agent;

  beforeAll(async () => {
    await serve(lab.topology.inet, ...['web', 'app', 'db'].map((name) => lab.tenant.vm(name)));
    inet = await lab.inet();
    web = await lab.vm('web');
    app = await lab.vm('app');
  });

  const documents = (...more: readonly Document[]): Document[] => [
    gateway(lab.tenant),
    ...families.flatMap(({ eip, pool, vm, vpc }, i) => [
      elasticIp(`web${i}`, eip, { target: `${vm}5`, labels: { tier: 'front' } }),
      elasticIp(`pool${i}`, pool),
      snatRule(`all${i}`, [vpc], [`pool${i}`]),
      dnatRule(`db${i}`, { elasticIP: `pool${i}`, protocol: 'TCP', port: 8080, target: `${vm}7`, targetPort: 80 }),
    ]),
    ...more,
  ];
  const of = (...names: string[]) => ({ elasticIPs: names.flatMap((name) => [`${name}0`, `${name}1`]) });

  it('lets in what it allows, and closes the rest of its elastic IP', async () => {
    await lab.apply(
      documents(firewallPolicy('web', of('web'), [{ action: 'Allow', ports: [{ protocol: 'TCP', port: 80 }] }])),
    );
    for (const { eip, pool, client } of families) {
      expect(await overTcp(inet, { to: eip, from: client })).toEqual({ server: 'blue-web', client });
      expect(await overUdp(inet, { to: eip, from: client, timeoutMs: silenceMs })).toEqual(silence);
      expect(await overTcp(inet, { to: pool, port: 8080, from: client })).toEqual({ server: 'blue-db', client });
    }
  });

  it('answers what it rejects, from the elastic IP', async () => {
    const rules = [{ action: 'Reject' as const }];
    await lab.apply(documents(firewallPolicy('no', of('web', 'pool'), rules)));
    for (const { eip, pool, client } of families) {
      expect(await overTcp(inet, { to: eip, from: client })).toEqual(refused);
      expect(await overTcp(inet, { to: pool, port: 8080, from: client })).toEqual(refused);
      expect(await overTcp(app, { to: eip })).toEqual(refused);
    }
  });

  it('judges by the peer, also of a group', async () => {
    await lab.apply(
      documents(
        addressGroup('friends', ['198.51.100.0/31', '2001:db8:1::/127']),
        firewallPolicy('web', { matchLabels: { tier: 'front' } }, [
          { action: 'Allow', peers: [{ addressGroup: 'friends' }] },
        ]),
      ),
    );
    for (const { eip, client } of families) {
      expect(await overTcp(inet, { to: eip, from: client })).toEqual({ server: 'blue-web', client });
      expect(await overTcp(app, { to: eip, timeoutMs: silenceMs })).toEqual(silence);
    }
  });

  it('of the gateway closes every elastic IP, and the baseline goes before it', async () => {
    await lab.apply(
      documents(
        firewallPolicy('whole', 'gateway', [{ action: 'Allow', ports: [{ protocol: 'TCP' }] }]),
        firewallBaseline('platform', [{ action: 'Deny', ports: [{ protocol: 'TCP', port: 8080 }] }]),
      ),
    );
    for (const { eip, pool, client } of families) {
      expect(await overTcp(inet, { to: eip, from: client })).toEqual({ server: 'blue-web', client });
      expect(await overUdp(inet, { to: eip, from: client, timeoutMs: silenceMs })).toEqual(silence);
      expect(await overTcp(inet, { to: pool, port: 8080, from: client, timeoutMs: silenceMs })).toEqual(silence);
    }
  });

  it('judges what leaves on the tenant’s own source', async () => {
    await lab.apply(
      documents(
        firewallPolicy('out', of('pool'), [
          { action: 'Reject', direction: 'Egress', ports: [{ protocol: 'TCP', port: ports.tcp }] },
          { action: 'Allow', direction: 'Egress' },
        ]),
      ),
    );
    for (const { client, eip, pool } of families) {
      expect(await overTcp(app, { to: client })).toEqual(refused);
      expect(await overUdp(app, { to: client })).toEqual({ server: 'inet', client: pool });
      expect(await overTcp(web, { to: client })).toEqual({ server: 'inet', client: eip });
    }
  });

  it('ends the connections that an edit denies, and no others', async () => {
    await lab.apply(documents());
    const opened = (to: string, from: string, port: number) => inet.tcpConnect({ to, from, port });
    const denied = await Promise.all(families.map(({ eip, client }) => opened(eip, client, 80)));
    const others = await Promise.all(families.map(({ pool, client }) => opened(pool, client, 8080)));
    await lab.apply(documents(firewallPolicy('web', of('web'), [{ action: 'Deny' }])));
    expect(await Promise.all(denied.map((connection) => connection.isAlive(silenceMs)))).toEqual([false, false]);
    expect(await Promise.all(others.map((connection) => connection.isAlive()))).toEqual([true, true]);
  });
});

describe('a limit of connections', () => {
  const limit = 5;
  const addresses = ['203.0.113.10', '2001:db8:e::10'];
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web'] }],
    documents: () => [
      gateway(lab.tenant),
      elasticIp('web', '203.0.113.10', { target: '10.0.0.5', limits: { connections: limit } }),
      elasticIp('web-6', '2001:db8:e::10', { target: 'fd00:a::5', limits: { connections: limit } }),
    ],
  });
  beforeAll(() => serve(lab.topology.inet, lab.tenant.vm('web')));

  it.each(addresses)('of %s holds, and lets in the next when one has ended', async (to) => {
    const inet = await lab.inet();
    const open = await Promise.all(Array.from({ length: limit }, () => inet.tcpConnect({ to, port: ports.tcp })));
    expect(await overTcp(inet, { to, timeoutMs: silenceMs })).toEqual(silence);
    await Promise.all(open.map((connection) => connection.close({ reset: true })));
    expect(await overTcp(inet, { to })).toMatchObject({ server: 'blue-web' });
  });
});
