/** What is handed to a supervisor, and what it answers. */
import type { SourceFile } from '../documents/document.js';
import type { Diagnostic } from '../model/diagnostic.js';
import type { CutFlow } from './flow-keeper.js';
import type { Step } from './plan.js';

export interface Submission {
  readonly files: readonly SourceFile[];
  /** Documents that the files do not hold are taken away. */
  readonly prune: boolean;
  readonly by: string;
  readonly confirmWithinMs?: number | undefined;
}

export interface Submitted {
  readonly revision: number;
  readonly changed: readonly string[];
  readonly steps: readonly Step[];
  readonly cut: readonly CutFlow[];
  readonly warnings: readonly Diagnostic[];
}

export interface Planned {
  readonly put: readonly string[];
  /** Those of `put` that are new. */
  readonly added: readonly string[];
  readonly remove: readonly string[];
  readonly steps: readonly Step[];
  readonly cut: readonly CutFlow[];
  readonly warnings: readonly Diagnostic[];
}
