import type { Namespace } from '../support/namespace.js';
import { acceptConnections, connectTimes, type ConnectTimes } from './connect-latency.js';
import { elasticIp, type GatewayPlan, gatewayPlan } from './documents.js';
import { settled, startGateway } from './gateway.js';
import { buildNetwork, plainAddress, plainRange } from './network.js';
import { type Bench, compared, type Row, say } from './row.js';
import { median } from './statistics.js';

// How long connect() takes through a gateway with 5,000 elastic IPs, through one with 100, and through a router that
// has no rule and tracks no connection: between the same two hosts, one connection on each path in turn. In the gateways
// everything is as in production: leak guard, connection tracking, the watch over drift. `full`: every one of 5,000 has
// limits and policies.

const many = gatewayPlan('many', 1, 5_000);
const few = gatewayPlan('few', 2, 100);
const full = gatewayPlan('full', 3, 5_000, true);
const router = { label: 'plain', number: 4, destination: plainRange(4) };
const port = 7000;
/** Addresses on each path, so that no path gains by what the hosts remember of fewer. */
const sampled = 16;

export const connectionSetup: Bench = {
  rows: ['connection-setup', 'connection-setup-spread', 'connection-setup-growth', 'connection-setup-full'],
  async run({ short }) {
    const network = await buildNetwork([many, few, full], [router]);
    try {
      say(`connection-setup: gateways with ${many.elasticIps} and ${few.elasticIps} elastic IPs`);
      for (const plan of [many, few, full]) await settled(await startGateway(network.namespace(plan.label), plan));
      await acceptConnections(network.server, port);
      const rounds = short ? 2 : 9;
      const count = sampled * (short ? 50 : 250);
      const measured: Round[] = [];
      for (let round = 1; round <= rounds; round++) {
        say(`connection-setup: ${round} of ${rounds}`);
        // `full` by itself: three other gateways in turn with it would take the processor's caches from it.
        const { plain, many, few, full } = paths;
        const measure = (paths: Record<string, string[]>) =>
          connectTimes(network.client, { port, count, paths, processor: 1 });
        measured.push({ setup: await measure({ plain, many, few }), full: await measure({ plain, full }) });
      }
      await confirmTracking(network.namespace('many'), true);
      await confirmTracking(network.namespace('plain'), false);
      return rowsOf(measured);
    } finally {
      network.destroy();
    }
  },
};

/** First, last, middle, and the others spread without a pattern that the tree of chains could share. */
function sampleOf(plan: GatewayPlan): string[] {
  const last = plan.elasticIps - 1;
  const others = Array.from({ length: sampled - 3 }, (_, i) => (1 + i * 7919 + i * i * 31) % last);
  return [0, last, last >> 1, ...others].map((index) => elasticIp(plan, index));
}

const paths = {
  plain: Array.from({ length: sampled }, (_, i) => plainAddress(router.number, 1 + i)),
  many: sampleOf(many),
  few: sampleOf(few),
  full: sampleOf(full),
};

interface Round {
  readonly setup: Map<string, ConnectTimes>;
  readonly full: Map<string, ConnectTimes>;
}

/** Of each figure the median over the rounds: a round that the machine disturbed does not decide. */
function rowsOf(rounds: readonly Round[]): Row[] {
  const p50 = (path: string, of: keyof Round = 'setup'): number =>
    median(rounds.map((round) => round[of].get(path)?.p50 ?? NaN));
  const ofEach = paths.many.map((address) =>
    median(rounds.map(({ setup }) => setup.get('many')?.p50ByAddress.get(address) ?? NaN)),
  );
  return [
    compared('connection-setup', p50('many'), 'ms', p50('plain')),
    compared('connection-setup-spread', Math.max(...ofEach), 'ms', Math.min(...ofEach)),
    compared('connection-setup-growth', p50('many'), 'ms', p50('few')),
    compared('connection-setup-full', p50('full', 'full'), 'ms', p50('plain', 'full')),
  ];
}

async function confirmTracking(namespace: Namespace, expected: boolean): Promise<void> {
  const { stdout } = await namespace.exec(['sysctl', '-n', 'net.netfilter.nf_conntrack_count']);
  if (Number(stdout) > 0 !== expected)
    throw new Error(`${namespace.label} ${expected ? 'does not track' : 'tracks'} connections: nothing was compared`);
}
