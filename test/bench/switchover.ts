import { lostOf } from './failover.js';
import { PairBench, type PairPlan, type Strike } from './pair.js';
import { type Bench, plain, say } from './row.js';
import { median } from './statistics.js';

// A planned switchover: the longest time in which a stream of a datagram each 2 ms gets no answer, and what becomes of 200
// connections.

const CONNECTIONS = 200;

export const switchover: Bench = {
  rows: ['switchover', 'switchover-100', 'switchover-lost'],
  async run({ short }) {
    const runs = short ? 5 : 20;
    const many = await switchOften({ elasticIps: 5_000, macMode: 'Virtual' }, runs);
    const few = await switchOften({ elasticIps: 100, macMode: 'Own' }, runs);
    return [
      plain('switchover', median(many.map(({ gapMs }) => gapMs)), 'ms'),
      plain('switchover-100', median(few.map(({ gapMs }) => gapMs)), 'ms'),
      plain('switchover-lost', lostOf([...many, ...few]), 'connections'),
    ];
  },
};

async function switchOften(plan: PairPlan, runs: number): Promise<Strike[]> {
  const bench = await PairBench.start(plan);
  try {
    const strikes: Strike[] = [];
    for (let run = 0; run < runs; run++) {
      strikes.push(
        await bench.strike(CONNECTIONS, async ({ supervisor }) => {
          const { status, text } = await supervisor.post('/v1/failover/switchover', {});
          if (status !== 200) throw new Error(`no switchover: ${status} ${text}\n${bench.roles()}`);
        }),
      );
      say(`switchover: ${plan.elasticIps} elastic IPs, ${strikes.at(-1)?.gapMs.toFixed(1)} ms`);
    }
    return strikes;
  } finally {
    await bench.lab.end();
  }
}
