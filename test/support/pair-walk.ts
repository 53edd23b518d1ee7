import { Capture } from './capture.js';
import type { Fault } from './pair-faults.js';
import { type FlowReport, PairFlows } from './pair-flows.js';
import type { Member, PairLab } from './pair-lab.js';

// One fault under traffic: what it did to each flow, and what must hold whatever the fault.

export interface Walked {
  readonly fault: string;
  readonly flows: readonly FlowReport[];
  /** Members whose kernel let traffic pass, once all was settled. */
  readonly speaking: readonly string[];
  readonly expected: string;
  /** Packets that left with a source of the VPC. */
  readonly untranslated: number;
}

const UNTRANSLATED = 'src net 10.0.0.0/24 and not arp';
/** Until the streams have gone on for long enough to be seen going on. */
const GOES_ON_MS = 300;

export async function walk(fault: Fault, lab: PairLab): Promise<Walked> {
  const { active, standby } = await lab.settled();
  // Before there is traffic: tcpdump counts what passes before its filter stands as received.
  const capture = await Capture.start(lab.topology.inet.namespace, { interface: 'ext', filter: UNTRANSLATED });
  const flows = await PairFlows.start(lab);
  await lab.connectionsKnown(active);
  const expected = fault.moves ? standby : active;
  await fault.strike(active, lab);
  await lab.until(`${expected.name} alone speaks`, () => speaksAlone(expected, lab));
  await lab.wait(GOES_ON_MS);
  const reports = await flows.end();
  const speaking = (await speakers(lab)).map(({ name }) => name);
  const untranslated = (await capture.stop()).length;
  await fault.heal(active, lab);
  await lab.settled();
  return { fault: fault.name, flows: reports, speaking, expected: expected.name, untranslated };
}

async function speakers({ members }: PairLab): Promise<Member[]> {
  const held = await Promise.all(members.map((member) => member.holdsLease()));
  return members.filter((_, index) => held[index]);
}

async function speaksAlone(member: Member, lab: PairLab): Promise<boolean> {
  const speaking = await speakers(lab);
  return speaking.length === 1 && speaking[0] === member;
}
