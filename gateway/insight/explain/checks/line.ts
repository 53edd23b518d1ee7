/** Whether a dedicated line has its link, and carries. Pure. */
import type { LineLook } from '../../../health/line-look.js';
import { type Check, check, fault, pass, skipped } from '../check.js';

export const line: Check = check<LineLook | undefined>({
  name: 'Line',
  after: ['Programmed', 'Active'],
  look: (eyes, { subject }) => eyes.line(subject.name),
  judge(_about, look) {
    if (!look) return skipped('not looked at yet');
    const { port, state, reason, trouble, since } = look;
    if (trouble) return fault(trouble, [reason]);
    if (state === 'Degraded') return fault('LineDegraded', [`${port}: ${reason}`]);
    return state === 'Down' ? fault('LineDown', [`${port}: ${reason}`, `since ${since}`]) : pass(`${port}: ${reason}`);
  },
});
