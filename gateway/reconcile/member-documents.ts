/** Which set of documents a member has, in a form that two members can compare. */
import { createHash } from 'node:crypto';
import type { Source } from '../documents/document.js';
import type { DocumentsVersion, MemberDocuments } from '../failover/member-message.js';
import type { Journal } from '../system/journal.js';
import { textDigest } from './document-change.js';

export interface DocumentsOfMember {
  readonly version: DocumentsVersion;
  readonly sources: ReadonlyMap<string, Source>;
}

/**
 * The last revision that waits for nothing: one that may yet be undone, or that the kernel may yet refuse, is not told.
 * Folding the journal costs time in proportion to the documents, so it is kept until another revision counts.
 */
export class SettledDocuments {
  #known: DocumentsOfMember | undefined;

  constructor(
    private readonly journal: Journal,
    private readonly source: DocumentsVersion['source'],
    /** Nothing is being put into force just now. */
    private readonly isSettled: () => boolean,
  ) {}

  /** `undefined` where there are none. */
  get current(): DocumentsOfMember | undefined {
    return this.isSettled() ? this.latest : this.#known;
  }

  /** Also of one that starts, and has nothing in force yet: what it holds may be later than what the other tells. */
  get latest(): DocumentsOfMember | undefined {
    const { pending, revisions } = this.journal;
    const settled = revisions.findLast(({ revision }) => revision !== pending?.revision);
    if (!settled) return undefined;
    const { revision, time } = settled;
    if (this.#known?.version.revision === revision && this.#known.version.time === time) return this.#known;
    const sources = this.journal.documentsAt(revision) ?? new Map<string, Source>();
    return (this.#known = { version: { revision, time, digest: digestOf(sources), source: this.source }, sources });
  }

  give(): Omit<MemberDocuments, 'type'> | undefined {
    const { current } = this;
    return current && { version: current.version, sources: [...current.sources.values()] };
  }
}

/** Of ids and texts, in whatever order they were written. */
function digestOf(sources: ReadonlyMap<string, Source>): string {
  const hash = createHash('sha256');
  for (const id of [...sources.keys()].sort()) hash.update(`${id} ${textDigest(sources.get(id)?.text ?? '')}\n`);
  return hash.digest('hex').slice(0, 32);
}
