import { describe, expect, it } from 'vitest';
import { type LineFault, type LineTally, lineTallied, newLineTally } from '../../gateway/health/line-tally.js';

// What is seen of a line, a second apart, and when it carries.

const terms = { unhealthyThreshold: 3, steadyMs: 2_000 };
const FAULTS: Readonly<Record<string, LineFault>> = {
  '.': undefined,
  x: { reason: 'silent', atOnce: false },
  c: { reason: 'no carrier', atOnce: true },
};

/** `U` while it carries, `d` while it does not, after each of what was seen. */
function carrying(seen: string): string {
  let tally: LineTally = newLineTally(0);
  return [...seen]
    .map((each, i) => {
      tally = lineTallied(tally, FAULTS[each], terms, (i + 1) * 1_000);
      return tally.up ? 'U' : 'd';
    })
    .join('');
}

describe('a line', () => {
  it.each([
    ['is taken out by as many failures in a row as the threshold says', '..xx.xxx', 'UUUUUUUd'],
    ['is taken out at once by a lost carrier', '..c', 'UUd'],
    ['carries as soon as it is sound, if it never was before', 'ccc.', 'dddU'],
    ['that never was sound was no flap', 'c.c..', 'dUddd'],
    ['comes back when it has been sound for its steady time', '.xxx.x...', 'UUUdddddU'],
    [
      'has to be steady for longer when it fails soon after',
      '.c...c.....c.........',
      'UdddUddddd' + 'Ud' + 'dddddddd' + 'U',
    ],
    ['is trusted as before when it has held for long', `.c...${'.'.repeat(20)}c...`, `UdddU${'U'.repeat(20)}dddU`],
  ])('%s', (_, seen, wanted) => {
    expect(carrying(seen)).toBe(wanted);
  });

  it('is never asked for more than eight times its steady time', () => {
    const rounds = Array.from({ length: 6 }, () => `c${'.'.repeat(17)}`).join('');
    expect(carrying(rounds).at(-1)).toBe('U');
  });
});
