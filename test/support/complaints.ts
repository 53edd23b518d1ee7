import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import { VpcgwError } from '../../gateway/errors.js';
import { formatDiagnostic } from '../../gateway/model/diagnostic.js';
import { candidateOf } from '../../gateway/reconcile/candidate.js';

/** What a user is told about a folder of files, a line for each problem; `accepted` when there is nothing to say. */
export function complaintsAbout(files: Readonly<Record<string, string>>): string {
  const sources = Object.entries(files).flatMap(([file, text]) => splitDocuments({ file, text }));
  try {
    const { warnings } = candidateOf(sources, new ParseCache());
    return warnings.length === 0 ? 'accepted' : warnings.map(formatDiagnostic).join('\n');
  } catch (error) {
    if (!(error instanceof VpcgwError) || error.code !== 'ConfigInvalid') throw error;
    return error.diagnostics.length === 0 ? error.message : error.diagnostics.map(formatDiagnostic).join('\n');
  }
}

/** A document whose `spec:` stands on line 4. */
export const spec = (kind: string, name: string, lines: string): string =>
  `apiVersion: vpcgw.io/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}}\nspec:\n${lines}`;
