/** Sources → a set of documents that may be programmed, or every reason why not. Pure. */
import { type GatewayDocument, type Source } from '../documents/document.js';
import { locate, type ParseCache, parseSources } from '../documents/parse.js';
import { VpcgwError } from '../errors.js';
import { byPosition, type Diagnostic } from '../model/diagnostic.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { resolve } from '../model/resolve.js';
import { resolveEdit } from '../model/resolve-edit.js';

export interface Candidate {
  /** By id, `Kind/name`. */
  readonly documents: ReadonlyMap<string, GatewayDocument>;
  readonly model: GatewayModel;
  readonly warnings: readonly Diagnostic[];
}

/** Throws `ConfigInvalid` with all diagnostics. No document at all is an error too: an empty folder is a mistake. */
export function candidateOf(sources: readonly Source[], cache: ParseCache): Candidate {
  const parsed = parseSources(sources, cache);
  const resolved = resolve(parsed.documents, locate, { complete: parsed.diagnostics.length === 0 });
  const documents = new Map(parsed.documents.map((document) => [document.id, document]));
  return accepted(documents, resolved.model, [...parsed.diagnostics, ...resolved.diagnostics]);
}

/** Some documents put over those of another candidate; the same result as all of them taken together. */
export function candidateAfter(before: Candidate, sources: readonly Source[], cache: ParseCache): Candidate {
  const given = parseSources(sources, cache);
  const documents = new Map(before.documents);
  for (const document of given.documents) documents.set(document.id, document);
  const changed = given.documents.filter((document) => before.documents.get(document.id) !== document);
  const taken = changed.flatMap((document) => before.documents.get(document.id) ?? []);
  const once = new Set(given.documents.map((document) => document.id)).size === given.documents.length;
  const edit = once
    ? resolveEdit(before.model, { taken, given: changed }, () => [...documents.values()], locate)
    : undefined;
  if (edit) return accepted(documents, edit.model, [...given.diagnostics, ...edit.diagnostics]);
  const ids = new Set(given.documents.map((document) => document.id));
  const kept = [...before.documents.values()].filter((document) => !ids.has(document.id));
  const whole = resolve([...kept, ...given.documents], locate, { complete: given.diagnostics.length === 0 });
  return accepted(documents, whole.model, [...given.diagnostics, ...whole.diagnostics]);
}

function accepted(
  documents: Candidate['documents'],
  model: GatewayModel | undefined,
  found: readonly Diagnostic[],
): Candidate {
  const diagnostics = [...found].sort(byPosition);
  const { length } = diagnostics.filter((diagnostic) => diagnostic.severity === 'Error');
  if (length > 0)
    throw new VpcgwError('ConfigInvalid', `${length} problem${length === 1 ? '' : 's'} in the documents`, {
      diagnostics,
    });
  if (!model) throw new VpcgwError('ConfigInvalid', 'there are no documents; write a VpcGateway at least');
  return { documents, model, warnings: diagnostics };
}
