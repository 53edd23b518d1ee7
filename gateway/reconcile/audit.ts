/**
 * Who changed what, when, and with which result: one line for every attempt, also for one that is refused. Documents are
 * named by id and by the digest of their text, which itself is never in a line.
 */
import { createHash } from 'node:crypto';
import { messageOf, VpcgwError } from '../errors.js';
import type { Clock } from '../system/clock.js';
import { type DocumentChange, textDigest } from './document-change.js';
import type { Author, Present } from './submission.js';

export type AuditAction =
  | 'Apply'
  | 'Put'
  | 'Delete'
  | 'Rollback'
  | 'Confirm'
  | 'Folder'
  | 'Peer'
  | 'Trace'
  | 'Capture'
  | 'SupportBundle'
  | 'Switchover'
  | 'Maintenance';

export interface AuditLine {
  readonly time: string;
  readonly who: Author;
  readonly action: AuditAction;
  readonly result: 'Done' | 'Refused';
  /** Of the error table, when it was refused. */
  readonly code?: string;
  /** In force afterwards, when it was not. */
  readonly revision?: number;
  /** What was looked at, where nothing was changed. */
  readonly subject?: string;
  /** The first hundred. */
  readonly documents: readonly AuditedDocument[];
  readonly documentCount: number;
  /** SHA-256 of all ids and texts that were put and all ids that were taken away. */
  readonly digest?: string;
}

interface AuditedDocument {
  readonly id: string;
  readonly change: 'Added' | 'Changed' | 'Removed';
  readonly digest?: string;
}

export interface AuditLog {
  append(line: AuditLine): void;
  /** Newest last. */
  last(count: number): readonly AuditLine[];
  /** Why lines could not be kept. */
  readonly trouble: string | undefined;
}

const NAMED_DOCUMENTS = 100;

type Difference = Pick<AuditLine, 'documents' | 'documentCount' | 'digest'>;
const NO_DIFFERENCE: Difference = { documents: [], documentCount: 0 };
type Note = (change: DocumentChange, present: Present) => void;

export class Auditor {
  /** A folder is tried again and again; its line is written when there is news. */
  #ofFolder = '';

  constructor(
    readonly log: AuditLog,
    private readonly clock: Clock,
  ) {}

  /** `work` notes the change as soon as it knows it. */
  async during<Done extends { readonly revision: number }>(
    who: Author,
    action: AuditAction,
    work: (note: Note) => Promise<Done>,
  ): Promise<Done> {
    let difference = NO_DIFFERENCE;
    try {
      const done = await work((change, present) => {
        difference = differenceOf(change, present);
      });
      this.#ofFolder = '';
      if (action !== 'Folder' || difference.documentCount > 0)
        this.#append({ who, action, result: 'Done', revision: done.revision, ...difference });
      return done;
    } catch (error) {
      this.refused(who, action, error, difference);
      throw error;
    }
  }

  refused(who: Author, action: AuditAction, error: unknown, difference = NO_DIFFERENCE): void {
    const code = error instanceof VpcgwError ? error.code : 'Invariant';
    const news = action === 'Folder' ? `${messageOf(error)} ${diagnosticsOf(error)}` : '';
    if (action === 'Folder' && news === this.#ofFolder) return;
    this.#ofFolder = news;
    this.#append({ who, action, result: 'Refused', code, ...difference });
  }

  /** Changes nothing and shows what passes or all that is known: told before the first of it is. */
  looks(who: Author, action: AuditAction, subject: string): void {
    this.#append({ who, action, result: 'Done', subject, ...NO_DIFFERENCE });
  }

  #append(line: Omit<AuditLine, 'time'>): void {
    this.log.append({ time: new Date(this.clock.nowMs()).toISOString(), ...line });
  }
}

const diagnosticsOf = (error: unknown): string =>
  error instanceof VpcgwError ? JSON.stringify(error.diagnostics) : '';

function differenceOf({ put, remove }: DocumentChange, { documents }: Present): Difference {
  const ids = Object.keys(put);
  const hash = createHash('sha256');
  for (const id of ids) hash.update(`+${id}\n${put[id]?.text.trim()}\n`);
  for (const id of remove) hash.update(`-${id}\n`);
  const named = [
    ...ids.slice(0, NAMED_DOCUMENTS).map((id): AuditedDocument => ({
      id,
      change: documents.has(id) ? 'Changed' : 'Added',
      digest: textDigest(put[id]?.text ?? ''),
    })),
    ...remove.slice(0, NAMED_DOCUMENTS).map((id): AuditedDocument => ({ id, change: 'Removed' })),
  ];
  const documentCount = ids.length + remove.length;
  return {
    documents: named.slice(0, NAMED_DOCUMENTS),
    documentCount,
    ...(documentCount > 0 ? { digest: hash.digest('hex') } : {}),
  };
}
