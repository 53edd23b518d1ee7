/**
 * The leak guard's nftables table. From the first step of a change to its last both hold, the former guard and the next: what
 * leaves the VPC is not translated any more before it has stopped coming.
 */
import { GUARD_TABLE } from '../../model/ownership.js';
import type { Change, Subsystem } from '../subsystem.js';
import { asFormer, normalise } from './render.js';

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
    const change = { key: GUARD_TABLE, lines: [{ text: desired }] };
    if (observed === ABSENT) return [{ ...change, phase: 'prepare', action: 'add' }];
    return (['prepare', 'prune'] as const).map((phase): Change => ({ ...change, phase, action: 'replace' }));
  },

  async apply(run, changes, observed, desired) {
    const empty = `table inet ${GUARD_TABLE}`;
    const load = (...tables: string[]) =>
      run.run({ argv: ['nft', '-f', '-'], stdin: [empty, `delete ${empty}`, ...tables, ''].join('\n') });
    const isBeginning = observed !== ABSENT && changes.some(({ phase }) => phase === 'prepare');
    const both = () => load(desired, asFormer(observed));
    // Once more: alone it is less. But it must be mended whatever somebody has put there that cannot be loaded again.
    if (isBeginning)
      await both()
        .catch(both)
        .catch(() => load(desired));
    else await load(desired);
    return guard.observe(run, desired);
  },
};
