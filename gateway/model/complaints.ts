import type { GatewayDocument, Locate } from '../documents/document.js';
import { type Diagnostic, formatPath, type Position } from './diagnostic.js';

/** Collects diagnostics at positions of documents. */
export class Complaints {
  readonly diagnostics: Diagnostic[] = [];
  readonly #locate: Locate;
  readonly #documents: () => readonly GatewayDocument[];

  constructor(
    documents: () => readonly GatewayDocument[],
    locate: Locate,
    /** False when some documents could not be read: what is only in them would seem to be missing. */
    readonly complete = true,
  ) {
    this.#documents = documents;
    this.#locate = locate;
  }

  #find = (id: string): GatewayDocument | undefined => this.#documents().find((document) => document.id === id);

  at(
    document: GatewayDocument,
    path: readonly PropertyKey[],
    message: string,
    severity: Diagnostic['severity'] = 'Error',
  ): void {
    this.diagnostics.push({ position: this.#locate(document.source, path), path: formatPath(path), message, severity });
  }

  of(id: string, path: readonly PropertyKey[], message: string, severity: Diagnostic['severity'] = 'Error'): void {
    const document = this.#find(id);
    if (document) this.at(document, path, message, severity);
  }

  where(id: string): string {
    const document = this.#find(id);
    if (!document) return id;
    const { file, line }: Position = this.#locate(document.source, []);
    return `${id} (${file}:${line})`;
  }

  get failed(): boolean {
    return this.diagnostics.some((diagnostic) => diagnostic.severity === 'Error');
  }
}
