import { afterEach, expect, it } from 'vitest';
import { document, elasticIp } from '../support/documents.js';
import { GatewayWorld } from '../support/gateway-world.js';

// A gateway whose own addresses are link-local, which each link has one of by itself too.

let world: GatewayWorld;
afterEach(() => world.destroy());

const documents = (own: string, via: string) => [
  document('VpcGateway', 'blue', {
    internal: { interface: 'vpc0', addresses: ['10.0.0.1/24'] },
    externals: [
      { name: 'internet', interface: 'ext0', addresses: ['100.64.0.11/24', own], gateways: ['100.64.0.1', via] },
    ],
  }),
  elasticIp('web', '203.0.113.10', { target: '10.0.0.5' }),
];

it('holds link-local addresses that documents name, and lets go of them', async () => {
  world = await GatewayWorld.create();
  await world.submit(documents('fe80::11/64', 'fe80::ff'));
  await world.verify();
  await world.submit(documents('2001:db8:ffff::11/64', '2001:db8:ffff::1'));
  await world.verify();
  const { stdout } = await world.namespace.exec(['ip', '-6', 'address', 'show', 'dev', 'vg-ext0']);
  expect(stdout).not.toContain('fe80::11/');
});
