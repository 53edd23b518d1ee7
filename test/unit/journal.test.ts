import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VpcgwError } from '../../gateway/errors.js';
import { Journal, type Revision } from '../../gateway/system/journal.js';

let directory: string;
let mounted = false;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vpcgw-journal-'));
});
afterEach(() => {
  if (mounted) execFileSync('umount', [directory]);
  mounted = false;
  rmSync(directory, { recursive: true, force: true });
});

const path = (): string => join(directory, 'journal.jsonl');
const opened = (): Journal => {
  const journal = new Journal(directory);
  journal.load();
  return journal;
};
const revision = (number: number, put: Record<string, string> = {}, more: Partial<Revision> = {}): Revision => ({
  revision: number,
  time: new Date(number * 1000).toISOString(),
  by: 'test',
  put: Object.fromEntries(Object.entries(put).map(([id, text]) => [id, { file: 'a.yaml', firstLine: number, text }])),
  remove: [],
  allocations: { externals: { internet: 1 }, snatRules: {} },
  drains: [],
  ...more,
});
const numbers = (journal: Journal): number[] => journal.revisions.map((entry) => entry.revision);
const textsAt = (journal: Journal, at?: number): Record<string, string> | undefined => {
  const documents = journal.documentsAt(at);
  return documents && Object.fromEntries([...documents].map(([id, { text }]) => [id, text]));
};
const refusal = (act: () => void): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof VpcgwError) return `${error.code}: ${error.message.replaceAll(directory, 'STATE')}`;
    throw error;
  }
  return 'done';
};

