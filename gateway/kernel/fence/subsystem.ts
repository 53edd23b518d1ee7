/**
 * The fence's nftables tables. They hang on the role links, so they follow their making and come before they are up:
 * no member's link is ever up without it. Changed in one transaction. Only where the sets themselves change, as with
 * another interval, is the lease empty then, until the next advert.
 */
import { FENCE_TABLE } from '../../model/ownership.js';
import type { CommandRunner } from '../command.js';
import type { Subsystem } from '../subsystem.js';
import { areTheSame, commandsFrom, TABLES } from './tables.js';

const ABSENT = '';

export const fence: Subsystem<string> = {
  title: 'fence',

  async observe(run, desired) {
    // What no pair wants is only looked for.
    if (desired === ABSENT && !(await areThere(run))) return ABSENT;
    const texts = await Promise.all(TABLES.map((table) => listing(run, table)));
    const text = texts.filter((each) => each !== ABSENT).join('\n');
    return areTheSame(text, desired) ? desired : text;
  },

  diff(observed, desired) {
    if (observed === desired) return [];
    if (desired === ABSENT) return [{ phase: 'prune', action: 'remove', key: FENCE_TABLE, lines: [{ text: '' }] }];
    const action = observed === ABSENT ? 'add' : 'replace';
    return [{ phase: 'prepare', action, key: FENCE_TABLE, lines: [{ text: `${desired.split('\n').length} lines` }] }];
  },

  async apply(run, _changes, observed, desired) {
    await run.run({ argv: ['nft', '-f', '-'], stdin: `${commandsFrom(observed, desired)}\n` });
    return fence.observe(run, desired);
  },
};

async function areThere(run: CommandRunner): Promise<boolean> {
  const { stdout } = await run.run({ argv: ['nft', 'list', 'tables'] });
  return TABLES.some((table) => stdout.includes(`table ${table}\n`));
}

/** `-t` leaves out the lease itself, which comes and goes. */
async function listing(run: CommandRunner, table: string): Promise<string> {
  const { code, stdout } = await run.run({
    argv: ['nft', '-s', '-t', 'list', 'table', ...table.split(' ')],
    okExitCodes: [0, 1],
  });
  return code === 0 ? stdout : ABSENT;
}
