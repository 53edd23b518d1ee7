import { cpus } from 'node:os';
import { spawn } from 'node:child_process';
import { PairBench } from './pair.js';
import { type Bench, plain, say } from './row.js';

// All cores of the machine saturated, by twice as many processes as there are: role changes of an idle pair, which are all
// false. `false-failover` is the default interval; the others are there to say how low one may go.

const INTERVALS = [undefined, '30ms', '20ms'];

export const falseFailover: Bench = {
  rows: ['false-failover', 'false-failover-30ms', 'false-failover-20ms'],
  async run({ short }) {
    const rows = [];
    for (const interval of short ? [undefined] : INTERVALS) {
      const name = ['false-failover', ...(interval ? [interval] : [])].join('-');
      const seconds = short ? 60 : interval === undefined ? 600 : 120;
      say(`${name}: ${seconds} s`);
      rows.push(plain(name, await changes(interval, seconds), 'changes'));
    }
    return rows;
  },
};

async function changes(advertInterval: string | undefined, seconds: number): Promise<number> {
  const plan = { elasticIps: 100, macMode: 'Own' as const };
  const { lab } = await PairBench.start(advertInterval === undefined ? plan : { ...plan, advertInterval });
  try {
    const before = await roleChanges(lab.members);
    const burning = Array.from({ length: 2 * cpus().length }, () => spawn('perl', ['-e', '1 while 1']));
    await lab.wait(seconds * 1000);
    for (const child of burning) child.kill('SIGKILL');
    return (await roleChanges(lab.members)) - before;
  } finally {
    await lab.end();
  }
}

async function roleChanges(members: readonly { supervisor: PairMember }[]): Promise<number> {
  const counts = members.map(async ({ supervisor }) =>
    (await supervisor.metrics()).value('vpcgw_member_role_changes_total', {}),
  );
  return (await Promise.all(counts)).reduce<number>((sum, count) => sum + (count ?? 0), 0);
}

type PairMember = PairBench['lab']['members'][number]['supervisor'];
