/** What is handed to a supervisor, and what it answers. */
import type { Source, SourceFile } from '../documents/document.js';
import type { Diagnostic } from '../model/diagnostic.js';
import type { DocumentChange } from './document-change.js';
import type { CutFlow } from './flow-keeper.js';
import type { Step } from './plan.js';

/** Who changes documents. */
export interface Author {
  readonly name: string;
  readonly via: 'Folder' | 'Socket' | 'Token' | 'Certificate' | 'Deadline' | 'Peer';
  readonly role?: string;
  /** The address of the other side. */
  readonly from?: string;
}

/** What a change is made to. */
export interface Present {
  readonly revision: number;
  /** By id. */
  readonly documents: ReadonlyMap<string, { readonly source: Source }>;
}

/** What speaks against a change is thrown, before anything of it is done. */
export interface Terms {
  /** Looked at before the documents are. */
  readonly precondition?: ((present: Present) => void) | undefined;
  /** Whether its author may. */
  readonly permission?: ((change: DocumentChange) => void) | undefined;
}

export interface Edit extends Terms {
  readonly files: readonly SourceFile[];
  /** Ids of documents that are taken away. */
  readonly remove?: readonly string[];
  /** Documents that the files do not hold are taken away. */
  readonly prune: boolean;
}

export interface Submission extends Edit {
  readonly author: Author;
  readonly action: 'Apply' | 'Put' | 'Delete';
  readonly confirmWithinMs?: number | undefined;
}

export interface Submitted {
  readonly revision: number;
  readonly changed: readonly string[];
  readonly steps: readonly Step[];
  readonly cut: readonly CutFlow[];
  readonly warnings: readonly Diagnostic[];
}

export interface Planned {
  readonly put: readonly string[];
  /** Those of `put` that are new. */
  readonly added: readonly string[];
  readonly remove: readonly string[];
  readonly steps: readonly Step[];
  readonly cut: readonly CutFlow[];
  readonly warnings: readonly Diagnostic[];
}
