/** The leak guard's nftables table. */
import { GUARD_TABLE } from '../../model/ownership.js';
import type { Subsystem } from '../subsystem.js';
import { normalise } from './render.js';

const ABSENT = '';

export const guard: Subsystem<string> = {
  title: 'leak guard',

  async observe(run) {
    const { code, stdout } = await run.run({
      argv: ['nft', '-s', 'list', 'table', 'inet', GUARD_TABLE],
      okExitCodes: [0, 1],
    });
    return code === 0 ? normalise(stdout) : ABSENT;
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
    await run.run({ argv: ['nft', '-f', '-'], stdin: `${empty}\ndelete ${empty}\n${statements(desired)}\n` });
    return guard.observe(run, desired);
  },
};

/** nft wants separators between statements; the normalised text has folded them. */
const statements = (text: string): string =>
  text
    .replace(/ (set |chain |ip6? saddr @|elements = |flags |policy |type )/g, '\n$1')
    .replace(/policy accept/, '; policy accept ;')
    .replace(/ \}/g, '\n}');
