import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { elasticIp, gateway, loadBalancer } from '../support/documents.js';
import { GatewayWorld } from '../support/gateway-world.js';

// A command that the kernel refuses once, where nobody waits for an answer: what it was part of is done soon all the same.
// No drift is looked for in this process, and a sweep is three minutes away. By IPVS, which holds a member for as long as it drains.

const externalAddresses = ['100.64.0.11/24', '2001:db8:ffff::11/64'] as const;
const SOON = { timeout: 10_000, interval: 100 };

describe('a change that failed half way', () => {
  let world: GatewayWorld;
  beforeEach(async () => {
    world = await GatewayWorld.create();
  });
  afterEach(() => world.destroy());

  const documents = (members: readonly string[]) => [
    gateway({ name: 'blue', externalAddresses, secondExternalAddresses: externalAddresses }),
    elasticIp('vip', '203.0.113.10'),
    loadBalancer('web', {
      elasticIP: 'vip',
      members: members.map((address) => ({ address })),
      listeners: [{ port: 8000 }],
      pool: { drainTimeout: '1s' },
    }),
  ];
  const holds = () => expect.poll(() => world.verify().then(() => true), SOON).toBe(true);

  it('is finished, when a member that was taken out has drained', async () => {
    await world.submit(documents(['10.0.0.5', '10.0.0.6']));
    await world.submit(documents(['10.0.0.5']));
    const at = world.runner.count;
    world.runner.fault = { at, how: 'Fails' };
    await holds();
    expect(world.runner.count).toBeGreaterThan(at + 1);
  });
});
