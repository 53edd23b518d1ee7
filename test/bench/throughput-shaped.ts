import { documentsOf, elasticIp, gatewayPlan } from './documents.js';
import { startEmpty, startGateway, submit } from './gateway.js';
import { iperfServer, throughput as measure } from './iperf.js';
import { buildNetwork } from './network.js';
import { type Bench, compared, say } from './row.js';
import { median } from './statistics.js';

// One established TCP connection through a gateway whose 1,000 elastic IPs all have limits, none of which it reaches, and
// through one whose elastic IPs have none, in turn: medians of what arrived.

const shaped = gatewayPlan('shaped', 1, 1_000);
const unshaped = gatewayPlan('unshaped', 2, 1_000);

export const throughputShaped: Bench = {
  rows: ['throughput-shaped'],
  async run({ short }) {
    const network = await buildNetwork([shaped, unshaped], []);
    try {
      say(`throughput-shaped: ${shaped.elasticIps} elastic IPs, with limits and without`);
      const text = documentsOf(shaped, () => '400G');
      await submit(await startEmpty(network.namespace('shaped')), [{ file: 'documents.yaml', text }]);
      await startGateway(network.namespace('unshaped'), unshaped);
      await iperfServer(network.server, { processor: 1 });
      const paths = [shaped, unshaped].map((plan) => ({ to: elasticIp(plan, 500), results: [] as number[] }));
      const rounds = short ? 2 : 11;
      for (let round = 0; round < rounds; round++) {
        say(`throughput-shaped: ${round + 1} of ${rounds}`);
        // Now the one first, now the other: what the machine does in between meets both.
        for (const { to, results } of round % 2 === 0 ? paths : [...paths].reverse())
          results.push((await measure(network.client, { to, seconds: 1, processor: 0 })) / 1e6);
      }
      const [value = 0, baseline = 0] = paths.map(({ results }) => median(results));
      return [compared('throughput-shaped', value, 'Mbit/s', baseline)];
    } finally {
      network.destroy();
    }
  },
};
