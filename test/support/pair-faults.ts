import type { Member, PairLab } from './pair-lab.js';

// What can happen to a pair, how it is made to happen to real processes and cables, and who has to be active then.

export interface Fault {
  readonly name: string;
  /** Part of the short form, which every change runs. */
  readonly short?: true;
  /** Whether the role moves to the other member, or stays. */
  readonly moves: boolean;
  readonly strike: (member: Member, lab: PairLab) => Promise<void>;
  readonly heal: (member: Member, lab: PairLab) => Promise<void>;
}

const nothing = (): Promise<void> => Promise.resolve();
const cut =
  (...names: string[]) =>
  (member: Member, lab: PairLab): Promise<void> =>
    lab.cable(member, names, 'down');
const mend =
  (...names: string[]) =>
  (member: Member, lab: PairLab): Promise<void> =>
    lab.cable(member, names, 'up');

const CABLES = ['sync0', 'ext0', 'vpc0'];

/** It must not be told that its cables are pulled before they all are. */
export async function die(member: Member, lab: PairLab): Promise<void> {
  const { pids } = member;
  member.signal(pids, 'SIGSTOP');
  await lab.cable(member, CABLES, 'down');
  member.signal(pids, 'SIGKILL');
}

export async function liveAgain(member: Member, lab: PairLab): Promise<void> {
  await lab.cable(member, CABLES, 'up');
  await member.supervisor.restart();
}

/** Each strikes the active member. */
export const FAULTS: readonly Fault[] = [
  {
    name: 'node death',
    short: true,
    moves: true,
    strike: die,
    heal: liveAgain,
  },
  {
    name: 'all processes frozen',
    short: true,
    moves: true,
    strike: async (member) => member.signal(member.pids, 'SIGSTOP'),
    heal: async (member) => member.signal(member.pids, 'SIGCONT'),
  },
  {
    name: 'switchover',
    short: true,
    moves: true,
    strike: async (member) => void (await member.supervisor.post('/v1/failover/switchover', {})),
    heal: nothing,
  },
  {
    name: 'supervisor killed',
    short: true,
    moves: false,
    strike: (member) => member.supervisor.kill9(),
    heal: (member) => member.supervisor.restart(),
  },
  {
    name: 'supervisor frozen',
    moves: false,
    strike: async (member) => member.signal([member.supervisor.pid], 'SIGSTOP'),
    heal: async (member) => member.signal([member.supervisor.pid], 'SIGCONT'),
  },
  {
    name: 'both supervisors killed, then keepalived',
    short: true,
    moves: true,
    async strike(member, lab) {
      const keepalived = member.daemonPids('keepalived');
      await Promise.all(lab.members.map(({ supervisor }) => supervisor.kill9()));
      member.signal(keepalived, 'SIGKILL');
    },
    heal: async (_, lab) => void (await Promise.all(lab.members.map(({ supervisor }) => supervisor.restart()))),
  },
  {
    name: 'keepalived killed',
    moves: true,
    strike: async (member) => member.signal(member.daemonPids('keepalived'), 'SIGKILL'),
    heal: nothing,
  },
  {
    name: 'keepalived frozen',
    moves: true,
    strike: async (member) => member.signal(member.daemonPids('keepalived'), 'SIGSTOP'),
    heal: async (member) => member.signal(member.daemonPids('keepalived'), 'SIGCONT'),
  },
  { name: 'external cable pulled', short: true, moves: true, strike: cut('ext0'), heal: mend('ext0') },
  { name: 'VPC cable pulled', moves: true, strike: cut('vpc0'), heal: mend('vpc0') },
  { name: 'both cables pulled', moves: true, strike: cut('ext0', 'vpc0'), heal: mend('ext0', 'vpc0') },
  {
    name: 'conntrackd killed, and back, then node death',
    moves: true,
    async strike(member, lab) {
      const [former] = member.daemonPids('conntrackd');
      member.signal(member.daemonPids('conntrackd'), 'SIGKILL');
      await lab.until('conntrackd is back', async () => {
        const [now] = member.daemonPids('conntrackd');
        return now !== former && (await member.knowsItsConnections());
      });
      await die(member, lab);
    },
    heal: liveAgain,
  },
];
