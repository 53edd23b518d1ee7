/**
 * YAML text → documents, with every problem at its file:line:column. Guarantees:
 * 1. A folder is taken whole: the caller gets all problems of all files at once.
 * 2. Nothing is expanded before it is bounded: size, number of documents, aliases.
 * 3. A document whose text has not changed is not parsed again (`ParseCache`).
 */
import { isMap, isPair, isScalar, isSeq, parseDocument, type Document as YamlDocument, visit } from 'yaml';
import { API_VERSION, documentSchema, isKind, KINDS } from '../api/kinds.js';
import { type Diagnostic, formatPath, type Position } from '../model/diagnostic.js';
import type { GatewayDocument, Locate, Source, SourceFile } from './document.js';
import { explainIssue, nearest } from './explain.js';

export const MAX_FILE_BYTES = 16 * 1024 * 1024;
const MAX_DOCUMENT_CHARACTERS = 256 * 1024;
const MAX_DOCUMENTS = 100_000;
const MAX_ALIASES = 20;

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

interface Problem {
  readonly offset: number;
  readonly path: readonly PropertyKey[];
  readonly message: string;
}
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

const parseYaml = (text: string): YamlDocument.Parsed =>
  parseDocument(text, {
    version: '1.2',
    schema: 'core',
    strict: true,
    uniqueKeys: true,
    prettyErrors: false,
  });

function parseChunk(text: string): ParsedChunk {
  const { yaml, value, problems } = readText(text);
  return yaml && problems.length === 0 ? checkSchema(yaml, value) : { problems };
}

interface Read {
  readonly yaml?: YamlDocument.Parsed;
  readonly value?: unknown;
  readonly problems: readonly Problem[];
}

function readText(text: string): Read {
  if (text.length > MAX_DOCUMENT_CHARACTERS)
    return {
      problems: [{ offset: 0, path: [], message: `the document is larger than ${MAX_DOCUMENT_CHARACTERS / 1024} KiB` }],
    };
  const yaml = parseYaml(text);
  if (yaml.errors.length > 0) return { problems: yamlProblems(text, yaml.errors) };
  try {
    const surprises = MAY_SURPRISE.test(text) ? surprisesIn(yaml) : [];
    return surprises.length > 0 ? { problems: surprises } : { yaml, value: readValue(yaml), problems: [] };
  } catch (error) {
    const { message } = error as Error;
    const what = OUT_OF_STACK.test(message) ? TOO_DEEP : `aliases cannot be resolved: ${message}`;
    return { problems: [{ offset: 0, path: [], message: what }] };
  }
}

const readValue = (yaml: YamlDocument.Parsed): unknown => yaml.toJS({ maxAliasCount: MAX_ALIASES });

/** A text of another language than documents', read as carefully: its value, or what is wrong with it. */
export function readYaml(source: Source): {
  readonly value: unknown;
  readonly diagnostics: readonly Diagnostic[];
  readonly positionOf: (path: readonly PropertyKey[], atKey?: boolean) => Position;
} {
  const { yaml, value, problems } = readText(source.text);
  return {
    value,
    diagnostics: problems.map((problem) => diagnosticOf(source, problem)),
    positionOf: (path, atKey) => positionAt(source, yaml ? offsetOf(yaml, path, atKey) : 0),
  };
}

const OUT_OF_STACK = /call stack/;
const TOO_DEEP = 'nested too deeply; no field of the language is more than five levels down';

/** One for each line, since one mistake makes several errors there; none after the stack has ended. */
function yamlProblems(text: string, errors: YamlDocument.Parsed['errors']): Problem[] {
  const deep = errors.find(({ message }) => OUT_OF_STACK.test(message));
  if (deep) return [{ offset: deep.pos[0], path: [], message: TOO_DEEP }];
  const lines = new Map<number, Problem>();
  for (const { pos, code, message } of errors) {
    const lineStart = text.lastIndexOf('\n', pos[0] - 1);
    if (!lines.has(lineStart)) lines.set(lineStart, { offset: pos[0], path: [], message: explainYaml(code, message) });
  }
  return [...lines.values()];
}

function explainYaml(code: string, message: string): string {
  if (code === 'DUPLICATE_KEY') return 'the key stands twice in this map; keep one';
  return `not YAML: ${message}`;
}

/** Text without any of these needs no second look, which costs as much as the first. */
const MAY_SURPRISE = /[*&]|(^|[^\w.])[-+]?0\d/m;

/** `010` is ten to YAML 1.2, eight to YAML 1.1 and C, and a typing error to its author; an alias may lead nowhere. */
function surprisesIn(yaml: YamlDocument.Parsed): Problem[] {
  const problems: Problem[] = [];
  const anchors = new Set<string>();
  visit(yaml, {
    Value(_, { anchor }) {
      if (anchor !== undefined) anchors.add(anchor);
    },
    Alias(_, node, parents) {
      if (!anchors.has(node.source))
        problems.push({
          offset: node.range?.[0] ?? 0,
          path: pathOf([...parents, node]),
          message: `*${node.source} has no anchor &${node.source} before it`,
        });
    },
    Scalar(_, node, parents) {
      if (node.anchor !== undefined) anchors.add(node.anchor);
      if (typeof node.value === 'number' && /^[-+]?0\d/.test(node.source ?? ''))
        problems.push({
          offset: node.range?.[0] ?? 0,
          path: pathOf([...parents, node]),
          message: `${node.source} has a leading zero; write ${node.value}`,
        });
    },
  });
  return problems;
}

/** The path of the last of these nodes, each of which holds the next. */
const pathOf = (nodes: readonly unknown[]): PropertyKey[] =>
  nodes.flatMap((node, i): PropertyKey[] => {
    if (isPair(node) && isScalar(node.key)) return [String(node.key.value)];
    return isSeq(node) ? [node.items.indexOf(nodes[i + 1])] : [];
  });

function checkSchema(yaml: YamlDocument.Parsed, value: unknown): ParsedChunk {
  const problem = (path: readonly PropertyKey[], message: string): ParsedChunk => ({
    problems: [{ offset: offsetOf(yaml, path), path, message }],
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
    problems: problems.map(({ path, message, atKey }) => ({ offset: offsetOf(yaml, path, atKey), path, message })),
  };
}

/** Where the value (or, if so wished, its key) stands; for a missing field, the closest parent that is there. */
function offsetOf(yaml: YamlDocument.Parsed, path: readonly PropertyKey[], atKey = false): number {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? yaml.contents : yaml.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    if (isMap(parent)) {
      const pair = parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === last);
      const node = pair && (isUsable(pair.value) && !(atKey && length === path.length) ? pair.value : pair.key);
      if (isUsable(node)) return node.range[0];
      continue;
    }
    const node = yaml.getIn(path.slice(0, length), true);
    if (isUsable(node)) return node.range[0];
  }
  return yaml.contents?.range[0] ?? 0;
}

const isUsable = (node: unknown): node is { range: [number, number, number] } =>
  typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range);

/** Finds a path's position in a document that was accepted; parses its text again, as only an error needs it. */
export const locate: Locate = (source, path) => positionAt(source, offsetOf(parseYaml(source.text), path));
