/** `get` and `delete`: documents in force by kind and name, at a running supervisor. */
import { type Kind, KINDS } from '../api/kinds.js';
import { VpcgwError } from '../errors.js';
import type { Planned } from '../reconcile/submission.js';
import { Client } from './client.js';
import { planText } from './edit.js';
import type { Common } from './options.js';
import { print, table } from './output.js';

interface DocumentAnswer {
  readonly kind: string;
  readonly name: string;
  readonly etag: string;
  readonly file: string;
  readonly firstLine: number;
  readonly text: string;
}

/** As it is called in documents, or as one would rather type it: `eip`, `elasticip`, `elasticips`. */
function kindOf(text: string): Kind {
  const word = text.toLowerCase();
  const kinds = Object.keys(KINDS) as Kind[];
  const found = kinds.find((kind) => [kind.toLowerCase(), KINDS[kind].plural, KINDS[kind].shortName].includes(word));
  if (!found) throw new VpcgwError('BadRequest', `${text} is not a kind; the kinds are ${kinds.join(', ')}`);
  return found;
}

const pathOf = (kind: string, name: string): string => `/v1/documents/${kindOf(kind)}/${encodeURIComponent(name)}`;

export async function get(
  kind: string | undefined,
  name: string | undefined,
  { target, output }: Common,
): Promise<void> {
  const client = new Client(target);
  if (kind !== undefined && name !== undefined) {
    const document = await client.get<DocumentAnswer>(pathOf(kind, name));
    return print(output, document, () => `${document.text.trim()}\n`);
  }
  const query = kind === undefined ? '' : `?kind=${kindOf(kind)}`;
  const documents = await client.get<DocumentAnswer[]>(`/v1/documents${query}`);
  print(output, documents, () =>
    table(documents, [
      { title: 'KIND', value: (document) => document.kind },
      { title: 'NAME', value: (document) => document.name },
      { title: 'SOURCE', value: (document) => `${document.file}:${document.firstLine}` },
    ]),
  );
}

export async function remove(
  kind: string,
  name: string,
  { target, output, dryRun }: Common & { dryRun: boolean },
): Promise<void> {
  const client = new Client(target);
  if (dryRun) {
    const plan = await client.delete<Planned>(`${pathOf(kind, name)}?dryRun=true`);
    return print(output, plan, () => planText(plan));
  }
  const answer = await client.delete<{ revision: number }>(pathOf(kind, name));
  print(output, answer, () => `${kindOf(kind)}/${name} is gone; this is revision ${answer.revision}\n`);
}
