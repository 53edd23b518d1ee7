/** Sources → a set of documents that may be programmed, or every reason why not. Pure. */
import { type GatewayDocument, type Source } from '../documents/document.js';
import { locate, type ParseCache, parseSources } from '../documents/parse.js';
import { VpcgwError } from '../errors.js';
import { byPosition, type Diagnostic } from '../model/diagnostic.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { resolve } from '../model/resolve.js';

export interface Candidate {
  readonly documents: readonly GatewayDocument[];
  readonly sources: ReadonlyMap<string, Source>;
  readonly model: GatewayModel;
  readonly warnings: readonly Diagnostic[];
}

/** Throws `ConfigInvalid` with all diagnostics. No document at all is an error too: an empty folder is a mistake. */
export function candidateOf(sources: readonly Source[], cache: ParseCache): Candidate {
  const parsed = parseSources(sources, cache);
  const resolved = resolve(parsed.documents, locate, { complete: parsed.diagnostics.length === 0 });
  const diagnostics = [...parsed.diagnostics, ...resolved.diagnostics].sort(byPosition);
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'Error');
  if (errors.length > 0)
    throw new VpcgwError(
      'ConfigInvalid',
      `${errors.length} problem${errors.length === 1 ? '' : 's'} in the documents`,
      { diagnostics },
    );
  if (!resolved.model) throw new VpcgwError('ConfigInvalid', 'there are no documents; write a VpcGateway at least');
  return {
    documents: parsed.documents,
    sources: new Map(parsed.documents.map((document) => [document.id, document.source])),
    model: resolved.model,
    warnings: diagnostics,
  };
}
