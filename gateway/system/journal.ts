/**
 * The supervisor's memory: every accepted revision, one checksummed line each, appended and synced before it is
 * acknowledged. Guarantees:
 * 1. After a kill at any instruction the file yields exactly the revisions that were acknowledged, perhaps one more.
 * 2. A torn or corrupt tail is cut, named, and what stands before it is used; the damaged file is kept beside it.
 * 3. The file is bounded: the oldest revisions are folded into one.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { messageOf, VpcgwError } from '../errors.js';
import type { Source } from '../documents/document.js';
import { type Allocations, NO_ALLOCATIONS } from '../kernel/state.js';
import type { Drain } from '../model/drain.js';
import { type ClassNumbers, foldClasses, type KeptAllocations, toKeep } from './class-numbers.js';

export interface Revision {
  readonly revision: number;
  readonly time: string;
  readonly by: string;
  readonly put: Readonly<Record<string, Source>>;
  readonly remove: readonly string[];
  readonly allocations: KeptAllocations;
  readonly drains: readonly Drain[];
  /** Rolled back by itself unless confirmed by then (ms since the epoch). */
  readonly confirmByMs?: number;
}

type Entry =
  | { readonly type: 'revision'; readonly revision: Revision }
  | { readonly type: 'confirmed'; readonly revision: number }
  /** The kernel refused it: as if it had never been. */
  | { readonly type: 'withdrawn'; readonly revision: number }
  | { readonly type: 'drains'; readonly drains: readonly Drain[] }
  /** In place of the latest revision's. */
  | { readonly type: 'externals'; readonly externals: Allocations['externals'] };

const NEWLINE = 10;
const KEEP_REVISIONS = 200;
const COMPACT_BYTES = 8 * 1024 * 1024;

