import { cpus } from 'node:os';
import { withoutPrefix } from '../support/addresses.js';
import { elasticIp, gateway } from '../support/documents.js';
import type { Namespace } from '../support/namespace.js';
import { PairLab } from '../support/pair-lab.js';
import { Supervisor } from '../support/supervisor.js';
import { type Tenant, Topology } from '../support/topology.js';
import { acceptConnections, connectRate, connectTimes } from './connect-latency.js';
import { type Bench, compared, type Row, say } from './row.js';
import { median } from './statistics.js';

// What it costs to tell the other member of every connection: short connections through a pair, and in turn through a
// gateway that is none, between the same hosts. `sync-cost`: connections a second by one process for each core;
// `sync-cost-p50`: the time of one at 2,000 a second. `sync-cost-listener`: the gateway that is none, with the pair's
// daemons beside it over without them: the kernel makes events in every namespace as soon as anybody listens in one.

const ADDRESSES = 32;
const RATE = 2_000;
const SECONDS = 2;
const port = 7000;
const TENANTS = ['pair', 'alone'] as const;
type Name = (typeof TENANTS)[number];

export const syncCost: Bench = {
  rows: ['sync-cost', 'sync-cost-p50', 'sync-cost-listener'],
  async run({ short }) {
    const topology = await Topology.build({
      tenants: TENANTS.map((name) => ({ name, vms: [{ name: 'web', addresses: targets }], pair: name === 'pair' })),
    });
    const inet = topology.inet.namespace;
    try {
      for (const name of TENANTS) await acceptConnections(topology.tenant(name).vm('web').namespace, port);
      const pair = await PairLab.within(topology, topology.tenant('pair'), documents(topology.tenant('pair')));
      const alone = topology.tenant('alone');
      const supervisor = await Supervisor.start(alone.gateway, { documents: documents(alone) });
      const rounds = short ? 3 : 9;
      const beside = await measured(inet, rounds);
      for (const member of pair.members) member.signal(member.pids, 'SIGKILL');
      const without = await measured(inet, rounds, ['alone']);
      await supervisor.stop();
      return rowsOf(beside, without);
    } finally {
      topology.destroy();
    }
  },
};

/** Of each elastic IP its own, all of one VM. */
const targets = Array.from({ length: ADDRESSES }, (_, i) => `10.0.0.${50 + i}/24`);

interface Figures {
  readonly rates: Readonly<Record<Name, number[]>>;
  readonly times: Readonly<Record<Name, number[]>>;
}

async function measured(client: Namespace, rounds: number, names: readonly Name[] = TENANTS): Promise<Figures> {
  const figures: Figures = { rates: { pair: [], alone: [] }, times: { pair: [], alone: [] } };
  for (let round = 1; round <= rounds; round++)
    for (const name of names) {
      const addresses = addressesOf(name);
      const each = cpus().map(() => connectRate(client, { port, addresses, seconds: SECONDS }));
      figures.rates[name].push((await Promise.all(each)).reduce((sum, rate) => sum + rate, 0));
      const paced = { port, count: RATE * SECONDS, paths: { [name]: addresses }, rate: RATE };
      figures.times[name].push((await connectTimes(client, paced)).get(name)?.p50 ?? NaN);
      say(`sync-cost: ${round} of ${rounds}, ${name}: ${figures.rates[name].at(-1)?.toFixed(0)} a second`);
    }
  return figures;
}

function rowsOf(beside: Figures, without: Figures): Row[] {
  return [
    compared('sync-cost', median(beside.rates.pair), 'a second', median(beside.rates.alone)),
    compared('sync-cost-p50', median(beside.times.pair), 'ms', median(beside.times.alone)),
    compared('sync-cost-listener', median(beside.rates.alone), 'a second', median(without.rates.alone)),
  ];
}

const addressesOf = (name: Name): string[] =>
  Array.from({ length: ADDRESSES }, (_, i) => `203.0.113.${(name === 'pair' ? 10 : 110) + i}`);

const documents = (tenant: Tenant) => {
  const timeouts = { tcpClose: '1s', tcpTimeWait: '1s' };
  const pair = tenant.name === 'pair' ? { highAvailability: { mode: 'AcrossNodes' } } : {};
  return [
    gateway(tenant, { spec: { timeouts, ...pair } }),
    ...addressesOf(tenant.name as Name).map((address, i) =>
      elasticIp(`e${i}`, address, { target: withoutPrefix(targets[i] ?? '') }),
    ),
  ];
};
