/**
 * The supervisor's memory: every accepted revision, one checksummed line each, appended and synced before it is
 * acknowledged. Guarantees:
 * 1. After a kill at any instruction the file yields exactly the revisions that were acknowledged, perhaps one more.
 * 2. A torn or corrupt tail is cut, named, and what stands before it is used.
 * 3. The file is bounded: the oldest revisions are folded into one.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { messageOf, VpcgwError } from '../errors.js';
import type { Source } from '../documents/document.js';
import type { Allocations } from '../kernel/state.js';
import type { Drain } from '../model/flow.js';

export interface Revision {
  readonly revision: number;
  readonly time: string;
  readonly by: string;
  readonly put: Readonly<Record<string, Source>>;
  readonly remove: readonly string[];
  readonly allocations: Allocations;
  readonly drains: readonly Drain[];
  /** Rolled back by itself unless confirmed by then (ms since the epoch). */
  readonly confirmByMs?: number;
}

type Entry =
  | { readonly type: 'revision'; readonly revision: Revision }
  | { readonly type: 'confirmed'; readonly revision: number }
  /** The kernel refused it: as if it had never been. */
  | { readonly type: 'withdrawn'; readonly revision: number }
  | { readonly type: 'drains'; readonly drains: readonly Drain[] };

const KEEP_REVISIONS = 200;
const COMPACT_BYTES = 8 * 1024 * 1024;

export class Journal {
  readonly #path: string;
  readonly #directory: string;
  #entries: Entry[] = [];
  /** What was found wrong at the last load, for status. */
  damage: string | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    this.#path = join(directory, 'journal.jsonl');
  }

  load(): void {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.damage = `cannot be read: ${messageOf(error)}`;
      return;
    }
    let good = 0;
    for (const line of text.split('\n')) {
      if (line === '') continue;
      const entry = decode(line);
      if (!entry) {
        this.damage = `cut at byte ${good}: the line there is torn or corrupt`;
        this.#cut(good);
        break;
      }
      this.#entries.push(entry);
      good += Buffer.byteLength(line) + 1;
    }
  }

  #cut(length: number): void {
    try {
      const fd = openSync(this.#path, 'r+');
      ftruncateSync(fd, length);
      closeSync(fd);
    } catch {
      // A read-only disk: the damage is reported already, and the next append says why it fails.
    }
  }

  get revisions(): Revision[] {
    const withdrawn = new Set(this.#entries.flatMap((entry) => (entry.type === 'withdrawn' ? [entry.revision] : [])));
    return this.#entries.flatMap((entry) =>
      entry.type === 'revision' && !withdrawn.has(entry.revision.revision) ? [entry.revision] : [],
    );
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

  append(revision: Revision): void {
    this.#write({ type: 'revision', revision });
    if (this.revisions.length > KEEP_REVISIONS * 2 || fileSize(this.#path) > COMPACT_BYTES) this.#compact();
  }

  confirm(revision: number): void {
    this.#write({ type: 'confirmed', revision });
  }

  withdraw(revision: number): void {
    this.#write({ type: 'withdrawn', revision });
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

  #write(entry: Entry): void {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      const before = fileSize(this.#path);
      const fd = openSync(this.#path, 'a', 0o600);
      try {
        writeAll(fd, `${encode(entry)}\n`);
        fsyncSync(fd);
      } catch (error) {
        // Half a line would hide what is appended after it.
        ftruncateSync(fd, before);
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
    const { revisions } = this;
    const base = revisions.at(-KEEP_REVISIONS) ?? revisions[0];
    if (!base) return;
    const folded: Entry = {
      type: 'revision',
      revision: { ...base, put: Object.fromEntries(this.documentsAt(base.revision) ?? []), remove: [] },
    };
    const later = this.#entries.filter((entry) =>
      entry.type === 'revision' ? entry.revision.revision > base.revision : true,
    );
    const entries = [folded, ...later];
    const temporary = `${this.#path}.new`;
    try {
      writeFileSync(temporary, entries.map((entry) => `${encode(entry)}\n`).join(''), { mode: 0o600, flush: true });
      renameSync(temporary, this.#path);
      const fd = openSync(this.#directory, 'r');
      fsyncSync(fd);
      closeSync(fd);
      this.#entries = entries;
    } catch {
      // The longer file stays; the next append tries again.
    }
  }
}

function writeAll(fd: number, text: string): void {
  const buffer = Buffer.from(text);
  for (let offset = 0; offset < buffer.length;) offset += writeSync(fd, buffer, offset);
}

const fileSize = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

function encode(entry: Entry): string {
  const json = JSON.stringify(entry);
  return `${digest(json)} ${json}`;
}

function decode(line: string): Entry | undefined {
  const json = line.slice(17);
  return line[16] === ' ' && digest(json) === line.slice(0, 16) ? (JSON.parse(json) as Entry) : undefined;
}
