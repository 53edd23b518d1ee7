import type { Namespace } from '../support/namespace.js';
import type { Supervisor } from '../support/supervisor.js';
import { balanced, balancerDocument, balancerDocuments, type BalancersPlan, before } from './balancers.js';
import { acceptConnections, connectRate } from './connect-latency.js';
import { elasticIp, target } from './documents.js';
import { settled, startEmpty, submit } from './gateway.js';
import { buildNetwork, plainRange } from './network.js';
import { type Bench, compared, type Row, say } from './row.js';
import { median } from './statistics.js';

// What the supervisor adds to IPVS: 1,000 listeners with 10 members each, from the POST of the documents until the answer,
// over a bare `ipvsadm --restore` of the same services while the supervisor rests, the median of several times in turn; one member's weight at that size over a bare `ipvsadm -e`; and how
// many connections a second one process opens through a listener, over a port forward to one of its members. Needs a
// kernel with IPVS: `test/kernel/lab/run -- npm run -s bench -- lb-apply`.

const plan: BalancersPlan = { balancers: 20, listeners: 50, members: 10, port: 20_000 };
const short: BalancersPlan = { ...plan, listeners: 5 };
const bare = { label: 'bare', number: 2, destination: plainRange(2) };

const ipvsadm = (namespace: Namespace, args: readonly string[], stdin = '') =>
  namespace.exec(['ipvsadm', ...args], { stdin, timeoutMs: 120_000 });

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Whether this kernel has it; says so where not. */
async function hasIpvs(namespace: Namespace, name: string): Promise<boolean> {
  const found = await ipvsadm(namespace, ['-Ln']).then(
    () => true,
    () => false,
  );
  if (!found) say(`SKIPPED ${name}: this kernel has no IPVS; run it by test/kernel/lab/run`);
  return found;
}

export const lbApply: Bench = {
  rows: ['lb-apply', 'lb-apply-one'],
  async run({ short: isShort }) {
    const network = await buildNetwork([balanced], [bare]);
    const [namespace, other] = [network.namespace('gateway'), network.namespace('bare')];
    const size = isShort ? short : plan;
    try {
      if (!(await hasIpvs(other, 'lb-apply'))) return [];
      const supervisor = await startEmpty(namespace);
      say(`lb-apply: ${size.balancers * size.listeners} listeners with ${size.members} members each`);
      const applied: number[] = [];
      const restored: number[] = [];
      for (let round = 0; round < (isShort ? 1 : 3); round++) {
        // From empty each time; what the kernel loads for the first balancer of all belongs to the first.
        await submit(supervisor, [{ file: 'before.yaml', text: before(size) }], { prune: true });
        // What is looked at after that edit belongs to it.
        await settled(supervisor);
        applied.push(await submit(supervisor, [{ file: 'lb.yaml', text: balancerDocuments(size) }]));
        const { stdout: saved } = await ipvsadm(namespace, ['-Sn']);
        const count = saved.split('\n').filter((line) => line.startsWith('-a ')).length;
        const wanted = size.balancers * size.listeners * size.members;
        if (count !== wanted) throw new Error(`the kernel holds ${count} members, not ${wanted}`);
        await ipvsadm(other, ['-C']);
        process.kill(supervisor.pid, 'SIGSTOP');
        restored.push(await timed(() => ipvsadm(other, ['-R'], saved)));
        process.kill(supervisor.pid, 'SIGCONT');
        say(`lb-apply: ${applied.at(-1)?.toFixed(0)} ms over ${restored.at(-1)?.toFixed(0)} ms`);
      }
      return [
        compared('lb-apply', median(applied), 'ms', median(restored)),
        await oneMember(size, supervisor, other, isShort),
      ];
    } finally {
      network.destroy();
    }
  },
};

async function oneMember(
  size: BalancersPlan,
  supervisor: Supervisor,
  other: Namespace,
  isShort: boolean,
): Promise<Row> {
  const edits: number[] = [];
  const bareEdits: number[] = [];
  const member = ['-t', `${elasticIp(balanced, 0)}:${size.port}`, '-r', `${target(0)}:${size.port}`, '-m'];
  for (let weight = 2; weight < (isShort ? 5 : 14); weight++) {
    bareEdits.push(await timed(() => ipvsadm(other, ['-e', ...member, '-w', `${weight}`])));
    edits.push(await submit(supervisor, [{ file: 'lb.yaml', text: balancerDocument(size, 0, weight) }]));
  }
  return compared('lb-apply-one', median(edits), 'ms', median(bareEdits));
}

const connectPlan: BalancersPlan = { balancers: 1, listeners: 1, members: 10, port: 7_000 };

export const lbConnect: Bench = {
  rows: ['lb-connect'],
  async run({ short: isShort }) {
    const network = await buildNetwork([balanced], []);
    const { port } = connectPlan;
    try {
      const namespace = network.namespace('gateway');
      if (!(await hasIpvs(namespace, 'lb-connect'))) return [];
      const forward = `apiVersion: vpcgw.io/v1alpha1
kind: DnatRule
metadata: {name: one}
spec: {elasticIP: vip-1, protocol: TCP, port: ${port}, target: {address: ${target(0)}}}
`;
      const documents = [before({ balancers: 2 }), balancerDocuments(connectPlan), forward];
      await submit(await startEmpty(namespace), [{ file: 'all.yaml', text: documents.join('---\n') }]);
      await acceptConnections(network.server, port);
      const rates: [number[], number[]] = [[], []];
      const seconds = isShort ? 1 : 4;
      for (let round = 0; round < (isShort ? 2 : 7); round++)
        for (const path of [0, 1] as const)
          rates[path].push(
            await connectRate(network.client, { port, addresses: [elasticIp(balanced, path)], seconds }),
          );
      return [compared('lb-connect', median(rates[0]), 'a second', median(rates[1]))];
    } finally {
      network.destroy();
    }
  },
};
