/** What was dropped, by reason: from the counters of the chains that are named after reasons, and of the connection table. */
import type { CommandRunner } from '../kernel/command.js';
import type { IptablesVariant } from '../kernel/iptables/subsystem.js';
import { DROP_REASONS, dropChain, MEMBERS_TABLE, REJECT_CHAIN } from '../model/ownership.js';

/** Packets, by the `reason` of `vpcgw_drops_total`. A count begins anew when its chain does. */
export async function readDrops(run: CommandRunner, variant: IptablesVariant): Promise<Map<string, number>> {
  const drops = new Map<string, number>();
  const add = (reason: string, packets: number): unknown => drops.set(reason, (drops.get(reason) ?? 0) + packets);
  for (const reason of Object.values(DROP_REASONS).flat()) add(reason, 0);
  for (const program of ['iptables', 'ip6tables']) {
    const { stdout } = await run.run({
      argv: [`${program}-${variant}-restore`, '--noflush'],
      stdin: QUESTIONS,
      okExitCodes: [0, 1],
    });
    for (const [chain, packets] of countsOf(stdout)) add(REASONS.get(chain) ?? '', packets);
  }
  add('Control', await forgedTalk(run));
  const { exhausted, full } = await tableDrops(run);
  return drops.set('PortExhausted', exhausted).set('ConntrackFull', full);
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ...Object.values(DROP_REASONS).flatMap((reasons) => reasons.map((reason) => [dropChain(reason), reason] as const)),
  [REJECT_CHAIN, 'Firewall'],
]);

/** The chain of rejections is last, since it is only there when some policy rejects. */
const QUESTIONS = [
  ...Object.entries(DROP_REASONS).flatMap(([table, reasons]) => [
    `*${table}`,
    ...reasons.map((reason) => `-S ${dropChain(reason)} -v`),
    'COMMIT',
  ]),
  '*filter',
  `-S ${REJECT_CHAIN} -v`,
  'COMMIT',
  '',
].join('\n');

const countsOf = (listing: string): [string, number][] =>
  [...listing.matchAll(/^-A (VG-\S+) .*-c (\d+) \d+/gm)].map(([, chain = '', packets]) => [chain, Number(packets)]);

/** What claimed to be talk between the members of a pair, and was not. Counts from 0 where there is none. */
async function forgedTalk(run: CommandRunner): Promise<number> {
  const { stdout } = await run.run({
    argv: ['nft', 'list', 'counter', 'inet', MEMBERS_TABLE, 'dropped'],
    okExitCodes: [0, 1],
  });
  return Number(/packets (\d+)/.exec(stdout)?.[1] ?? 0);
}

/** A connection for which no port was left is one that could not be entered into the table. */
async function tableDrops(run: CommandRunner): Promise<{ exhausted: number; full: number }> {
  const { stdout } = await run.run({ argv: ['conntrack', '-S'], okExitCodes: [0, 1] });
  const sum = (field: string): number =>
    [...stdout.matchAll(new RegExp(`\\b${field}=(\\d+)`, 'g'))].reduce((total, [, count]) => total + Number(count), 0);
  return { exhausted: sum('insert_failed'), full: sum('drop') };
}
