import { setTimeout as sleep } from 'node:timers/promises';
import type { Namespace } from '../support/namespace.js';
import type { Supervisor } from '../support/supervisor.js';
import { elasticIpDocument, type GatewayPlan, gatewayPlan } from './documents.js';
import { boundInKernel, startGateway, submit } from './gateway.js';
import { LeafReload } from './leaf-reload.js';
import { buildNetwork } from './network.js';
import { inOwnProcessIds, ProcessCount } from './process-count.js';
import { type Bench, compared, plain, say } from './row.js';
import { median, percentile } from './statistics.js';

// One more elastic IP with its target at 5,000: from the POST of its document until the answer, which comes after the
// kernel was verified. Baseline: a bare `iptables-restore --noflush` of one leaf chain in a table of the same size.
// Processes: all that the supervisor starts from the POST to the answer, the median over all edits (its watch over
// drift starts two every 1.2 s, which falls into few of them).

/** Not in step with anything the supervisor does by the clock. */
const pausesMs = [70, 110, 160, 230, 290];

interface Sample {
  readonly ms: number;
  readonly processes: number;
  readonly bareMs: number;
}

export const applyOne = applyTo('apply-one', gatewayPlan('gateway', 1, 5_000));
/** The same where every elastic IP has limits and policies. */
export const applyOneFull = applyTo('apply-one-full', gatewayPlan('gateway', 1, 5_000, true));

function applyTo(name: string, plan: GatewayPlan): Bench {
  return {
    rows: [name, `${name}-p99`, `${name}-processes`],
    async run({ short }) {
      const network = await buildNetwork([plan], [{ label: 'bare', number: 2, destination: '10.1.2.0/24' }]);
      try {
        const namespace = network.namespace('gateway');
        say(`${name}: ${plan.elasticIps} elastic IPs`);
        const supervisor = await startGateway(namespace, plan, { wrapper: inOwnProcessIds });
        const bare = await LeafReload.copy(namespace, network.namespace('bare'));
        const samples = await measure(plan, supervisor, bare, short ? 12 : 120);
        await confirm(plan, namespace, samples.length);
        const ms = samples.map((sample) => sample.ms);
        const baseline = median(samples.map((sample) => sample.bareMs));
        return [
          compared(name, median(ms), 'ms', baseline),
          plain(`${name}-p99`, percentile(ms, 99), 'ms'),
          plain(`${name}-processes`, median(samples.map(({ processes }) => processes)), 'processes'),
        ];
      } finally {
        network.destroy();
      }
    },
  };
}

async function measure(plan: GatewayPlan, supervisor: Supervisor, bare: LeafReload, count: number): Promise<Sample[]> {
  const processes = await ProcessCount.start(supervisor.pid);
  const samples: Sample[] = [];
  for (let edit = 0; edit < count; edit++) {
    await sleep(pausesMs[edit % pausesMs.length]);
    const text = elasticIpDocument(plan, plan.elasticIps + edit);
    const bareMs = await bare.once(edit);
    const before = await processes.soFar();
    const ms = await submit(supervisor, [{ file: `eip-${edit}.yaml`, text }]);
    samples.push({ ms, bareMs, processes: (await processes.soFar()) - before });
  }
  processes.stop();
  return samples;
}

async function confirm(plan: GatewayPlan, namespace: Namespace, edits: number): Promise<void> {
  const bound = await boundInKernel(namespace);
  if (bound !== plan.elasticIps + edits) throw new Error(`the kernel holds ${bound} elastic IPs after the edits`);
}
