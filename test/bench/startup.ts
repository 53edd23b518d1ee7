import { setTimeout as sleep } from 'node:timers/promises';
import { Supervisor } from '../support/supervisor.js';
import { documentsOf, gatewayPlan } from './documents.js';
import { boundInKernel } from './gateway.js';
import { buildNetwork } from './network.js';
import { cpuMs, rssMb } from './process-figures.js';
import { type Bench, plain, say } from './row.js';
import { median } from './statistics.js';

// From the start of the process in an empty namespace, with its documents in a folder, until /readyz answers 200. CPU is
// that of the supervisor and all its children; memory is that of the supervisor.

interface Figures {
  readonly cpu: number;
  readonly rss: number;
}

export const startup: Bench = {
  rows: ['startup-cpu', 'startup-rss', 'startup-rss-5000'],
  async run({ short }) {
    const few = await repeat(100, short ? 2 : 9);
    const many = await repeat(5_000, short ? 1 : 3);
    return [
      plain('startup-cpu', median(few.map(({ cpu }) => cpu)), 'ms'),
      plain('startup-rss', median(few.map(({ rss }) => rss)), 'MB'),
      plain('startup-rss-5000', median(many.map(({ rss }) => rss)), 'MB'),
    ];
  },
};

async function repeat(elasticIps: number, rounds: number): Promise<Figures[]> {
  const figures: Figures[] = [];
  for (let round = 1; round <= rounds; round++) {
    say(`startup: with ${elasticIps} elastic IPs, ${round} of ${rounds}`);
    figures.push(await once(elasticIps));
  }
  return figures;
}

async function once(elasticIps: number): Promise<Figures> {
  const plan = gatewayPlan('gateway', 1, elasticIps);
  const network = await buildNetwork([plan], []);
  try {
    const namespace = network.namespace('gateway');
    const supervisor = Supervisor.launch(namespace, { documents: documentsOf(plan) });
    await logged(supervisor, '"event":"Applied"');
    await supervisor.ready();
    const figures = { cpu: cpuMs(supervisor.pid), rss: rssMb(supervisor.pid) };
    const bound = await boundInKernel(namespace);
    if (bound !== elasticIps) throw new Error(`ready, but the kernel holds ${bound} elastic IPs, not ${elasticIps}`);
    await supervisor.stop();
    return figures;
  } finally {
    network.destroy();
  }
}

/** Asking /readyz again and again would itself cost the supervisor CPU; its log is read without its doing. */
async function logged(supervisor: Supervisor, text: string): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (supervisor.running && performance.now() < deadline && !supervisor.logs().includes(text)) await sleep(2);
}
