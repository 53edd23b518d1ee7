/** Feeds lines to a batch program and turns its refusal of a line into an error that names the line's document. */
import { VpcgwError } from '../errors.js';
import { type Command, CommandError, type CommandResult, type CommandRunner } from './command.js';
import type { Line } from './state.js';

/** How each program says which line it refused. */
const REFUSAL = {
  line: /(?:line:? |Error occurred at line: )(\d+)/i,
  dash: /Command failed -:(\d+)/,
} as const;

export async function feed(
  run: CommandRunner,
  argv: readonly [string, ...string[]],
  lines: readonly Line[],
  refusal: keyof typeof REFUSAL,
  more: Pick<Command, 'expects' | 'retryWhile'> = {},
): Promise<CommandResult> {
  const stdin = `${lines.map((line) => line.text).join('\n')}\n`;
  try {
    return await run.run({ argv, stdin, recurs: true, ...more });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const number = REFUSAL[refusal].exec(error.result.stderr)?.[1];
    const line = number === undefined ? undefined : lines[Number(number) - 1];
    if (!line?.origin) throw error;
    const { origin } = line;
    throw new VpcgwError('KernelRejected', `${argv[0]} refused "${line.text}"`, {
      cause: error,
      diagnostics: [
        {
          position: { file: origin.file, line: origin.line, column: 1 },
          path: '',
          message: `${origin.id}: the kernel refused "${line.text}": ${error.result.stderr.trim().split('\n')[0] ?? ''}`,
          severity: 'Error',
        },
      ],
    });
  }
}
