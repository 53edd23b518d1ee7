import { documentsOf, elasticIp, type GatewayPlan, gatewayPlan } from './documents.js';
import { boundInKernel, startEmpty, submit } from './gateway.js';
import { buildNetwork } from './network.js';
import { acceptConnections, connectTimes } from './connect-latency.js';
import { type Bench, plain, say } from './row.js';
import { median } from './statistics.js';

// From an empty namespace to 1,000 elastic IPs with targets: a supervisor runs there and has no documents; the gateway
// and all its elastic IPs come in one POST, whose answer comes after the kernel was verified. Then the kernel's own list
// is counted, and a connection goes through the last one.

const port = 7000;

export const resync = resyncOf('resync', gatewayPlan('gateway', 1, 1_000));
/** The same where every elastic IP has limits and policies. */
export const resyncFull = resyncOf('resync-full', gatewayPlan('gateway', 1, 1_000, true));

function resyncOf(name: string, plan: GatewayPlan): Bench {
  return {
    rows: [name],
    async run({ short }) {
      const times: number[] = [];
      const rounds = short ? 2 : 7;
      for (let round = 1; round <= rounds; round++) {
        say(`${name}: ${round} of ${rounds}`);
        times.push(await once(plan));
      }
      return [plain(name, median(times), 'ms')];
    },
  };
}

async function once(plan: GatewayPlan): Promise<number> {
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
