/**
 * YAML text → documents, with every problem at its file:line:column. Guarantees:
 * 1. A folder is taken whole: the caller gets all problems of all files at once.
 * 2. Nothing is expanded before it is bounded: size, number of documents, aliases.
 * 3. A document whose text has not changed is not parsed again (`ParseCache`).
 */
import { API_VERSION, documentSchema, isKind, KINDS } from '../api/kinds.js';
import { type Diagnostic, formatPath, type Position } from '../model/diagnostic.js';
import type { GatewayDocument, Locate, Source, SourceFile } from './document.js';
import { explainIssue, nearest } from './explain.js';
import { offsetsIn, type Problem, readText, type Text } from './yaml.js';

export const MAX_FILE_BYTES = 16 * 1024 * 1024;
const MAX_DOCUMENTS = 100_000;

export interface Parsed {
  readonly documents: readonly GatewayDocument[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Remembers by text; entries that a parse did not meet are dropped at its end. A document that stands where it stood is
 * the same object as before, so that whatever was made of it can be kept too.
 */
export class ParseCache {
  #previous = new Map<string, Remembered>();
  #current = new Map<string, Remembered>();

  parse(source: Source): Remembered {
    const { text, file, firstLine } = source;
    const known = this.#current.get(text) ?? this.#previous.get(text);
    const same = known && known.source.file === file && known.source.firstLine === firstLine;
    const remembered = same ? known : withSource(known?.chunk ?? parseChunk(text), source);
    this.#current.set(text, remembered);
    return remembered;
  }

  get size(): number {
    return this.#current.size;
  }

  forgetUnused(): void {
    this.#previous = this.#current;
    this.#current = new Map();
  }
}

interface Remembered {
  readonly source: Source;
  readonly chunk: ParsedChunk;
  readonly document: GatewayDocument | undefined;
}

const withSource = (chunk: ParsedChunk, source: Source): Remembered => ({
  source,
  chunk,
  document: chunk.document && ({ ...chunk.document, source } as GatewayDocument),
});

interface ParsedChunk {
  readonly document?: Omit<GatewayDocument, 'source'>;
  readonly problems: readonly Problem[];
}

export function parseDocuments(files: readonly SourceFile[], cache = new ParseCache()): Parsed {
  const oversized = files.filter((file) => file.text.length > MAX_FILE_BYTES);
  const sources = files.filter((file) => !oversized.includes(file)).flatMap(splitDocuments);
  const parsed = parseSources(sources, cache);
  return {
    documents: parsed.documents,
    diagnostics: [...oversized.map(({ file }) => tooLarge(file)), ...parsed.diagnostics],
  };
}

export function parseSources(sources: readonly Source[], cache = new ParseCache()): Parsed {
  const documents: GatewayDocument[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const source of sources) {
    if (documents.length >= MAX_DOCUMENTS) return { documents, diagnostics: [...diagnostics, tooMany(source)] };
    const { chunk, document } = cache.parse(source);
    diagnostics.push(...chunk.problems.map((problem) => diagnosticOf(source, problem)));
    if (document) documents.push(document);
  }
  return { documents, diagnostics };
}

const diagnosticOf = (source: Source, { offset, path, message }: Problem): Diagnostic => ({
  position: positionAt(source, offset),
  path: formatPath(path),
  message,
  severity: 'Error',
});

export const tooLarge = (file: string): Diagnostic => ({
  position: { file, line: 1, column: 1 },
  path: '',
  message: `the file is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB; split it`,
  severity: 'Error',
});

const tooMany = (source: Source): Diagnostic => ({
  position: positionAt(source, 0),
  path: '',
  message: `more than ${MAX_DOCUMENTS} documents`,
  severity: 'Error',
});

/** In YAML a `---` or `...` at the beginning of a line always ends a document, also inside a block scalar. */
export function splitDocuments({ file, text }: SourceFile): Source[] {
  const sources: Source[] = [];
  let line = 1;
  let begin = { offset: 0, line: 1 };
  const take = (end: number): void => {
    // In place of a marker its width, so that columns stay as they are.
    const chunk = (begin.offset > 0 ? '   ' : '') + text.slice(begin.offset, end);
    if (/^[ \t]*[^\s#%]/m.test(chunk)) sources.push({ file, firstLine: begin.line, text: chunk });
  };
  for (let offset = 0; offset < text.length;) {
    const newline = text.indexOf('\n', offset);
    const next = newline < 0 ? text.length : newline + 1;
    if (/^(---|\.\.\.)(\s|$)/.test(text.slice(offset, offset + 4))) {
      take(offset);
      // What follows `--- ` on its line belongs to the document.
      begin = { offset: offset + 3, line };
    }
    line++;
    offset = next;
  }
  take(text.length);
  return sources;
}

function positionAt(source: Source, offset: number): Position {
  const before = source.text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  const lines = before.split('\n').length - 1;
  return {
    file: source.file,
    line: source.firstLine + lines,
    column: offset - lineStart + 1,
  };
}

function parseChunk(text: string): ParsedChunk {
  const read = readText(text);
  return read.problems.length === 0 ? checkSchema(read) : { problems: read.problems };
}

function checkSchema({ value, offsetOf }: Text): ParsedChunk {
  const problem = (path: readonly PropertyKey[], message: string): ParsedChunk => ({
    problems: [{ offset: offsetOf(path), path, message }],
  });
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return problem([], 'must be an object with apiVersion, kind, metadata and spec');
  const { kind, apiVersion } = value as { kind?: unknown; apiVersion?: unknown };
  if (apiVersion !== API_VERSION) return problem(['apiVersion'], `must be ${API_VERSION}`);
  const kinds = Object.keys(KINDS);
  if (typeof kind !== 'string' || !isKind(kind))
    return problem(
      ['kind'],
      `${kind === undefined ? 'is missing' : `${JSON.stringify(kind)} is not a kind${typeof kind === 'string' ? nearest(kind, kinds) : ''}`}; the kinds are ${kinds.join(', ')}`,
    );
  const result = documentSchema(kind).safeParse(value, { reportInput: true });
  if (result.success) {
    const { metadata, spec } = result.data;
    return {
      document: { id: `${kind}/${metadata.name}`, kind, metadata, spec },
      problems: [],
    };
  }
  const problems = result.error.issues.flatMap((issue) => explainIssue(issue, documentSchema(kind)));
  return {
    problems: problems.map(({ path, message, atKey }) => ({ offset: offsetOf(path, atKey), path, message })),
  };
}

/** A text of another language than documents', read as carefully: its value, or what is wrong with it. */
export function readYaml(source: Source): {
  readonly value: unknown;
  readonly diagnostics: readonly Diagnostic[];
  readonly positionOf: (path: readonly PropertyKey[], atKey?: boolean) => Position;
} {
  const { value, problems, offsetOf } = readText(source.text);
  return {
    value,
    diagnostics: problems.map((problem) => diagnosticOf(source, problem)),
    positionOf: (path, atKey) => positionAt(source, offsetOf(path, atKey)),
  };
}

/** Finds a path's position in a document that was accepted; parses its text again, as only an error needs it. */
export const locate: Locate = (source, path) => positionAt(source, offsetsIn(source.text)(path));
