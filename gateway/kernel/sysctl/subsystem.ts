/** Kernel switches of the namespace. One that cannot be set is reported, with the ways to set it, and not tried again. */
import type { Line } from '../state.js';
import { diffLines, type Subsystem } from '../subsystem.js';

type Sysctls = ReadonlyMap<string, string>;

const asLines = (values: Sysctls): Map<string, Line> => new Map([...values].map(([key, text]) => [key, { text }]));

export const sysctls: Subsystem<Sysctls> = {
  title: 'sysctl',
  tolerant: true,

  observe: (run, desired) => run.switches([...desired.keys()]),

  diff: (observed, desired) =>
    diffLines(asLines(observed), asLines(desired), { add: 'prepare', remove: 'prune' }).filter(
      (change) => change.action !== 'remove',
    ),

  async apply(run, changes, _observed, desired) {
    await run.setSwitches(new Map(changes.map(({ key, lines: [line] }) => [key, line?.text ?? ''])));
    return run.switches([...desired.keys()]);
  },
};
