import { setTimeout as sleep } from 'node:timers/promises';
import { gatewayPlan } from './documents.js';
import { startGateway } from './gateway.js';
import { buildNetwork } from './network.js';
import { cpuMs } from './process-figures.js';
import { type Bench, plain, say } from './row.js';

// What a gateway with 5,000 elastic IPs costs while nothing happens: CPU of the supervisor and of all programs that it
// starts to look after the kernel. Three minutes have one look at everything in them.

const plan = gatewayPlan('gateway', 1, 5_000);
/** Programs that were held ready for another edit are gone by then. */
const settlesMs = 20_000;

export const idle: Bench = {
  rows: ['idle-cpu'],
  async run({ short }) {
    const network = await buildNetwork([plan], []);
    try {
      const supervisor = await startGateway(network.namespace('gateway'), plan);
      say(`idle: ${plan.elasticIps} elastic IPs`);
      await sleep(settlesMs);
      const windowMs = short ? 12_000 : 180_000;
      const [before, began] = [cpuMs(supervisor.pid), performance.now()];
      await sleep(windowMs);
      const share = (cpuMs(supervisor.pid) - before) / (performance.now() - began);
      await supervisor.stop();
      return [plain('idle-cpu', share * 100, '% of a core')];
    } finally {
      network.destroy();
    }
  },
};
