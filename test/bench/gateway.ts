import { setTimeout as sleep } from 'node:timers/promises';
import type { Namespace } from '../support/namespace.js';
import { Supervisor, type SupervisorOptions } from '../support/supervisor.js';
import { documentsOf, type GatewayPlan, type SourceFile } from './documents.js';
import { cpuMs } from './process-figures.js';

/** A supervisor that takes its documents by API, and that has none yet. */
export async function startEmpty(namespace: Namespace, options: SupervisorOptions = {}): Promise<Supervisor> {
  const supervisor = Supervisor.launch(namespace, { ...options, source: 'api' });
  await supervisor.statusWhen(() => true);
  return supervisor;
}

/** Returns how long it took until the supervisor had verified the kernel and answered, in ms. */
export async function submit(
  supervisor: Supervisor,
  files: readonly SourceFile[],
  { prune = false } = {},
): Promise<number> {
  const began = performance.now();
  const { status, text } = await supervisor.post('/v1/apply', { files, prune });
  const took = performance.now() - began;
  if (status !== 200) throw new Error(`the documents were not taken: ${status} ${text}`);
  return took;
}

/** A supervisor with all of the plan's elastic IPs in force. */
export async function startGateway(
  namespace: Namespace,
  plan: GatewayPlan,
  options: SupervisorOptions = {},
): Promise<Supervisor> {
  const supervisor = await startEmpty(namespace, options);
  await submit(supervisor, [{ file: 'documents.yaml', text: documentsOf(plan) }]);
  return supervisor;
}

/** It watches over drift by then, and nothing else. The watch reads what it had not read before: of 5,000, for seconds. */
export async function settled(supervisor: Supervisor): Promise<void> {
  const windowMs = 2_000;
  for (let spent = Infinity; spent > windowMs / 20;) {
    const before = cpuMs(supervisor.pid);
    await sleep(windowMs);
    spent = cpuMs(supervisor.pid) - before;
  }
}

/** What the kernel itself says: how many elastic IPs are translated inwards. */
export async function boundInKernel(namespace: Namespace): Promise<number> {
  const { stdout } = await namespace.exec(['iptables-save', '-t', 'nat']);
  return stdout.split('\n').filter((line) => line.includes('-j DNAT --to-destination')).length;
}
