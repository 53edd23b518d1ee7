/** `plan`, `apply`, `confirm`, `rollback`: changes of documents, at a running supervisor. */
import type { Diagnostic } from '../model/diagnostic.js';
import { formatDiagnostic } from '../model/diagnostic.js';
import type { Step } from '../reconcile/plan.js';
import type { Planned } from '../reconcile/submission.js';
import { Client } from './client.js';
import { readPaths } from './documents.js';
import { bold, dim, green, print, red, table, yellow } from './output.js';
import type { Common } from './options.js';
import { withProgress } from './progress.js';

const KERNEL_LINES = 40;

export async function plan(
  paths: readonly string[],
  { target, output, prune }: Common & { prune: boolean },
): Promise<void> {
  const answer = await withProgress(
    'planning',
    new Client(target).post<Planned>('/v1/plan', { files: readPaths(paths), prune }),
  );
  print(output, answer, () => planText(answer));
}

export function planText({ put, added, remove, steps, cut, warnings }: Planned): string {
  const parts = warnings.map((warning) => yellow(formatDiagnostic(warning)));
  parts.push(bold('Documents'));
  parts.push(
    ...put.map((id) => `  ${added.includes(id) ? green('+') : yellow('~')} ${id}`),
    ...remove.map((id) => `  ${red('-')} ${id}`),
  );
  if (put.length + remove.length === 0) parts.push(dim('  no change'));
  parts.push(bold('Kernel'), ...kernelLines(steps));
  parts.push(bold('Live connections that would be cut'));
  if (cut.length === 0) parts.push(dim('  none'));
  return `${parts.join('\n')}\n${cut.length > 0 ? cutTable(cut) : ''}`;
}

function kernelLines(steps: readonly Step[]): string[] {
  if (steps.length === 0) return [dim('  no change')];
  const signs = { add: green('+'), replace: yellow('~'), remove: red('-') };
  const lines = steps.flatMap(({ subsystem, phase, changes }) =>
    changes.map((change) => `  ${signs[change.action]} ${subsystem.padEnd(10)} ${change.key} ${dim(phase)}`),
  );
  return lines.length > KERNEL_LINES
    ? [...lines.slice(0, KERNEL_LINES), dim(`  … and ${lines.length - KERNEL_LINES} more (--json lists all)`)]
    : lines;
}

const cutTable = (cut: Planned['cut']): string =>
  table(cut.slice(0, 100), [
    { title: 'PROTOCOL', value: ({ flow }) => flow.protocol },
    { title: 'FROM', value: ({ flow }) => `${flow.original.source}:${flow.original.sourcePort}` },
    { title: 'TO', value: ({ flow }) => `${flow.original.destination}:${flow.original.destinationPort}` },
    { title: 'WHY', value: ({ reason }) => reason },
  ]);

interface ApplyAnswer {
  readonly revision: number;
  readonly changed: readonly string[];
  readonly cut?: number;
  readonly warnings?: readonly Diagnostic[];
  readonly paused?: boolean;
}

export async function apply(
  paths: readonly string[],
  {
    target,
    output,
    prune,
    confirmWithinMs,
    by,
  }: Common & { prune: boolean; confirmWithinMs: number | undefined; by: string },
): Promise<void> {
  const body = { files: readPaths(paths), prune, by, ...(confirmWithinMs === undefined ? {} : { confirmWithinMs }) };
  const answer = await withProgress('applying', new Client(target).post<ApplyAnswer>('/v1/apply', body));
  print(output, answer, () => {
    const warnings = (answer.warnings ?? []).map((warning) => `${yellow(formatDiagnostic(warning))}\n`).join('');
    if (answer.changed.length === 0) return `${warnings}no change; revision ${answer.revision} is in force\n`;
    const cut = answer.cut ? `, ${answer.cut} connection${answer.cut === 1 ? '' : 's'} ended` : '';
    const confirm =
      confirmWithinMs === undefined ? '' : `\nrolls back in ${confirmWithinMs / 1000} s unless you run: vpcgw confirm`;
    return `${warnings}${answer.changed.map((id) => `  ${id}\n`).join('')}${answer.paused ? yellow(`revision ${answer.revision} is kept; the gateway is paused, so the kernel was not touched`) : green(`revision ${answer.revision} is in force and verified`)}${cut}${confirm}\n`;
  });
}

export async function confirm({ target, output }: Common): Promise<void> {
  const answer = await new Client(target).post<{ revision: number }>('/v1/confirm');
  print(output, answer, () => `revision ${answer.revision} is confirmed\n`);
}

export async function rollback({ target, output, to }: Common & { to: number | undefined }): Promise<void> {
  const answer = await withProgress(
    'rolling back',
    new Client(target).post<ApplyAnswer>('/v1/rollback', to === undefined ? {} : { to }),
  );
  print(
    output,
    answer,
    () => `${answer.changed.map((id) => `  ${id}\n`).join('')}back; this is revision ${answer.revision}\n`,
  );
}