export class Journal {
  readonly #path: string;
  readonly #directory: string;
  #entries: Entry[] = [];
  /** How much of the file is whole lines; what stands after is no part of it. */
  #goodBytes = 0;
  #compactedBytes = 0;
  /** Of the latest revision; folded when first asked for. */
  #classes: ClassNumbers | undefined;
  /** What was found wrong at the last load, for status. */
  damage: string | undefined;
  /** Nothing is known of what it holds, so nothing is written over it. */
  #unreadable: string | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    this.#path = join(directory, 'journal.jsonl');
  }

  load(): void {
    let bytes: Buffer;
    try {
      bytes = readFileSync(this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      this.damage = this.#unreadable = `cannot be read: ${messageOf(error)}`;
      return;
    }
    while (this.#goodBytes < bytes.length) {
      const end = bytes.indexOf(NEWLINE, this.#goodBytes);
      // A line without its end was never acknowledged, even where only that is missing.
      const entry = end < 0 ? undefined : decode(bytes.toString('utf8', this.#goodBytes, end));
      if (!entry) return this.#cut();
      this.#entries.push(entry);
      this.#goodBytes = end + 1;
    }
  }

  #cut(): void {
    this.damage = `cut at byte ${this.#goodBytes}: the line there is torn or corrupt`;
    try {
      copyFileSync(this.#path, `${this.#path}.damaged`);
      truncateSync(this.#path, this.#goodBytes);
    } catch {
      // A read-only or full disk: the damage is reported already, and every append cuts before it writes.
    }
  }

  get revisions(): Revision[] {
    const withdrawn = new Set(this.#entries.flatMap((entry) => (entry.type === 'withdrawn' ? [entry.revision] : [])));
    return this.#entries.flatMap((entry) =>
      entry.type === 'revision' && !withdrawn.has(entry.revision.revision) ? [entry.revision] : [],
    );
  }

  get allocations(): Allocations {
    const { latest } = this;
    const { snatRules, sites = NO_ALLOCATIONS.sites } = latest?.allocations ?? NO_ALLOCATIONS;
    const last = this.#entries.findLast(
      (entry) => entry.type === 'externals' || (entry.type === 'revision' && entry.revision === latest),
    );
    const { externals } = last?.type === 'externals' ? last : (latest?.allocations ?? NO_ALLOCATIONS);
    return { externals, snatRules, sites, classes: (this.#classes ??= foldClasses(this.revisions)) };
  }

  toKeep(allocations: Allocations): KeptAllocations {
    return toKeep(allocations, this.allocations.classes);
  }

  get latest(): Revision | undefined {
    return this.revisions.at(-1);
  }

  /** The last revision, while it waits for its confirmation. */
  get pending(): Revision | undefined {
    const { latest } = this;
    if (latest?.confirmByMs === undefined) return undefined;
    return this.#entries.some((entry) => entry.type === 'confirmed' && entry.revision === latest.revision)
      ? undefined
      : latest;
  }

  get drains(): readonly Drain[] {
    const last = this.#entries.findLast((entry) => entry.type === 'drains' || entry.type === 'revision');
    return last?.type === 'drains' ? last.drains : last?.type === 'revision' ? last.revision.drains : [];
  }

  /** All documents as of a revision, the latest by default; `undefined` when it is no longer kept. */
  documentsAt(revision = this.latest?.revision ?? 0): Map<string, Source> | undefined {
    const documents = new Map<string, Source>();
    let found = revision === 0;
    for (const entry of this.revisions) {
      if (entry.revision > revision) break;
      found ||= entry.revision === revision;
      for (const id of entry.remove) documents.delete(id);
      for (const [id, document] of Object.entries(entry.put)) documents.set(id, document);
    }
    return found ? documents : undefined;
  }

  /** `classes` are the numbers that the revision's own allocations lead to. */
  append(revision: Revision, classes?: ClassNumbers): void {
    this.#write({ type: 'revision', revision });
    this.#classes = classes;
    // In proportion to what cannot be folded away, so that a rewrite stays rare.
    if (this.revisions.length > KEEP_REVISIONS * 2 || this.#goodBytes > COMPACT_BYTES + 2 * this.#compactedBytes)
      this.#compact();
  }

  confirm(revision: number): void {
    this.#write({ type: 'confirmed', revision });
  }

  withdraw(revision: number): void {
    this.#write({ type: 'withdrawn', revision });
    this.#classes = undefined;
  }

  /** Never given twice, also not after a withdrawal. */
  get nextRevision(): number {
    return (
      1 +
      this.#entries.reduce(
        (most, entry) => (entry.type === 'revision' ? Math.max(most, entry.revision.revision) : most),
        0,
      )
    );
  }

  setDrains(drains: readonly Drain[]): void {
    this.#write({ type: 'drains', drains });
  }

  setExternals(externals: Allocations['externals']): void {
    this.#write({ type: 'externals', externals });
  }

  #write(entry: Entry): void {
    if (this.#unreadable !== undefined) throw new VpcgwError('StateUnwritable', `${this.#path}: ${this.#unreadable}`);
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      const fd = openSync(this.#path, 'a', 0o600);
      try {
        // Half a line would hide what is appended after it.
        ftruncateSync(fd, this.#goodBytes);
        const written = writeAll(fd, `${encode(entry)}\n`);
        fsyncSync(fd);
        this.#goodBytes += written;
      } catch (error) {
        ftruncateSync(fd, this.#goodBytes);
        throw error;
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      throw new VpcgwError('StateUnwritable', `${this.#path}: ${messageOf(error)}`, { cause: error });
    }
    this.#entries.push(entry);
  }

  /** Folds all but the newest revisions into one, in a new file that takes the old one's place. */
  #compact(): void {
    const base = oldestToKeep(this.revisions);
    if (!base) return;
    const { externals, snatRules, sites = NO_ALLOCATIONS.sites } = base.allocations;
    const classes = foldClasses(this.revisions.filter(({ revision }) => revision <= base.revision));
    const allocations = toKeep({ externals, snatRules, sites, classes }, NO_ALLOCATIONS.classes);
    const put = Object.fromEntries(this.documentsAt(base.revision) ?? []);
    const folded: Entry = { type: 'revision', revision: { ...base, allocations, put, remove: [] } };
    const at = this.#entries.findIndex((entry) => entry.type === 'revision' && entry.revision === base);
    const lastExternals = this.#entries.findLast(({ type }) => type === 'externals');
    const later = this.#entries.filter((entry, i) => {
      if (entry.type === 'drains') return i === this.#entries.length - 1;
      if (entry.type === 'externals') return i > at && entry === lastExternals;
      if (entry.type === 'revision') return entry.revision.revision > base.revision;
      return entry.revision >= base.revision;
    });
    const entries = [folded, ...later];
    const text = entries.map((entry) => `${encode(entry)}\n`).join('');
    const temporary = `${this.#path}.new`;
    try {
      writeFileSync(temporary, text, { mode: 0o600, flush: true });
      renameSync(temporary, this.#path);
      this.#entries = entries;
      this.#goodBytes = this.#compactedBytes = Buffer.byteLength(text);
      const fd = openSync(this.#directory, 'r');
      fsyncSync(fd);
      closeSync(fd);
    } catch {
      // The longer file stays; the next append tries again.
    }
  }
}

/** The newest that fit into half the space, at most so many, and always two: there must be one to go back to. */
function oldestToKeep(revisions: readonly Revision[]): Revision | undefined {
  let bytes = 0;
  const kept = revisions.slice(-KEEP_REVISIONS).reverse();
  const tooFar = kept.findIndex((revision, i) => {
    bytes += JSON.stringify(revision).length;
    return i >= 2 && bytes > COMPACT_BYTES / 2;
  });
  return kept[tooFar < 0 ? kept.length - 1 : tooFar - 1];
}

function writeAll(fd: number, text: string): number {
  const buffer = Buffer.from(text);
  for (let offset = 0; offset < buffer.length;) offset += writeSync(fd, buffer, offset);
  return buffer.length;
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

function encode(entry: Entry): string {
  const json = JSON.stringify(entry);
  return `${digest(json)} ${json}`;
}

function decode(line: string): Entry | undefined {
  const json = line.slice(17);
  return line[16] === ' ' && digest(json) === line.slice(0, 16) ? (JSON.parse(json) as Entry) : undefined;
}
