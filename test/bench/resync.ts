import { gatewayPlan } from './documents.js';
import { documentsOf } from './documents.js';
import { boundInKernel, startEmpty, submit } from './gateway.js';
import { buildNetwork } from './network.js';
import { acceptConnections, connectTimes } from './connect-latency.js';
import { elasticIp } from './documents.js';
import { type Bench, plain, say } from './row.js';
import { median } from './statistics.js';

// From an empty namespace to 1,000 elastic IPs with targets: a supervisor runs there and has no documents; the gateway
// and all its elastic IPs come in one POST, whose answer comes after the kernel was verified. Then the kernel's own list
// is counted, and a connection goes through the last one.

const plan = gatewayPlan('gateway', 1, 1_000);
const port = 7000;

export const resync: Bench = {
  rows: ['resync'],
  async run({ short }) {
    const times: number[] = [];
    const rounds = short ? 2 : 7;
    for (let round = 1; round <= rounds; round++) {
      say(`resync: ${round} of ${rounds}`);
      times.push(await once());
    }
    return [plain('resync', median(times), 'ms')];
  },
};

async function once(): Promise<number> {
  const network = await buildNetwork([plan], []);
  try {
    const namespace = network.namespace('gateway');
    const supervisor = await startEmpty(namespace);
    const took = await submit(supervisor, [{ file: 'documents.yaml', text: documentsOf(plan) }]);
    const bound = await boundInKernel(namespace);
    if (bound !== plan.elasticIps) throw new Error(`the kernel holds ${bound} elastic IPs, not ${plan.elasticIps}`);
    await acceptConnections(network.server, port);
    await connectTimes(network.client, { port, count: 1, paths: { last: [elasticIp(plan, plan.elasticIps - 1)] } });
    await supervisor.stop();
    return took;
  } finally {
    network.destroy();
  }
}
