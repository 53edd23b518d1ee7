import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BackedLine, SITE_HOST, SITE_NETWORK } from '../support/backed-line.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { overTcp, overUdp } from '../support/reach.js';

// A line that carries nothing any more, or is cut: a tunnel takes its networks, and gives them back.

describe('a line with a backup', () => {
  const backed = new BackedLine({ probe: { address: SITE_HOST, interval: '200ms', steady: '500ms' } });
  const lab = useGatewayLab(backed.lab);
  beforeAll(() => serve(lab.tenant.vm('web'), backed.site.host));
  afterAll(() => backed.end());

  interface Row {
    network: string;
    by: string;
    state: string;
  }
  const taken = async () => {
    const rows = JSON.parse((await lab.supervisor().get('/v1/show/routes')).text) as Row[];
    return rows.find(({ network, state }) => network === SITE_NETWORK && state === 'Taken')?.by;
  };

  it('leads by the line while that carries', async () => {
    expect(await overTcp(await lab.vm('web'), { to: SITE_HOST })).toMatchObject({ client: '10.0.0.5' });
    expect(await taken()).toBe('DedicatedLine/paris');
  });

  it.each([
    ['is cut', () => backed.site.cut('line0')],
    ['carries nothing', () => backed.site.blackHole('line0')],
  ])('leads by the tunnel when the line %s, with its connections, and back', async (_, strike) => {
    const [vm, router] = [await lab.vm('web'), await backed.site.host.agent()];
    const out = await vm.tcpConnect({ to: SITE_HOST, port: 80 });
    const into = await router.tcpConnect({ from: SITE_HOST, to: '10.0.0.5', port: 80 });
    await strike();
    await backed.answersBy('tunnel');
    expect(await out.isAlive()).toBe(true);
    expect(await into.isAlive()).toBe(true);
    await expect.poll(taken, { timeout: 5_000 }).toBe('VpnConnection/office');
    expect(await overUdp(router, { from: SITE_HOST, to: '10.0.0.5' })).toMatchObject({ client: SITE_HOST });
    await backed.site.mend('line0');
    await backed.answersBy('line');
    await expect.poll(taken, { timeout: 10_000 }).toBe('DedicatedLine/paris');
    expect(await out.isAlive()).toBe(true);
    expect(await into.isAlive()).toBe(true);
  });

  it('has said each time where the networks went', () => {
    expect(lab.supervisor().logged('its networks go by VpnConnection/office after')).toHaveLength(2);
  });
});

describe('a line that is asked by TCP', () => {
  const probe = { type: 'TCP' as const, address: SITE_HOST, port: ports.tcp, interval: '200ms', steady: '500ms' };
  const backed = new BackedLine({ probe });
  const lab = useGatewayLab(backed.lab);
  afterAll(() => backed.end());

  const state = async () => {
    const lines = JSON.parse((await lab.supervisor().get('/v1/show/line')).text) as { line: string; state: string }[];
    return lines.find(({ line }) => line === 'paris')?.state;
  };

  it('does not carry while nobody listens there, and says so', async () => {
    const refusals = () => lab.supervisor().logged(`${SITE_HOST} port ${ports.tcp}: refused`);
    await expect.poll(refusals, { timeout: 5_000 }).not.toHaveLength(0);
    expect(await state()).toBe('Down');
  });

  it('carries as soon as somebody does, and not when its packets are lost', async () => {
    await serve(backed.site.host);
    await expect.poll(state, { timeout: 5_000 }).toBe('Up');
    await backed.site.blackHole('line0');
    await expect.poll(state, { timeout: 5_000 }).toBe('Down');
    await backed.site.mend('line0');
    await expect.poll(state, { timeout: 5_000 }).toBe('Up');
  });
});
