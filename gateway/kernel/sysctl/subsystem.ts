/** Kernel switches of the namespace. One that cannot be set is reported, with the ways to set it, and not tried again. */
import type { CommandRunner } from '../command.js';
import type { Line } from '../state.js';
import { diffLines, type Subsystem } from '../subsystem.js';

type Sysctls = ReadonlyMap<string, string>;

const asLines = (values: Sysctls): Map<string, Line> => new Map([...values].map(([key, text]) => [key, { text }]));

export const sysctls: Subsystem<Sysctls> = {
  title: 'sysctl',
  tolerant: true,

  observe: (run, desired) => ask(run, [...desired.keys()]),

  diff: (observed, desired) =>
    diffLines(asLines(observed), asLines(desired), { add: 'prepare', remove: 'prune' }).filter(
      (change) => change.action !== 'remove',
    ),

  /** `sysctl` takes its arguments in order: first the assignments, then the questions. */
  apply(run, changes, _observed, desired) {
    const assignments = changes.map((change) => `${change.key}=${change.lines[0]?.text ?? ''}`);
    return ask(run, [...assignments, ...desired.keys()]);
  },
};

async function ask(run: CommandRunner, words: readonly string[]): Promise<Sysctls> {
  const { stdout } = await run.run({ argv: ['sysctl', '-e', ...words], okExitCodes: [0, 1, 255] });
  const values = new Map<string, string>();
  for (const line of stdout.split('\n')) {
    const [key = '', value] = line.split(' = ');
    if (value !== undefined) values.set(key, value.trim());
  }
  return values;
}
