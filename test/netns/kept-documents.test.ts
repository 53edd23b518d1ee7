import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { elasticIp, gateway } from '../support/documents.js';
import { GatewayWorld } from '../support/gateway-world.js';
import { Journal } from '../../gateway/system/journal.js';

// A kept revision that cannot be put into force, as one of a later version, and what is given after it.

const externalAddresses = ['100.64.0.11/24', '2001:db8:ffff::11/64'] as const;
const blue = gateway({ name: 'blue', externalAddresses, secondExternalAddresses: externalAddresses });
const refused = { file: 'a.yaml', firstLine: 1, text: 'apiVersion: vpcgw.io/v9\nkind: Moon\nmetadata: {name: x}\n' };

describe('documents that were given beside a revision that is refused', () => {
  let world: GatewayWorld;
  beforeEach(async () => {
    world = await GatewayWorld.create();
  });
  afterEach(() => world.destroy());
  const again = async (): Promise<string[]> => {
    world.begin();
    await world.supervisor.start();
    return [...(world.supervisor.current?.documents.keys() ?? [])].sort();
  };

  it('are in force after the next start, too', async () => {
    await world.submit([blue, elasticIp('a', '203.0.113.10')]);
    const journal = new Journal(world.journal);
    journal.load();
    const { latest } = journal;
    if (!latest) throw new Error('nothing was kept');
    const { classes } = journal.allocations;
    journal.append({ ...latest, revision: journal.nextRevision, put: { 'Moon/x': refused }, remove: [] }, classes);
    expect(await again()).toEqual(['ElasticIP/a', 'VpcGateway/blue']);
    await world.submit([blue, elasticIp('a', '203.0.113.10'), elasticIp('b', '203.0.113.11')]);
    expect(await again()).toEqual(['ElasticIP/a', 'ElasticIP/b', 'VpcGateway/blue']);
    await world.verify();
  });
});
