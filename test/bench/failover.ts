import { die, liveAgain } from '../support/pair-faults.js';
import { BareKeepalived } from './bare-keepalived.js';
import { PairBench, type PairPlan, type Strike } from './pair.js';
import { type Bench, compared, plain, say } from './row.js';
import { median } from './statistics.js';

// The node of the active member dies, in one moment and without anybody being told: the longest time in which a stream
// of a datagram each 2 ms gets no answer, and what becomes of 1,000 connections, half of them by SNAT.

const CONNECTIONS = 1_000;

export const failover: Bench = {
  rows: ['failover', 'failover-max', 'failover-lost'],
  async run({ short }) {
    const plan: PairPlan = { elasticIps: 5_000, macMode: 'Virtual', advertInterval: '20ms' };
    const bench = await PairBench.start(plan);
    try {
      const bare = await BareKeepalived.start(bench.lab.topology, 'bare', 20);
      const [strikes, bareGaps]: [Strike[], number[]] = [[], []];
      for (let run = 0; run < (short ? 4 : 20); run++) {
        strikes.push(await nodeDeath(bench));
        bareGaps.push(await bare.nodeDeath());
        say(`failover: ${strikes.at(-1)?.gapMs.toFixed(0)} ms, keepalived alone ${bareGaps.at(-1)?.toFixed(0)} ms`);
      }
      return [
        compared('failover', median(gapsOf(strikes)), 'ms', median(bareGaps)),
        compared('failover-max', Math.max(...gapsOf(strikes)), 'ms', Math.max(...bareGaps)),
        plain('failover-lost', lostOf(strikes), 'connections'),
      ];
    } finally {
      await bench.lab.end();
    }
  },
};

export const failoverDefault: Bench = {
  rows: ['failover-default', 'failover-default-lost'],
  async run({ short }) {
    const bench = await PairBench.start({ elasticIps: 100, macMode: 'Own' });
    try {
      const strikes: Strike[] = [];
      for (let run = 0; run < (short ? 4 : 20); run++) {
        strikes.push(await nodeDeath(bench));
        say(`failover-default: ${strikes.at(-1)?.gapMs.toFixed(0)} ms`);
      }
      return [
        plain('failover-default', median(gapsOf(strikes)), 'ms'),
        plain('failover-default-lost', lostOf(strikes), 'connections'),
      ];
    } finally {
      await bench.lab.end();
    }
  },
};

/** One side of the active member is silently dead, now this one, now that. */
export const failoverBlackhole: Bench = {
  rows: ['failover-blackhole'],
  async run({ short }) {
    const bench = await PairBench.start({ elasticIps: 100, macMode: 'Own' });
    try {
      const strikes: Strike[] = [];
      for (let run = 0; run < (short ? 4 : 20); run++) {
        const side = run % 2 === 0 ? 'ext0' : 'vpc0';
        strikes.push(await blackHole(bench, side));
        say(`failover-blackhole: ${strikes.at(-1)?.gapMs.toFixed(0)} ms at ${side}`);
      }
      return [plain('failover-blackhole', Math.max(...gapsOf(strikes)), 'ms')];
    } finally {
      await bench.lab.end();
    }
  },
};

const gapsOf = (strikes: readonly Strike[]): number[] => strikes.map(({ gapMs }) => gapMs);
export const lostOf = (strikes: readonly Strike[]): number => strikes.reduce((sum, { lost }) => sum + lost, 0);

async function blackHole(bench: PairBench, side: string): Promise<Strike> {
  const { lab } = bench;
  const { active } = await lab.settled();
  await lab.sound();
  const strike = await bench.strike(CONNECTIONS, () => lab.cables.silence(active.namespace, [side]));
  await lab.cables.unsilence(active.namespace, [side]);
  // One that gave way so often in a minute would not be moved any more.
  await active.supervisor.restart();
  return strike;
}

async function nodeDeath(bench: PairBench): Promise<Strike> {
  const { active } = await bench.lab.settled();
  const strike = await bench.strike(CONNECTIONS, () => die(active, bench.lab));
  await liveAgain(active, bench.lab);
  return strike;
}
