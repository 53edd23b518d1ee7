/** zod's issues in the words of somebody who has to mend the document. */
import * as z from 'zod';

interface Explained {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** The key itself is what is wrong, not its value. */
  readonly atKey?: boolean;
}

export function explainIssue(issue: z.core.$ZodIssue, schema: z.ZodType): Explained[] {
  const { path } = issue;
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const known = fieldsAt(schema, path);
        return {
          path: [...path, key],
          message: `is not a field here${nearest(key, known)}; the fields are ${known.join(', ')}`,
          atKey: true,
        };
      });
    case 'invalid_value':
      return [{ path, message: wrongValue(issue) }];
    case 'invalid_type':
      return [
        {
          path,
          message: /received undefined/.test(issue.message)
            ? `is missing; ${article(issue.expected)} is wanted`
            : plain(issue.message, issue.expected),
        },
      ];
    case 'too_small':
      return [
        {
          path,
          message: issue.origin === 'array' ? 'must not be empty' : plain(issue.message, `${issue.minimum} or more`),
        },
      ];
    case 'too_big':
      return [
        {
          path,
          message:
            issue.origin === 'array'
              ? `has more than ${issue.maximum} entries`
              : plain(issue.message, `${issue.maximum} or less`),
        },
      ];
    default:
      return [{ path, message: issue.message }];
  }
}

/** `issue.message` is one of ours only where a schema has words of its own. */
function wrongValue({ input, values, message }: z.core.$ZodIssueInvalidValue): string {
  if (!message.startsWith('Invalid')) return message;
  const known = values.map(String);
  if (typeof input === 'string')
    return `${JSON.stringify(input)} is not one of ${known.join(', ')}${nearest(input, known)}`;
  return `${input === undefined ? 'is missing; it ' : ''}must be one of ${known.join(', ')}`;
}

const plain = (message: string, wanted: string): string =>
  /^(Invalid|Too )/.test(message) ? `must be ${article(wanted)}` : message;
const article = (what: string): string =>
  ({
    object: 'a map',
    array: 'a list',
    string: 'a text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
  })[what] ?? what;

/** The names of an object's fields at a path of the schema. */
function fieldsAt(schema: unknown, path: readonly PropertyKey[]): string[] {
  let node = unwrap(schema);
  for (const part of path) {
    const def = node?._zod.def as { shape?: Record<string, unknown>; element?: unknown } | undefined;
    node = unwrap(typeof part === 'number' ? def?.element : def?.shape?.[String(part)]);
  }
  return Object.keys((node?._zod.def as { shape?: Record<string, unknown> } | undefined)?.shape ?? {});
}

function unwrap(schema: unknown): z.core.$ZodType | undefined {
  let node = schema as z.core.$ZodType | undefined;
  for (;;) {
    const inner = (node?._zod.def as { innerType?: z.core.$ZodType } | undefined)?.innerType;
    if (!inner) return node;
    node = inner;
  }
}

/** `; did you mean …?` for the closest candidate within two edits, or nothing. */
export function nearest(text: string, candidates: readonly string[]): string {
  const scored = candidates.map((candidate) => ({
    candidate,
    distance: editDistance(text.toLowerCase(), candidate.toLowerCase()),
  }));
  const best = scored.sort((a, b) => a.distance - b.distance)[0];
  const shorter = Math.min(text.length, best?.candidate.length ?? 0);
  // Of two short names that have nothing in common none is meant by the other.
  return best && best.distance < shorter && best.distance <= Math.max(2, Math.floor(best.candidate.length / 3))
    ? `; did you mean ${best.candidate}?`
    : '';
}

function editDistance(a: string, b: string): number {
  if (a.length > 64 || b.length > 64) return 64;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(
        (row[j] ?? 0) + 1,
        (next[j - 1] ?? 0) + 1,
        (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
    row = next;
  }
  return row[b.length] ?? 64;
}
