import { describe, expect, it } from 'vitest';
import { offsetMs } from '../../gateway/failover/clocks.js';
import { type DocumentsVersion, isLater, parseMessage } from '../../gateway/failover/member-message.js';

const version = (more: Partial<DocumentsVersion>): DocumentsVersion => ({
  revision: 3,
  time: '2026-01-01T00:00:00.000Z',
  digest: 'a',
  source: 'Api',
  ...more,
});

describe('documents of two members', () => {
  const later = (one: Partial<DocumentsVersion>, other: Partial<DocumentsVersion>): [boolean, boolean] => [
    isLater(version(one), version(other)),
    isLater(version(other), version(one)),
  ];

  it('are later by their number where they are edited by API, whatever the clocks say', () => {
    expect(later({ revision: 4, digest: 'b' }, { time: '2027-01-01T00:00:00.000Z' })).toEqual([true, false]);
    expect(later({ revision: 4 }, {})).toEqual([true, false]);
    expect(isLater(version({}), undefined)).toBe(true);
  });

  it('are later by their moment where numbers are equal or count for one folder each', () => {
    const moment = { time: '2027-01-01T00:00:00.000Z', digest: 'b' };
    expect(later(moment, {})).toEqual([true, false]);
    expect(later({ source: 'Folder', ...moment }, { source: 'Folder', revision: 9 })).toEqual([true, false]);
  });

  it('are never both later, and neither is where they are the same', () => {
    expect(later({ digest: 'b' }, {})).toEqual([true, false]);
    expect(later({}, {})).toEqual([false, false]);
    expect(later({ source: 'Folder' }, { source: 'Folder', revision: 9 })).toEqual([false, false]);
  });
});

describe('a message of the other member', () => {
  const state = {
    ...{ type: 'state', name: 'b', version: '9.9.9', role: 'Standby', since: '', notEligible: [], faults: [] },
    sentMs: 1,
  };

  it('may hold what this version does not know', () => {
    expect(parseMessage({ ...state, moon: 'full' })).toMatchObject({ name: 'b' });
    expect(parseMessage({ ...state, role: 'Witness' })).toMatchObject({ role: 'Unknown' });
    expect(parseMessage({ type: 'weather', rain: true })).toBeUndefined();
    expect(parseMessage('state')).toBeUndefined();
    expect(parseMessage({ ...state, faults: 'many' })).toBeUndefined();
  });
});

describe('the distance of two clocks', () => {
  it('is what remains of an answer beside the half of its way', () => {
    // Sent at 1000, there at 6020 of the other clock, answered 100 later, back at 1140: 40 on the way.
    expect(offsetMs({ sentMs: 6_120, heard: { sentMs: 1_000, agoMs: 100 } }, 1_140)).toBe(5_000);
    expect(offsetMs({ sentMs: 120, heard: { sentMs: 1_000, agoMs: 100 } }, 1_140)).toBe(-1_000);
  });

  it('is not known of an answer that took too long, or that came before its question', () => {
    expect(offsetMs({ sentMs: 6_120, heard: { sentMs: 1_000, agoMs: 100 } }, 2_000)).toBeUndefined();
    expect(offsetMs({ sentMs: 6_120, heard: { sentMs: 1_000, agoMs: 100 } }, 1_050)).toBeUndefined();
    expect(offsetMs({ sentMs: 6_120 }, 1_140)).toBeUndefined();
  });
});
