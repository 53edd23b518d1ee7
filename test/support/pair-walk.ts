import { AddressHistory, overlapMs, told } from './address-history.js';
import { Capture } from './capture.js';
import type { Fault } from './pair-faults.js';
import { type FlowReport, type FlowsBeside, isTunnel, PairFlows } from './pair-flows.js';
import type { Member, PairLab } from './pair-lab.js';

// One fault under traffic: what it did to each flow, and what must hold whatever the fault.

export interface Walked {
  readonly fault: string;
  readonly flows: readonly FlowReport[];
  /** Members whose kernel let traffic pass, once all was settled. */
  readonly speaking: readonly string[];
  readonly expected: string;
  /** Of faults that part the two: from the heal until one alone spoke. */
  readonly unitedMs?: number;
  /** Packets that left with a source of the VPC. */
  readonly untranslated: number;
  /** For how long both members spoke for one address; nothing can be told of virtual MAC addresses. */
  readonly overlapMs: number;
  /** Who held which address when, for people. */
  readonly history: string;
}

/** In words, of each flow that lost a connection. */
export const lostIn = ({ flows }: Walked): string[] =>
  flows.flatMap(({ flow, lost, of }) => (lost > 0 ? [`${flow}: ${lost} of ${of} lost`] : []));

const UNTRANSLATED = 'src net 10.0.0.0/24 and not arp';
/** Until the streams have gone on for long enough to be seen going on. */
const GOES_ON_MS = 300;

/** How long two are left parted: longer than a lease and the patience of the other. */
const PARTED_MS = 1_000;

export async function walk(fault: Fault, lab: PairLab, beside?: FlowsBeside): Promise<Walked> {
  const { active, standby } = await lab.settled();
  await fault.prepare?.(lab);
  // Before there is traffic: tcpdump counts what passes before its filter stands as received.
  const capture = await Capture.start(lab.topology.inet.namespace, { interface: 'ext', filter: UNTRANSLATED });
  const history = await AddressHistory.start(lab);
  const flows = await PairFlows.start(lab, beside);
  await lab.connectionsKnown(active);
  // What a member that has come back is told by the other, as where peers of tunnels are, it has by then.
  await lab.sound();
  await fault.strike(active, lab);
  let unitedMs: number | undefined;
  if (fault.parts) {
    await lab.wait(PARTED_MS);
    await fault.heal(active, lab);
    const healed = performance.now();
    await lab.until('one alone speaks', async () => (await speakers(lab)).length === 1);
    unitedMs = performance.now() - healed;
  }
  const expected = { Other: [standby], Same: [active], Either: lab.members }[fault.active];
  await lab.until(`${expected.map(({ name }) => name).join(' or ')} alone speaks`, () => speaksAlone(expected, lab));
  await lab.wait(GOES_ON_MS);
  const all = await flows.end();
  const reports = fault.endsTunnels ? all.map(asEnded) : all;
  const speaking = (await speakers(lab)).map(({ name }) => name);
  const untranslated = (await capture.stop()).length;
  const spans = await history.stop();
  if (!fault.parts) await fault.heal(active, lab);
  await lab.settled();
  const one = expected.length === 1 ? expected[0]?.name : speaking[0];
  return {
    fault: fault.name,
    flows: reports,
    speaking,
    expected: one ?? '',
    untranslated,
    overlapMs: overlapMs(spans),
    history: told(spans),
    ...(unitedMs === undefined ? {} : { unitedMs }),
  };
}

/** Whether it is back says nothing. */
const asEnded = (report: FlowReport): FlowReport => (isTunnel(report) ? { ...report, lost: 0, of: 0 } : report);

async function speakers({ members }: PairLab): Promise<Member[]> {
  const held = await Promise.all(members.map((member) => member.holdsLease()));
  return members.filter((_, index) => held[index]);
}

async function speaksAlone(expected: readonly Member[], lab: PairLab): Promise<boolean> {
  const [one, ...more] = await speakers(lab);
  return one !== undefined && more.length === 0 && expected.includes(one);
}
