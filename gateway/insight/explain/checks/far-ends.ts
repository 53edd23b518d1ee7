/** Whether anything comes back of what leaves. Pure. */
import type { Flow } from '../../../model/flow.js';
import { type Check, check, fault, pass, skipped } from '../check.js';

/** One far end that does not answer may be its own fault. */
const SEVERAL = 2;

export const farEnds: Check = check<readonly Flow[]>({
  name: 'FarEnds',
  after: ['Links', 'Programmed', 'Kernel', 'Led', 'Egress', 'Conflict', 'NextHop', 'Upstream', 'Ports'],
  look: (eyes) => eyes.flows(),
  judge({ subject }, flows) {
    if (subject.exits.length === 0) return skipped('nothing leaves by it');
    const addresses = new Set(subject.elasticIps.map(({ address }) => address.text));
    // What the gateway itself asks with an elastic IP as its source is not translated.
    const leaving = flows.filter(
      ({ original, reply }) => addresses.has(reply.destination) && original.source !== reply.destination,
    );
    const answered = leaving.filter(({ unanswered }) => unanswered !== true);
    if (answered.length > 0) return pass(`of ${leaving.length} that stand, answered: ${answered.length}`);
    const ends = new Set(leaving.map(({ reply }) => reply.source));
    if (ends.size < SEVERAL) return skipped('too few connections to outside stand to say anything');
    return fault('NothingAnswers', [
      `${leaving.length} connections to ${ends.size} far ends stand, and none is answered`,
    ]);
  },
});
