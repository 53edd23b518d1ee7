/** A parsed document and where it came from. */
import type { Kind, Metadata, SpecOf } from '../api/kinds.js';
import type { Position } from '../model/diagnostic.js';

export interface DocumentOf<K extends Kind> {
  /** `Kind/name`. */
  readonly id: string;
  readonly kind: K;
  readonly metadata: Metadata;
  readonly spec: SpecOf<K>;
  readonly source: Source;
}

export type GatewayDocument = { [K in Kind]: DocumentOf<K> }[Kind];

/** The text a document was read from, kept so that a position can be found when it is needed. */
export interface Source {
  readonly file: string;
  /** Line of the file on which `text` begins, 1-based. */
  readonly firstLine: number;
  readonly text: string;
}

export interface SourceFile {
  readonly file: string;
  readonly text: string;
}

export type Locate = (source: Source, path: readonly PropertyKey[]) => Position;
