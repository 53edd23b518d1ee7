import { beforeAll, describe, expect, it } from 'vitest';
import type { Agent } from '../support/agent.js';
import { type Document, elasticIp, firewallPolicy, gateway, snatRule } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { pace } from '../support/pace.js';
import { overTcp, overUdp, silence, silenceMs } from '../support/reach.js';

// What is dropped is counted by its reason, and what a rule logs is in the supervisor's log.

const eip = '203.0.113.10';
const held = '203.0.113.11';
const pool = '203.0.113.20';
const far = '198.51.100.1';

describe('what is dropped', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app'] }],
    documents: () => documents(),
  });
  let inet: Agent;
  let app: Agent;

  beforeAll(async () => {
    await serve(lab.topology.inet, lab.tenant.vm('web'), lab.tenant.vm('app'));
    inet = await lab.inet();
    app = await lab.vm('app');
  });

  const documents = (limits: Readonly<Record<string, number>> = {}, ...more: readonly Document[]): Document[] => [
    gateway(lab.tenant, { spec: { limits } }),
    elasticIp('web', eip, { target: '10.0.0.5' }),
    elasticIp('held', held),
    elasticIp('pool', pool),
    snatRule('all', ['10.0.0.0/24'], ['pool'], { portsPerSource: 64 }),
    ...more,
  ];
  const dropped = async (reason: string): Promise<number> =>
    (await lab.supervisor().metrics()).value('vpcgw_drops_total', { reason });
  const risesFor = async (reason: string, attempt: () => Promise<unknown>): Promise<void> => {
    const before = await dropped(reason);
    await attempt();
    expect(await dropped(reason)).toBeGreaterThan(before);
  };

  it('by a policy, is counted and logged', async () => {
    const rules = [{ action: 'Deny' as const, ports: [{ protocol: 'TCP' as const }], log: true }];
    await lab.apply(documents({}, firewallPolicy('no', { elasticIPs: ['web'] }, rules)));
    await risesFor('Firewall', async () => {
      const logged = () => lab.supervisor().logged('Deny/100/FirewallPolicy/no');
      // Who reads the packets starts when the first rule wants it, and may miss the first.
      for (let attempt = 0; attempt < 5 && logged().length === 0; attempt++)
        expect(await overTcp(inet, { to: eip, from: far, timeoutMs: silenceMs })).toEqual(silence);
      expect(logged()[0]).toMatchObject({ event: 'Firewall', from: far, to: eip, toPort: 80 });
    });
    await lab.apply(documents());
    expect(await overTcp(inet, { to: eip })).toMatchObject({ server: 'blue-web' });
  });

  it('since nothing leads it anywhere', async () => {
    await risesFor('Hold', () => overTcp(inet, { to: held, timeoutMs: silenceMs }));
    await risesFor('NoRule', () => overTcp(inet, { to: pool, timeoutMs: silenceMs }));
  });

  it('with a source that is not the VPC’s', async () => {
    await lab.tenant.vm('app').namespace.exec(['ip', 'address', 'add', '10.9.9.9/32', 'dev', 'lo']);
    await risesFor('Spoof', () => overUdp(app, { to: far, from: '10.9.9.9', timeoutMs: silenceMs }));
  });

  it('from outside with a source of the VPC’s, of which there may be few or many', async () => {
    const [near, behind] = ['10.0.0.99', '10.20.3.99'];
    for (const address of [near, behind])
      await lab.topology.inet.namespace.exec(['ip', 'address', 'add', `${address}/32`, 'dev', 'lo']);
    const claims = (from: string) => () => overUdp(inet, { to: eip, from, timeoutMs: silenceMs });
    await risesFor('Spoof', claims(near));
    const prefixes = Array.from({ length: 12 }, (_, i) => ({ cidr: `10.20.${i}.0/24`, via: '10.0.0.254' }));
    await lab.apply([gateway(lab.tenant, { prefixes }), ...documents().slice(1)]);
    for (const from of [near, behind]) await risesFor('Spoof', claims(from));
    await lab.apply(documents());
    expect(await overTcp(inet, { to: eip, from: far })).toMatchObject({ server: 'blue-web' });
  });

  it('from outside with an address of the gateway’s own', async () => {
    const { namespace } = lab.topology.inet;
    for (const from of [held, '100.64.0.11']) {
      await namespace.exec(['ip', 'address', 'add', `${from}/32`, 'dev', 'lo']);
      await risesFor('Spoof', () => overUdp(inet, { to: eip, from, timeoutMs: silenceMs }));
      await namespace.exec(['ip', 'address', 'del', `${from}/32`, 'dev', 'lo']);
    }
  });

  it('by the limit of the whole gateway, while connections that stand go on', async () => {
    const standing = await inet.tcpConnect({ to: eip, port: ports.tcp });
    await lab.apply(documents({ connections: 1 }));
    await lab.supervisor().statusWhen((status) => JSON.stringify(status).includes('limits.connections is reached'));
    await risesFor('ConnectionLimit', () => overTcp(inet, { to: eip, timeoutMs: silenceMs }));
    expect(await standing.isAlive()).toBe(true);
    await standing.close({ reset: true });
    await lab.tenant.gateway.exec(['conntrack', '-F']);
    await lab.supervisor().statusWhen((status) => !JSON.stringify(status).includes('limits.connections is reached'));
    // The rule that turned connections away goes a moment after the word of it.
    await expect
      .poll(() => overTcp(inet, { to: eip }), { timeout: 5_000 * pace })
      .toMatchObject({ server: 'blue-web' });
    await lab.apply(documents());
  });

  it('by a limit that is gone, no more', async () => {
    const few = (limits: Readonly<Record<string, number>>) => [
      gateway(lab.tenant, { spec: { limits } }),
      elasticIp('web', eip, { target: '10.0.0.5' }),
    ];
    // Before the limit: what stands of others may reach it at once.
    const standing = await inet.tcpConnect({ to: eip, port: ports.tcp });
    await lab.apply(few({ connections: 1, newConnectionsPerSecond: 1000 }));
    const reached = (status: object): boolean => JSON.stringify(status).includes('limits.connections is reached');
    await lab.supervisor().statusWhen(reached);
    await lab.apply(few({ newConnectionsPerSecond: 1000 }));
    await lab.supervisor().statusWhen((status) => !reached(status));
    // The rule that turned connections away goes a moment after the word of it.
    await expect
      .poll(() => overTcp(inet, { to: eip }), { timeout: 5_000 * pace })
      .toMatchObject({ server: 'blue-web' });
    await standing.close({ reset: true });
    await lab.apply(documents());
  });

  it('by a policy, is logged also after the supervisor was killed', async () => {
    const rules = [{ action: 'Deny' as const, ports: [{ protocol: 'TCP' as const }], log: true }];
    await lab.apply(documents({}, firewallPolicy('killed', { elasticIPs: ['web'] }, rules)));
    const logged = () => lab.supervisor().logged('Deny/100/FirewallPolicy/killed').length;
    const untilLogged = async (before: number): Promise<void> => {
      for (let attempt = 0; attempt < 8 && logged() === before; attempt++)
        await overTcp(inet, { to: eip, from: far, timeoutMs: silenceMs });
      expect(logged()).toBeGreaterThan(before);
    };
    await untilLogged(0);
    await lab.supervisor().kill9();
    const before = logged();
    await lab.supervisor().restart();
    await untilLogged(before);
    await lab.apply(documents());
  });

  it('since its source has used up its ports', () =>
    risesFor('PortExhausted', async () => {
      const targets = [{ to: far, port: ports.tcp }];
      const connections = await app.tcpConnectMany({ targets, count: 80, timeoutMs: 1500 });
      expect(connections.greetings.length).toBeLessThanOrEqual(64);
      await connections.close();
    }));
});
