/** `vpcgw validate`: the same checks as the supervisor's, without one. */
import { ParseCache, splitDocuments } from '../documents/parse.js';
import { formatDiagnostic } from '../model/diagnostic.js';
import { candidateOf } from '../reconcile/candidate.js';
import { readPaths } from './documents.js';
import { green, print, yellow } from './output.js';
import type { Common } from './options.js';

export function validate(paths: readonly string[], { output }: Common): void {
  const files = readPaths(paths);
  const { documents, warnings } = candidateOf(files.flatMap(splitDocuments), new ParseCache());
  const counts = new Map<string, number>();
  for (const { kind } of documents.values()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  print(output, { valid: true, documents: Object.fromEntries(counts), warnings }, () => {
    const kinds = [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
    return `${warnings.map((warning) => `${yellow(formatDiagnostic(warning))}\n`).join('')}${green('valid')}: ${kinds}\n`;
  });
}
