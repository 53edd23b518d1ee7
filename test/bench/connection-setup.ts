import type { Namespace } from '../support/namespace.js';
import { acceptConnections, connectTimes, type ConnectTimes } from './connect-latency.js';
import { elasticIp, type GatewayPlan, gatewayPlan } from './documents.js';
import { startGateway } from './gateway.js';
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
      await startGateway(network.namespace('many'), many);
      await startGateway(network.namespace('few'), few);
      await startGateway(network.namespace('full'), full);
      await acceptConnections(network.server, port);
      const rounds = short ? 2 : 9;
      const count = sampled * (short ? 50 : 250);
      const measured: Map<string, ConnectTimes>[] = [];
      for (let round = 1; round <= rounds; round++) {
        say(`connection-setup: ${round} of ${rounds}`);
        measured.push(await connectTimes(network.client, { port, count, paths }));
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

/** Of each figure the median over the rounds: a round that the machine disturbed does not decide. */
function rowsOf(rounds: readonly Map<string, ConnectTimes>[]): Row[] {
  const p50 = (path: string): number => median(rounds.map((times) => times.get(path)?.p50 ?? NaN));
  const ofEach = paths.many.map((address) =>
    median(rounds.map((times) => times.get('many')?.p50ByAddress.get(address) ?? NaN)),
  );
  return [
    compared('connection-setup', p50('many'), 'ms', p50('plain')),
    compared('connection-setup-spread', Math.max(...ofEach), 'ms', Math.min(...ofEach)),
    compared('connection-setup-growth', p50('many'), 'ms', p50('few')),
    compared('connection-setup-full', p50('full'), 'ms', p50('plain')),
  ];
}

async function confirmTracking(namespace: Namespace, expected: boolean): Promise<void> {
  const { stdout } = await namespace.exec(['sysctl', '-n', 'net.netfilter.nf_conntrack_count']);
  if (Number(stdout) > 0 !== expected)
    throw new Error(`${namespace.label} ${expected ? 'does not track' : 'tracks'} connections: nothing was compared`);
}
