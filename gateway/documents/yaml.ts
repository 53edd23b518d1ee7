/**
 * YAML 1.2 text → its value, with every problem at its offset. Guarantees:
 * 1. Nothing is expanded before it is bounded: size, depth, aliases.
 * 2. What may mean something else than it says is refused: leading zeros, keys that stand twice.
 * 3. A tree with positions is made only of a text that is not plain, or when a position is asked for.
 */
import { isMap, isPair, isScalar, isSeq, parseDocument, type Document as YamlDocument, visit } from 'yaml';
import { NOT_PLAIN, readPlain } from './plain.js';

const MAX_DOCUMENT_CHARACTERS = 256 * 1024;
const MAX_ALIASES = 20;

export interface Problem {
  readonly offset: number;
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

export interface Text {
  /** Of no use where there are problems. */
  readonly value?: unknown;
  readonly problems: readonly Problem[];
  /** Where the value (or, if so wished, its key) stands; for a missing field, the closest parent that is there. */
  readonly offsetOf: (path: readonly PropertyKey[], atKey?: boolean) => number;
}

export function readText(text: string): Text {
  if (text.length > MAX_DOCUMENT_CHARACTERS)
    return refused([
      { offset: 0, path: [], message: `the document is larger than ${MAX_DOCUMENT_CHARACTERS / 1024} KiB` },
    ]);
  const value = readPlain(text);
  if (value !== NOT_PLAIN) return { value, problems: [], offsetOf: offsetsIn(text) };
  return readTree(text);
}

const refused = (problems: readonly Problem[]): Text => ({ problems, offsetOf: () => 0 });

export function offsetsIn(text: string): Text['offsetOf'] {
  let yaml: YamlDocument.Parsed | undefined;
  return (path, atKey) => offsetOf((yaml ??= parseYaml(text)), path, atKey);
}

const parseYaml = (text: string): YamlDocument.Parsed =>
  parseDocument(text, {
    version: '1.2',
    schema: 'core',
    strict: true,
    uniqueKeys: true,
    prettyErrors: false,
  });

/** The whole of the language; what `readPlain` has to agree with. */
export function readTree(text: string): Text {
  const yaml = parseYaml(text);
  if (yaml.errors.length > 0) return refused(yamlProblems(text, yaml.errors));
  try {
    const surprises = MAY_SURPRISE.test(text) ? surprisesIn(yaml) : [];
    if (surprises.length > 0) return refused(surprises);
    const value: unknown = yaml.toJS({ maxAliasCount: MAX_ALIASES });
    return { value, problems: [], offsetOf: (path, atKey) => offsetOf(yaml, path, atKey) };
  } catch (error) {
    const { message } = error as Error;
    const what = OUT_OF_STACK.test(message) ? TOO_DEEP : `aliases cannot be resolved: ${message}`;
    return refused([{ offset: 0, path: [], message: what }]);
  }
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
