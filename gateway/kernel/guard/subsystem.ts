/** The leak guard's nftables table. */
import { GUARD_TABLE } from '../../model/ownership.js';
import type { Subsystem } from '../subsystem.js';
import { normalise } from './render.js';

const ABSENT = '';

export const guard: Subsystem<string> = {
  title: 'leak guard',

  async observe(run, desired) {
    const { code, stdout } = await run.run({
      argv: ['nft', '-s', 'list', 'table', 'inet', GUARD_TABLE],
      okExitCodes: [0, 1],
    });
    if (code !== 0) return ABSENT;
    return normalise(stdout) === normalise(desired) ? desired : stdout;
  },

  diff(observed, desired) {
    if (observed === desired) return [];
    return [
      {
        phase: 'prepare',
        action: observed === ABSENT ? 'add' : 'replace',
        key: GUARD_TABLE,
        lines: [{ text: desired }],
      },
    ];
  },

  async apply(run, _changes, _observed, desired) {
    const empty = `table inet ${GUARD_TABLE}`;
    await run.run({ argv: ['nft', '-f', '-'], stdin: `${empty}\ndelete ${empty}\n${desired}\n` });
    return guard.observe(run, desired);
  },
};
