import { elasticIp, gatewayPlan } from './documents.js';
import { startGateway } from './gateway.js';
import { iperfServer, throughput as measure } from './iperf.js';
import { buildNetwork, plainAddress, plainRange } from './network.js';
import { type Bench, compared, say } from './row.js';
import { median } from './statistics.js';

// One established TCP connection through a gateway with 5,000 elastic IPs, and through a router that only tracks
// connections, in turn: medians of what arrived.

const plan = gatewayPlan('gateway', 1, 5_000);
const router = { label: 'plain', number: 2, destination: plainRange(2) };

export const throughput: Bench = {
  rows: ['throughput'],
  async run({ short }) {
    const network = await buildNetwork([plan], [router]);
    try {
      say(`throughput: ${plan.elasticIps} elastic IPs`);
      await startGateway(network.namespace('gateway'), plan);
      const tracking = ['*filter', '-A FORWARD -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT', 'COMMIT\n'];
      await network.namespace('plain').exec(['iptables-restore'], { stdin: tracking.join('\n') });
      await iperfServer(network.server, { processor: 1 });
      const rounds = short ? 2 : 11;
      const nat: number[] = [];
      const plain: number[] = [];
      const paths = [
        { to: elasticIp(plan, 2_500), results: nat },
        { to: plainAddress(router.number, 1), results: plain },
      ];
      for (let round = 0; round < rounds; round++) {
        say(`throughput: ${round + 1} of ${rounds}`);
        // Now the one first, now the other: what the machine does in between meets both.
        for (const { to, results } of round % 2 === 0 ? paths : [...paths].reverse())
          results.push((await measure(network.client, { to, seconds: 1, processor: 0 })) / 1e6);
      }
      return [compared('throughput', median(nat), 'Mbit/s', median(plain))];
    } finally {
      network.destroy();
    }
  },
};
