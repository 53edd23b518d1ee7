import { OvnPair } from '../support/ovn-pair.js';
import { liveAgain } from '../support/pair-faults.js';
import { type Bench, plain, say } from './row.js';
import { median } from './statistics.js';

// The node of the active member dies, in a VPC of a real OVN: until its controller, its database and its northern daemon have
// agreed where the VPC's next hop is now. How long that takes is OVN's own, on top of what `failover-default` measures.

export const failoverOvn: Bench = {
  rows: ['failover-ovn', 'failover-ovn-max', 'failover-ovn-lost'],
  async run({ short }) {
    const pair = new OvnPair();
    try {
      await pair.start();
      const [gaps, losses]: [number[], number[]] = [[], []];
      for (let run = 0; run < (short ? 4 : 20); run++) {
        const { died, gapMs, lost } = await pair.death();
        gaps.push(gapMs);
        losses.push(lost);
        say(`failover-ovn: ${gapMs.toFixed(0)} ms, ${lost} lost`);
        await liveAgain(died, pair.lab);
      }
      return [
        plain('failover-ovn', median(gaps), 'ms'),
        plain('failover-ovn-max', Math.max(...gaps), 'ms'),
        plain(
          'failover-ovn-lost',
          losses.reduce((sum, each) => sum + each, 0),
          'connections',
        ),
      ];
    } finally {
      await pair.lab.end();
    }
  },
};
