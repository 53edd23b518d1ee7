/**
 * Texts of the fence's tables, as rendered or as nft lists them; and how the listed one becomes the rendered one. Pure.
 * What holds something, as the set of the lease, stays where it is as it should be: only chains that differ are replaced
 * then, and what the lease lets pass goes on passing.
 */
import { FENCE_TABLE, MEMBERS_TABLE } from '../../model/ownership.js';

export const TABLES = [`netdev ${FENCE_TABLE}`, `inet ${MEMBERS_TABLE}`];

/** One transaction. */
export function commandsFrom(listed: string, rendered: string): string {
  const tables = TABLES.map((name) => ({ name, former: partsOf(listed, name), next: partsOf(rendered, name) }));
  const chains = tables.flatMap(({ name, former, next }) => chainsFrom(name, former, next));
  const holdTheSame = tables.every(({ former, next }) => held(former) === held(next));
  const anew = TABLES.flatMap((name) => [`table ${name}`, `delete table ${name}`]);
  return (holdTheSame ? chains : [...anew, rendered]).join('\n');
}

/** In whatever order: what comes later stands behind what was there, and no chain needs to be before another. */
export const areTheSame = (listed: string, rendered: string): boolean => spelling(listed) === spelling(rendered);

const spelling = (text: string): string =>
  TABLES.flatMap((name) => partsOf(text, name).map(({ spelt }) => `${name} ${spelt}`))
    .sort()
    .join('\n');

function chainsFrom(table: string, former: readonly Part[], next: readonly Part[]): string[] {
  const changed = (others: readonly Part[]) => (part: Part) =>
    part.kind === 'chain' && !others.some((other) => other.spelt === part.spelt);
  return [
    // One that went with its device meanwhile is none that cannot be deleted.
    ...former
      .filter(changed(next))
      .map(({ name }) => `table ${table} {\nchain ${name} {\n}\n}\ndelete chain ${table} ${name}`),
    ...next.filter(changed(former)).map(({ text }) => `table ${table} {\n${text}\n}`),
  ];
}

const held = (parts: readonly Part[]): string =>
  parts
    .filter(({ kind }) => kind !== 'chain')
    .map(({ spelt }) => spelt)
    .sort()
    .join('\n');

/** Of a table: a chain, a set, whatever else. */
interface Part {
  readonly kind: string;
  readonly name: string;
  readonly text: string;
  /** Normalised. */
  readonly spelt: string;
}

/** The head and the closing brace of each are lines of their own, and none within is a brace alone. */
function partsOf(text: string, table: string): Part[] {
  const lines = text.split('\n').map((line) => line.trim());
  const begin = lines.indexOf(`table ${table} {`);
  const parts: Part[] = [];
  for (let at = begin + 1; begin >= 0 && at < lines.length && lines[at] !== '}'; at++) {
    const line = lines[at] ?? '';
    const last = line.endsWith('{') ? lines.indexOf('}', at) : at;
    const part = lines.slice(at, last + 1).join('\n');
    const [kind = '', name = ''] = line.split(' ');
    if (line !== '') parts.push({ kind, name, text: part, spelt: normalise(part) });
    at = last;
  }
  return parts;
}

/** One spelling for what we write and what nft prints. */
const normalise = (text: string): string =>
  text
    // What a set begins with is none of what the table is.
    .replace(/^add element .*$/gm, '')
    // Of what is computed it says that it is compared.
    .replaceAll('== @', '@')
    // nft takes the word for the begin of another match, and prints it.
    .replaceAll('ip protocol set 17 ', 'ip protocol set udp ')
    .replace(
      /devices = \{([^}]*)\}/g,
      (_, list: string) =>
        `devices = { ${list
          .split(',')
          .map((name) => name.trim().replaceAll('"', ''))
          .sort()
          .join(', ')} }`,
    )
    .replace(/\s+/g, ' ')
    .trim();
