import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FAULTS } from '../support/pair-faults.js';
import { pairOptions, servePair } from '../support/pair-flows.js';
import { walk } from '../support/pair-walk.js';
import { PairServices } from '../support/pair-services.js';
import { usePairLab } from '../support/use-pair-lab.js';

describe('a pair', () => {
  const services = new PairServices();
  const lab = usePairLab(pairOptions({ services }));
  beforeAll(async () => {
    await servePair(lab);
    await services.open(lab);
  });
  afterAll(() => services.close());

  it('has one active member, and only that one holds the lease', async () => {
    const { active, standby } = await lab.settled();
    expect([await active.holdsLease(), await standby.holdsLease()]).toEqual([true, false]);
  });

  it.each(FAULTS.filter(({ short }) => short))('keeps every connection through: $name', async (fault) => {
    const { flows, speaking, expected, untranslated } = await walk(fault, lab, services.flows);
    expect(flows.filter(({ lost }) => lost > 0)).toEqual([]);
    expect(speaking).toEqual([expected]);
    expect(untranslated).toBe(0);
  });
});
