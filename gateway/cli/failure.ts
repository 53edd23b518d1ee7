/** An error as somebody at a terminal wants it: every diagnostic on its line, then what to do; and the exit code. */
import { ERRORS, messageOf, VpcgwError } from '../errors.js';
import { formatDiagnostic } from '../model/diagnostic.js';

const MAX_LINES = 200;

export function printFailure(error: unknown): number {
  if (!(error instanceof VpcgwError)) {
    process.stderr.write(`vpcgw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return ERRORS.Invariant.exit;
  }
  const lines = error.diagnostics.map(formatDiagnostic);
  for (const line of lines.slice(0, MAX_LINES)) process.stderr.write(`${line}\n`);
  if (lines.length > MAX_LINES) process.stderr.write(`… and ${lines.length - MAX_LINES} more\n`);
  process.stderr.write(`vpcgw: ${messageOf(error)}\n`);
  return ERRORS[error.code].exit;
}
