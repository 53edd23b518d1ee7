import { setTimeout as sleep } from 'node:timers/promises';
import type { Namespace } from '../support/namespace.js';
import type { Supervisor } from '../support/supervisor.js';
import { startSynFlood } from '../support/syn-flood.js';
import { acceptConnections, connectTimes } from './connect-latency.js';
import { elasticIp, type GatewayPlan, gatewayPlan } from './documents.js';
import { startGateway } from './gateway.js';
import { buildNetwork } from './network.js';
import { type Bench, compared, plain, say } from './row.js';
import { median } from './statistics.js';

// Two tenants on one machine. Somebody opens connections to one of them from thousands of addresses, as fast as a process
// can; the other's clients connect meanwhile, and in turn while nothing else happens: p99 of both. The management side of
// the flooded gateway is asked all the while: the longest that an answer took.

const flooded = gatewayPlan('flooded', 1, 100);
const other = gatewayPlan('other', 2, 100);
const ports = { other: 7000, flooded: 7001 };
/** Longer than the connections beside it take. */
const seconds = 2;

export const synFlood: Bench = {
  rows: ['syn-flood', 'syn-flood-management'],
  async run({ short }) {
    const network = await buildNetwork([flooded, other], []);
    try {
      const supervisor = await startGateway(network.namespace('flooded'), flooded);
      await startGateway(network.namespace('other'), other);
      for (const port of Object.values(ports)) await acceptConnections(network.server, port);
      const [quiet, beside, waits]: [number[], number[], number[]] = [[], [], []];
      for (let round = 1; round <= (short ? 3 : 11); round++) {
        quiet.push(await p99(network.client, other));
        const flood = startSynFlood(network.client, { to: elasticIp(flooded, 7), port: ports.flooded, seconds });
        const [times, longest] = await Promise.all([p99(network.client, other), longestWait(supervisor, flood.over)]);
        beside.push(times);
        waits.push(longest);
        say(`syn-flood: ${round}, ${await flood.over} SYNs a second`);
      }
      return [
        compared('syn-flood', median(beside), 'ms', median(quiet)),
        plain('syn-flood-management', Math.max(...waits), 'ms'),
      ];
    } finally {
      network.destroy();
    }
  },
};

async function p99(client: Namespace, plan: GatewayPlan): Promise<number> {
  const addresses = Array.from({ length: 16 }, (_, index) => elasticIp(plan, index));
  const times = await connectTimes(client, { port: ports.other, count: 2_000, paths: { other: addresses } });
  return times.get('other')?.p99 ?? NaN;
}

async function longestWait(supervisor: Supervisor, over: Promise<unknown>): Promise<number> {
  let going = true;
  void over.finally(() => (going = false));
  let longest = 0;
  while (going) {
    const began = performance.now();
    await supervisor.get('/healthz');
    await supervisor.get('/v1/status');
    longest = Math.max(longest, performance.now() - began);
    // As a probe does; asked without a pause, it would be this that the connections beside it wait for.
    await sleep(100);
  }
  return longest;
}
