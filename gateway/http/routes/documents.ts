/** Single documents: list, get, put, delete. */
import { parse, stringify } from 'yaml';
import * as z from 'zod';
import { type Kind, KINDS } from '../../api/kinds.js';
import { objectName } from '../../api/scalars.js';
import type { GatewayDocument } from '../../documents/document.js';
import { parseDocuments } from '../../documents/parse.js';
import { VpcgwError } from '../../errors.js';
import type { Supervisor } from '../../reconcile/supervisor.js';
import type { Edit, Present } from '../../reconcile/submission.js';
import * as answers from '../answers.js';
import { demandDocument, documentTag, revisionTag } from '../etag.js';
import { permissionOf } from '../permission.js';
import { type Answer, type Call, type Route, route } from '../route.js';
import { changeAnswer } from './change.js';

const kind = z.enum(Object.keys(KINDS) as [Kind, ...Kind[]]);
const listQuery = z.strictObject({ kind: kind.optional().describe('Of this kind only.') });
const documentPath = z.strictObject({ kind, name: objectName });
const changeQuery = z.strictObject({
  dryRun: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .describe('Answers with the plan, and changes nothing.'),
});
const YAML = 'application/yaml';

const fieldsOf = ({ id, kind, metadata: { name }, source }: GatewayDocument) => ({
  id,
  kind,
  name,
  etag: documentTag(source.text),
  ...source,
});

type DocumentPath = z.output<typeof documentPath>;
type ChangeCall<Body> = Call<DocumentPath, z.output<typeof changeQuery>, Body>;
const idOf = ({ kind, name }: DocumentPath): string => `${kind}/${name}`;

/** YAML as it is; an object is written as YAML. */
function textOf(body: string | Record<string, unknown>): string {
  if (typeof body === 'string') return body;
  try {
    return stringify(body);
  } catch {
    throw new VpcgwError('BadRequest', 'body: nested too deeply');
  }
}

/** Throws unless the text is one document, and the one of the path. */
function requireSame(text: string, path: DocumentPath): void {
  const { documents, diagnostics } = parseDocuments([{ file: idOf(path), text }]);
  if (diagnostics.length > 0) return; // The supervisor says what is wrong with it.
  const [only, ...more] = documents;
  if (only?.id !== idOf(path) || more.length > 0)
    throw new VpcgwError(
      'BadRequest',
      `body: must be ${idOf(path)} and nothing else, not ${documents.map(({ id }) => id).join(', ') || 'empty'}`,
    );
}

async function change(
  supervisor: Supervisor,
  action: 'Put' | 'Delete',
  { query, caller, params }: ChangeCall<unknown>,
  edit: Pick<Edit, 'files' | 'remove' | 'precondition'>,
): Promise<Answer> {
  const permitted = { ...edit, prune: false, permission: permissionOf(caller, supervisor) };
  if (query.dryRun) return { body: await supervisor.plan(permitted) };
  const submitted = await supervisor.submit({ ...permitted, action, author: caller.author });
  const now = supervisor.current?.documents.get(idOf(params));
  return { ...changeAnswer(supervisor, submitted), etag: now && documentTag(now.source.text) };
}

const requireThere =
  (id: string) =>
  ({ documents }: Present): void => {
    if (!documents.has(id)) throw new VpcgwError('NotFound', `there is no ${id}`);
  };

export const DOCUMENT_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/documents',
    summary: 'The documents in force, as texts; the ETag is that of the whole set',
    role: 'viewer',
    query: listQuery,
    answer: answers.documentList,
    handle: ({ supervisor }, { query }) => {
      const { current, revision, standing } = supervisor;
      const documents = [...(current?.documents.values() ?? [])];
      return {
        body: documents.filter((document) => query.kind === undefined || document.kind === query.kind).map(fieldsOf),
        // Of a folder that could not be kept on disk the revision says nothing.
        etag: current && standing.persistTrouble === undefined ? revisionTag(revision) : undefined,
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/documents/{kind}/{name}',
    summary: 'A document; with Accept: application/yaml its text alone',
    role: 'viewer',
    params: documentPath,
    answer: answers.oneDocument,
    handle: ({ supervisor }, { params, accept }) => {
      const document = supervisor.current?.documents.get(idOf(params));
      if (!document) throw new VpcgwError('NotFound', `there is no ${idOf(params)}`);
      const { text } = document.source;
      const etag = documentTag(text);
      if (accept.includes(YAML)) return { body: `${text.trim()}\n`, type: YAML, etag };
      return { body: { ...fieldsOf(document), document: parse(text) as unknown }, etag };
    },
  }),
  route({
    method: 'PUT',
    path: '/v1/documents/{kind}/{name}',
    summary: 'Adds or replaces a document',
    role: 'editor',
    audited: 'Put',
    conditional: true,
    params: documentPath,
    query: changeQuery,
    body: z.union([z.string(), z.record(z.string(), z.unknown())]),
    bodyTypes: [YAML],
    answer: answers.changedOrPlanned,
    handle: ({ supervisor }, call) => {
      const [id, text] = [idOf(call.params), textOf(call.body)];
      requireSame(text, call.params);
      return change(supervisor, 'Put', call, {
        files: [{ file: id, text }],
        precondition: demandDocument(call.preconditions, id),
      });
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/documents/{kind}/{name}',
    summary: 'Takes a document away',
    role: 'editor',
    audited: 'Delete',
    conditional: true,
    params: documentPath,
    query: changeQuery,
    answer: answers.changedOrPlanned,
    handle: ({ supervisor }, call) => {
      const id = idOf(call.params);
      return change(supervisor, 'Delete', call, {
        files: [],
        remove: [id],
        precondition: (present) => {
          requireThere(id)(present);
          demandDocument(call.preconditions, id)(present);
        },
      });
    },
  }),
];
