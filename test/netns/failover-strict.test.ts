import { beforeAll, describe, expect, it } from 'vitest';
import { AddressHistory, overlapMs, told } from '../support/address-history.js';
import { FAULTS } from '../support/pair-faults.js';
import { PairFlows, pairOptions, servePair } from '../support/pair-flows.js';
import { walk } from '../support/pair-walk.js';
import { ThirdVoter } from '../support/third-voter.js';
import { usePairLab } from '../support/use-pair-lab.js';

// A pair whose members need the consent of the other's kernel or of a real etcd, whatever happens to their processes.

/** Longer than a lease, a promise and a question to etcd together. */
const PARTED_MS = 1_500;

describe('a Strict pair', () => {
  let voter: ThirdVoter;
  const lab = usePairLab(
    pairOptions({ strict: async (topology, tenant) => void (voter = await ThirdVoter.start(topology, tenant)) }),
  );
  beforeAll(() => servePair(lab));

  const speakers = async () => {
    const held = await Promise.all(lab.members.map((member) => member.holdsLease()));
    return lab.members.filter((_, index) => held[index]);
  };
  /** Both there, so nobody needs the vote. */
  const free = () =>
    lab.until('nobody holds the vote, and the kernels answer', async () => {
      const { active } = await lab.settled();
      const { vote } = await active.look();
      return vote?.holder === '' && vote.reachable && vote.peerAnswers && (await speakers()).length === 1;
    });
  const walked = async (name: string) => {
    await free();
    const fault = FAULTS.find((each) => each.name === name);
    if (!fault) throw new Error(`no fault ${name}`);
    const { flows, speaking, expected, untranslated, overlapMs: both, history } = await walk(fault, lab);
    expect(flows.filter(({ lost }) => lost > 0)).toEqual([]);
    expect(speaking).toEqual([expected]);
    expect(untranslated).toBe(0);
    expect(both, history).toBe(0);
  };

  it.each(['node death', 'switchover', 'supervisor killed', 'external cable pulled'])(
    'keeps every connection through: %s',
    walked,
  );

  it.each(['all processes frozen', 'both supervisors killed, then keepalived'])(
    'needs no third voter where the kernels answer: %s',
    async (name) => {
      await free();
      voter.freeze();
      try {
        const fault = FAULTS.find((each) => each.name === name);
        const { flows, speaking, expected, overlapMs: both, history } = await walk(fault as (typeof FAULTS)[0], lab);
        expect(flows.filter(({ lost }) => lost > 0)).toEqual([]);
        expect(speaking).toEqual([expected]);
        expect(both, history).toBe(0);
      } finally {
        await voter.thaw();
      }
    },
  );

  it('has never two actives while its members are cut off from each other', async () => {
    await free();
    const { active } = await lab.settled();
    const history = await AddressHistory.start(lab);
    const flows = await PairFlows.start(lab);
    await lab.cables.silence(active.namespace, ['sync0']);
    await lab.wait(PARTED_MS);
    expect(await speakers()).toHaveLength(1);
    await lab.cables.unsilence(active.namespace, ['sync0']);
    await free();
    expect((await flows.end()).filter(({ lost }) => lost > 0)).toEqual([]);
    const spans = await history.stop();
    expect(overlapMs(spans), told(spans)).toBe(0);
  });

  it('falls silent when neither the other nor the third voter answers, and speaks when one does', async () => {
    await free();
    const { active } = await lab.settled();
    voter.freeze();
    await lab.cables.silence(active.namespace, ['sync0']);
    await lab.until('nobody speaks', async () => (await speakers()).length === 0);
    await lab.until('it is said', async () => (await active.complaints())['VoteReachable'] !== undefined);
    await lab.wait(PARTED_MS);
    expect(await speakers()).toEqual([]);
    await lab.cables.unsilence(active.namespace, ['sync0']);
    await lab.until('one speaks again', async () => (await speakers()).length === 1);
    await voter.thaw();
    await free();
  });
});
