import { beforeAll, describe, expect, it } from 'vitest';
import { FAULTS } from '../support/pair-faults.js';
import { pairForms, pairOptions, servePair } from '../support/pair-flows.js';
import { walk } from '../support/pair-walk.js';
import { usePairLab } from '../support/use-pair-lab.js';

// The other forms that a pair can have: each loses a node, and the members' own network where there is a second path.

const frozen = FAULTS.find(({ name }) => name === 'all processes frozen');
const nodeDeath = FAULTS.find(({ name }) => name === 'node death');

describe.each(Object.entries(pairForms))('a pair with %s', (_, options) => {
  const lab = usePairLab(pairOptions(options));
  beforeAll(() => servePair(lab));

  it('keeps every connection through the death of a node', async () => {
    if (!nodeDeath) throw new Error('there is no such fault');
    const { flows, untranslated, speaking, expected } = await walk(nodeDeath, lab);
    expect(flows.filter(({ lost }) => lost > 0)).toEqual([]);
    expect(speaking).toEqual([expected]);
    expect(untranslated).toBe(0);
  });

  if (options.paths !== 'Two') return;

  it('gives way when it goes on after the other took over, whichever path says so', async () => {
    if (!frozen) throw new Error('there is no such fault');
    // The one of the higher address believes to be active still.
    const [, higher] = lab.members;
    const { active: one } = await lab.settled();
    if (one !== higher) await lab.switchover(one);
    expect((await lab.settled()).active).toBe(higher);
    const { flows, speaking, expected, untranslated } = await walk(frozen, lab);
    expect(flows.filter(({ lost }) => lost > 0)).toEqual([]);
    expect(speaking).toEqual([expected]);
    expect(untranslated).toBe(0);
    const { active, standby } = await lab.settled();
    expect([active, standby]).toEqual(lab.members);
  });

  it('loses the first path, and nobody changes roles', async () => {
    const { active, standby } = await lab.settled();
    await lab.cables.silence(active.namespace, ['sync0']);
    await lab.wait(UNHEARD_MS);
    expect(await Promise.all([active, standby].map((member) => member.role()))).toEqual(['Active', 'Standby']);
    expect([await active.holdsLease(), await standby.holdsLease()]).toEqual([true, false]);
    await lab.cables.unsilence(active.namespace, ['sync0']);
  });
});

/** Three times the patience of a standby that hears nothing at all. */
const UNHEARD_MS = 450;
