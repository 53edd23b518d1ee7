/** One thing that is wrong in a document: where, what, and what would be right. */
export interface Position {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly column: number;
}

export interface Diagnostic {
  readonly position: Position;
  /** Path inside the document, such as `spec.externals[0].gateways`. */
  readonly path: string;
  readonly message: string;
  /** `Warning` does not refuse the document. */
  readonly severity: 'Error' | 'Warning';
}

export function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}

export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { position, path, message, severity } = diagnostic;
  const where = `${position.file}:${position.line}:${position.column}`;
  return `${where}: ${severity === 'Warning' ? 'warning: ' : ''}${path === '' ? '' : `${path}: `}${message}`;
}

export function byPosition(a: Diagnostic, b: Diagnostic): number {
  const p = a.position;
  const q = b.position;
  return p.file < q.file ? -1 : p.file > q.file ? 1 : p.line - q.line || p.column - q.column;
}