describe('the journal', () => {
  it('is empty where there is none, and makes its directory', () => {
    directory = join(directory, 'a', 'b');
    const journal = opened();
    expect([journal.damage, journal.latest, journal.pending, numbers(journal)]).toEqual([
      undefined,
      undefined,
      undefined,
      [],
    ]);
    expect(textsAt(journal)).toEqual({});
    journal.append(revision(1));
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  it('tells after a restart what it was told', () => {
    const journal = opened();
    journal.append(revision(1, { 'A/a': 'one', 'A/b': 'two' }));
    journal.append(revision(2, { 'A/a': 'grüße\n\u2028"' }, { remove: ['A/b'] }));
    journal.append(revision(3, { __proto__: 'odd' }));
    const again = opened();
    expect(again.revisions).toEqual(journal.revisions);
    expect(textsAt(again, 1)).toEqual({ 'A/a': 'one', 'A/b': 'two' });
    expect(textsAt(again, 2)).toEqual({ 'A/a': 'grüße\n\u2028"' });
    expect(again.documentsAt(9)).toBeUndefined();
    expect(again.nextRevision).toBe(4);
  });

  it('knows what waits for a confirmation, until it is confirmed, withdrawn or followed', () => {
    const journal = opened();
    journal.append(revision(1));
    journal.append(revision(2, {}, { confirmByMs: 5_000 }));
    expect(opened().pending?.revision).toBe(2);
    journal.confirm(2);
    expect(opened().pending).toBeUndefined();
    journal.append(revision(3, {}, { confirmByMs: 6_000 }));
    journal.withdraw(3);
    expect([opened().pending, opened().latest?.revision, opened().nextRevision]).toEqual([undefined, 2, 4]);
    journal.append(revision(4, {}, { confirmByMs: 7_000 }));
    journal.append(revision(5));
    expect(opened().pending).toBeUndefined();
  });

  it('keeps drains as they were told last', () => {
    const journal = opened();
    const drain = { address: '203.0.113.10', target: '10.0.0.5', untilMs: 9_000 };
    journal.append(revision(1, {}, { drains: [drain] }));
    expect(opened().drains).toEqual([drain]);
    journal.setDrains([]);
    expect(opened().drains).toEqual([]);
    journal.append(revision(2, {}, { drains: [drain] }));
    expect(opened().drains).toEqual([drain]);
  });
});

describe('a damaged journal', () => {
  it('torn at any byte yields what was whole before, and takes more', () => {
    const journal = opened();
    const ends: number[] = [];
    for (const n of [1, 2, 3]) {
      journal.append(revision(n, { 'A/a': `té ${n}` }));
      ends.push(statSync(path()).size);
    }
    const whole = readFileSync(path());
    for (let length = 0; length <= whole.length; length++) {
      writeFileSync(path(), whole.subarray(0, length));
      const torn = opened();
      const kept = ends.filter((end) => end <= length).length;
      expect(numbers(torn), `cut at ${length}`).toEqual([1, 2, 3].slice(0, kept));
      const clean = length === 0 || ends.includes(length);
      expect(torn.damage === undefined, `cut at ${length}: ${torn.damage}`).toBe(clean);
      torn.append(revision(9, { 'A/a': 'after' }));
      const again = opened();
      expect(numbers(again), `appended after a cut at ${length}`).toEqual([...[1, 2, 3].slice(0, kept), 9]);
      expect(again.damage).toBeUndefined();
    }
  });

  it('with any one byte changed never yields what was not written', () => {
    const journal = opened();
    for (const n of [1, 2, 3]) journal.append(revision(n, { 'A/a': `text ${n}` }));
    const whole = readFileSync(path());
    for (let at = 0; at < whole.length; at++) {
      const bad = Buffer.from(whole);
      bad[at] = (bad[at] ?? 0) ^ 0x01;
      writeFileSync(path(), bad);
      const found = opened();
      expect(journal.revisions.slice(0, found.revisions.length), `byte ${at}`).toEqual(found.revisions);
      expect(found.damage, `byte ${at}`).toMatch(/^cut at byte \d+: the line there is torn or corrupt$/);
    }
  });

  it('that is no text, or a folder, is named', () => {
    writeFileSync(path(), Buffer.from([0xff, 0xfe, 0, 10, 10, 0xff]));
    expect(opened().damage).toMatch(/^cut at byte 0/);
    rmSync(path());
    execFileSync('mkdir', [path()]);
    expect(opened().damage).toMatch(/^cannot be read: EISDIR/);
    expect(refusal(() => opened().append(revision(1)))).toMatch(
      /^StateUnwritable: STATE\/journal.jsonl: cannot be read: EISDIR/,
    );
  });

  it('keeps what was cut away, beside it', () => {
    const journal = opened();
    for (const n of [1, 2, 3]) journal.append(revision(n));
    const whole = readFileSync(path());
    whole[20] = (whole[20] ?? 0) ^ 0x01;
    writeFileSync(path(), whole);
    expect(numbers(opened())).toEqual([]);
    const kept = readdirSync(directory).filter((name) => name !== 'journal.jsonl');
    expect(kept).toHaveLength(1);
    expect(readFileSync(join(directory, kept[0] ?? ''))).toEqual(whole);
  });
});

describe('a journal that grows', () => {
  it('is folded, and loses no document', () => {
    const journal = opened();
    let largest = 0;
    for (let n = 1; n <= 900; n++) {
      journal.append(
        revision(n, { [`A/${n % 7}`]: `text ${n}`, [`B/${n}`]: 'x' }, { remove: n > 5 ? [`B/${n - 5}`] : [] }),
      );
      largest = Math.max(largest, journal.revisions.length);
    }
    expect(largest).toBeLessThanOrEqual(401);
    const again = opened();
    expect(again.damage).toBeUndefined();
    expect(textsAt(again)).toEqual(textsAt(journal));
    expect(Object.keys(textsAt(again) ?? {})).toHaveLength(12);
    expect(textsAt(again)?.['A/4']).toBe('text 900');
    expect(textsAt(again, 750)?.['A/1']).toBe('text 750');
    expect(again.nextRevision).toBe(901);
    expect(readdirSync(directory)).toEqual(['journal.jsonl']);
  });

  it('is folded by size too', () => {
    const journal = opened();
    for (let n = 1; n <= 220; n++) journal.append(revision(n, { 'A/a': 'x'.repeat(200_000) }));
    expect(statSync(path()).size).toBeLessThan(20e6);
  });
});

describe('a disk', () => {
  const mount = (options: string): void => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'vpcgw-test', directory]);
    mounted = true;
  };

  it('that is full refuses, keeps what stood, and takes more when there is room', () => {
    mount('size=64k');
    const journal = opened();
    journal.append(revision(1, { 'A/a': 'small' }));
    const before = readFileSync(path());
    expect(refusal(() => journal.append(revision(2, { 'A/a': 'x'.repeat(80_000) })))).toMatch(
      /^StateUnwritable: STATE\/journal.jsonl: ENOSPC/,
    );
    expect(readFileSync(path())).toEqual(before);
    expect(numbers(journal)).toEqual([1]);
    journal.append(revision(2, { 'A/a': 'small too' }));
    expect([numbers(opened()), opened().damage]).toEqual([[1, 2], undefined]);
  });

  it('that is read-only refuses, and is read', () => {
    mount('size=64k');
    opened().append(revision(1, { 'A/a': 'one' }));
    writeFileSync(path(), Buffer.concat([readFileSync(path()), Buffer.from('torn')]));
    execFileSync('mount', ['-o', 'remount,ro', directory]);
    const journal = opened();
    expect(numbers(journal)).toEqual([1]);
    expect(journal.damage).toMatch(/^cut at byte/);
    expect(refusal(() => journal.append(revision(2)))).toMatch(/^StateUnwritable: STATE\/journal.jsonl: EROFS/);
    expect(numbers(journal)).toEqual([1]);
  });

  it('that becomes writable again does not lead to a line appended to a torn one', () => {
    mount('size=64k');
    opened().append(revision(1, { 'A/a': 'one' }));
    writeFileSync(path(), Buffer.concat([readFileSync(path()), Buffer.from('torn')]));
    execFileSync('mount', ['-o', 'remount,ro', directory]);
    const journal = opened();
    execFileSync('mount', ['-o', 'remount,rw', directory]);
    journal.append(revision(2, { 'A/a': 'two' }));
    expect(numbers(opened())).toEqual([1, 2]);
  });

  it('has numbers in place of those of the latest revision, until the next has its own', () => {
    const journal = opened();
    const externals = () => opened().allocations.externals;
    journal.append(revision(1));
    journal.setExternals({ internet: 2 });
    expect(externals()).toEqual({ internet: 2 });
    journal.append(revision(2, {}, { allocations: { externals: { internet: 3 }, snatRules: {} } }));
    expect(externals()).toEqual({ internet: 3 });
    journal.withdraw(2);
    expect(externals()).toEqual({ internet: 2 });
    // Those of before what is folded are not the last any more.
    for (let number = 3; number < 500; number++) journal.append(revision(number));
    journal.setExternals({ internet: 4 });
    expect([journal.revisions.length < 480, externals()]).toEqual([true, { internet: 4 }]);
    journal.append(revision(500));
    expect(externals()).toEqual({ internet: 1 });
  });
});
