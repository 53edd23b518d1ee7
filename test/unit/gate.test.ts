import { describe, expect, it } from 'vitest';
import {
  Damping,
  DOCUMENTS_FAULT,
  KERNEL_FAULT,
  type PeerHealth,
  unreached,
  yieldsFor,
} from '../../gateway/failover/gate.js';

const EXT = unreached('ext0');
const VPC = unreached('vpc0');
const sound: PeerHealth = { role: 'Standby', notEligible: [], faults: [], answeredMsAgo: { ext0: 40, vpc0: 40 } };
const answeredMsAgo = { ext0: 400, vpc0: 400 };
const active = (...faults: string[]) => ({ active: true, faults, answeredMsAgo });
const standby = (...faults: string[]) => ({ active: false, faults, answeredMsAgo });

describe('a member gives the role away', () => {
  it('for what the other can do, and was seen to do just now', () => {
    expect(yieldsFor(active(EXT), sound)).toEqual([EXT]);
    expect(yieldsFor(active(EXT), { ...sound, answeredMsAgo: { ext0: 300 } })).toEqual([EXT]);
    expect(yieldsFor(active(EXT), { ...sound, answeredMsAgo: { ext0: 310 } })).toEqual([]);
    expect(yieldsFor({ ...active(EXT), answeredMsAgo: {} }, { ...sound, answeredMsAgo: { ext0: 1_010 } })).toEqual([]);
    expect(yieldsFor(active(EXT), { ...sound, answeredMsAgo: undefined })).toEqual([]);
    expect(yieldsFor(active(KERNEL_FAULT), { ...sound, answeredMsAgo: undefined })).toEqual([KERNEL_FAULT]);
  });

  it('to nobody who is not heard, may not, or cannot take it', () => {
    expect(yieldsFor(active(EXT), undefined)).toEqual([]);
    expect(yieldsFor(active(EXT), { ...sound, notEligible: ['maintenance'] })).toEqual([]);
    for (const role of ['Fault', 'Unknown', 'Active'] as const)
      expect(yieldsFor(active(EXT), { ...sound, role })).toEqual([]);
  });

  it('only where it gains, and never both', () => {
    const sides = [[], [EXT], [VPC], [EXT, VPC], [KERNEL_FAULT], [KERNEL_FAULT, EXT]];
    for (const mine of sides)
      for (const theirs of sides) {
        const one = yieldsFor(active(...mine), { ...sound, faults: theirs });
        const other = yieldsFor(standby(...theirs), { ...sound, role: 'Active', faults: mine });
        expect([one, other].filter((reasons) => reasons.length > 0).length).toBeLessThanOrEqual(1);
        if (mine.length === 0 || theirs.some((fault) => !mine.includes(fault))) expect(one).toEqual([]);
      }
    expect(yieldsFor(active(EXT, VPC), { ...sound, faults: [EXT] })).toEqual([VPC]);
  });

  it('not for documents, which are taken over where it is; a standby waits for them', () => {
    expect(yieldsFor(active(DOCUMENTS_FAULT), sound)).toEqual([]);
    expect(yieldsFor(standby(DOCUMENTS_FAULT), { ...sound, role: 'Active' })).toEqual([DOCUMENTS_FAULT]);
  });
});

describe('a role that comes too often', () => {
  it('is held from the third time within a minute until the first is a minute ago', () => {
    const damping = new Damping();
    damping.note(0);
    damping.note(10_000);
    expect(damping.holds(10_000)).toBe(false);
    damping.note(20_000);
    expect([damping.holds(20_000), damping.holds(59_999), damping.holds(60_000)]).toEqual([true, true, false]);
    damping.note(100_000);
    expect(damping.holds(100_000)).toBe(false);
  });
});
