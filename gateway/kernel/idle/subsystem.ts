/**
 * The nftables table of listeners' idle timeouts. An edit leaves alone the timeouts that others ask for: connections lose
 * theirs with its object.
 */
import { IDLE_TABLE } from '../../model/ownership.js';
import type { Subsystem } from '../subsystem.js';
import { CHAIN, objectsOf, setsOf, spelt, withoutObjects } from './render.js';

const ABSENT = '';
const TABLE = `inet ${IDLE_TABLE}`;

export const idle: Subsystem<string> = {
  title: 'idle timeouts',

  async observe(run, desired) {
    // What no listener asks for is only looked for.
    if (desired === ABSENT) {
      const { stdout } = await run.run({ argv: ['nft', 'list', 'tables'] });
      if (!stdout.includes(`table ${TABLE}\n`)) return ABSENT;
    }
    const { code, stdout } = await run.run({
      argv: ['nft', '-s', 'list', 'table', 'inet', IDLE_TABLE],
      okExitCodes: [0, 1],
    });
    if (code !== 0) return ABSENT;
    return spelt(stdout) === spelt(desired) ? desired : stdout;
  },

  diff(observed, desired) {
    if (observed === desired) return [];
    if (desired === ABSENT) return [{ phase: 'prune', action: 'remove', key: IDLE_TABLE, lines: [{ text: '' }] }];
    const action = observed === ABSENT ? 'add' : 'replace';
    return [{ phase: 'prepare', action, key: IDLE_TABLE, lines: [{ text: desired }] }];
  },

  async apply(run, _changes, observed, desired) {
    await run.run({ argv: ['nft', '-f', '-'], stdin: `${script(observed, desired).join('\n')}\n` });
    return idle.observe(run, desired);
  },
};

function script(observed: string, desired: string): string[] {
  if (desired === ABSENT) return [`delete table ${TABLE}`];
  const [there, wanted] = [objectsOf(observed), objectsOf(desired)];
  const stays = new Set([...there.keys()].filter((name) => wanted.has(name)));
  return [
    `table ${TABLE} {`,
    CHAIN,
    '}',
    '}',
    `flush chain ${TABLE} prerouting`,
    ...[...setsOf(observed).keys()].map((name) => `delete set ${TABLE} ${name}`),
    withoutObjects(desired, stays),
    ...[...there.keys()].filter((name) => !stays.has(name)).map((name) => `delete ct timeout ${TABLE} ${name}`),
  ];
}
