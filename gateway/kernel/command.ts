import { VpcgwError } from '../errors.js';

/** For a program that stays: the lines it is asked, and what the last line of its answer has in it. */
export interface Question {
  readonly lines: readonly string[];
  readonly until: string;
}

/** A program to run: an argument vector, never a shell; what it reads goes through standard input. */
export interface Command {
  readonly argv: readonly [string, ...string[]];
  readonly stdin?: string;
  /** For a program that opens /dev/stdin by name, which it cannot while that is a socket, as Node's pipes are. */
  readonly opensStdin?: boolean;
  /**
   * The same program is likely to be run again soon, maybe with other input: one may be held ready. With nothing to read it
   * has to change nothing: that is what a held one gets when we are killed.
   */
  readonly recurs?: boolean;
  /**
   * The whole of what the program says when all has gone well: the answer as soon as it stands there, without waiting
   * for the program to end. Only for what a reading of the kernel has printed.
   */
  readonly expects?: string;
  /** Tried again, for a second at most, while it fails and says this: the kernel lets some things go only after a while. */
  readonly retryWhile?: RegExp;
  /** Answers with the SHA-256 of what the program says, for comparing: the text itself is never held. */
  readonly digests?: boolean;
  /** The program stays, and is asked again when the same is run the next time. With `digests` alone. */
  readonly asks?: Question;
  /** Exit codes that are no failure; 0 when absent. */
  readonly okExitCodes?: readonly number[];
  readonly timeoutMs?: number;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandRunner {
  /** Rejects with `CommandFailed` (or `CommandMissing`) when the exit code is not one that the command allows. */
  run(command: Command): Promise<CommandResult>;
  /** Values of kernel switches, by the names that `sysctl` gives them; what is not there has none. */
  switches(names: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Sets them; returns the names of those that the kernel took. */
  setSwitches(values: ReadonlyMap<string, string>): Promise<ReadonlySet<string>>;
  /** What a file of /proc/net says of the namespace; `undefined` where this kernel has none such, or does not show it. */
  procNet(name: string): Promise<string | undefined>;
}

/** Why a command failed, kept apart from its message so that a refused line can be traced to its document. */
export class CommandError extends VpcgwError {
  constructor(
    readonly command: Command,
    readonly result: CommandResult,
  ) {
    super('CommandFailed', `${command.argv.join(' ').slice(0, 200)}: ${lastWords(result)}`);
  }
}

function lastWords({ code, stderr, stdout }: CommandResult): string {
  const text = (stderr.trim() || stdout.trim()).split('\n').slice(-3).join('; ').slice(0, 600);
  return text === '' ? `exit code ${code}` : text;
}
