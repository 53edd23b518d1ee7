import { elasticIp, gateway, snatRule } from '../support/documents.js';
import { PairLab } from '../support/pair-lab.js';
import { type Tenant, Topology } from '../support/topology.js';
import { cpuMs, rssMb, shareMb, treeMb } from './process-figures.js';
import { type Bench, plain, say } from './row.js';

// Forty idle pairs on one machine, both members of each, so eighty supervisors with their daemons: CPU of all, and memory
// of a member with all that it runs, of the largest, with the pages that all of them share and with its share of those.

const AT_ONCE = 2;
/** Programs that were held ready after the start are gone by then. */
const SETTLES_MS = 25_000;

export const density: Bench = {
  rows: ['density-cpu', 'density-rss', 'density-share'],
  async run({ short }) {
    const pairs = short ? 10 : 40;
    const names = Array.from({ length: pairs }, (_, index) => `t${index}`);
    const topology = await Topology.build({ tenants: names.map((name) => ({ name, vms: [], pair: true })) });
    const labs: PairLab[] = [];
    try {
      for (let i = 0; i < pairs; i += AT_ONCE) {
        const some = names.slice(i, i + AT_ONCE).map((name) => topology.tenant(name));
        labs.push(...(await Promise.all(some.map((each) => PairLab.within(topology, each, documents(each))))));
        say(`density: ${labs.length} of ${pairs} pairs`);
      }
      const pids = labs.flatMap(({ members }) => members.map(({ supervisor }) => supervisor.pid));
      await labs[0]?.wait(SETTLES_MS);
      const cpu = (): number => pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
      const [before, began] = [cpu(), performance.now()];
      await labs[0]?.wait(short ? 10_000 : 60_000);
      const share = (cpu() - before) / (performance.now() - began);
      return [
        plain('density-cpu', share * 100 * (40 / pairs), '% of a core'),
        plain('density-rss', Math.max(...pids.map((pid) => treeMb(pid, rssMb))), 'MB'),
        plain('density-share', Math.max(...pids.map((pid) => treeMb(pid, shareMb))), 'MB'),
      ];
    } finally {
      await Promise.all(labs.flatMap(({ members }) => members.map(({ supervisor }) => supervisor.kill9())));
      topology.destroy();
    }
  },
};

const documents = (tenant: Tenant) => [
  gateway(tenant, { spec: { highAvailability: { mode: 'AcrossNodes' } } }),
  elasticIp('nat', `203.0.113.${100 + Number(tenant.name.slice(1))}`),
  snatRule('all', ['10.0.0.0/24'], ['nat']),
];
