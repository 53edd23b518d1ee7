/** What an edit changes in a set of documents. */
import { createHash } from 'node:crypto';
import type { Source, SourceFile } from '../documents/document.js';
import type { Candidate } from './candidate.js';

export interface DocumentChange {
  readonly put: Readonly<Record<string, Source>>;
  readonly remove: readonly string[];
}

/** Documents are compared by their text; an unchanged one is mostly the very same object. */
export function difference(before: ReadonlyMap<string, { readonly source: Source }>, after: Candidate): DocumentChange {
  const put: Record<string, Source> = {};
  let matched = 0;
  for (const [id, document] of after.documents) {
    const known = before.get(id);
    if (known) matched++;
    if (known !== document && known?.source.text.trim() !== document.source.text.trim()) put[id] = document.source;
  }
  const remove = matched === before.size ? [] : [...before.keys()].filter((id) => !after.documents.has(id));
  return { put, remove };
}

/** SHA-256 of the texts in the order of their names: which state of the folder a status speaks of. */
export function digestOf(files: readonly SourceFile[]): string {
  const hash = createHash('sha256');
  for (const { text } of files) hash.update(text);
  return hash.digest('hex');
}

/** Of one document's text: equal when the document is. */
export const textDigest = (text: string): string => createHash('sha256').update(text.trim()).digest('hex').slice(0, 16);
