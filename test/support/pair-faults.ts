import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dnatRule, type Document } from './documents.js';
import { endHostileVm, startHostileVm } from './hostile-vm.js';
import type { Member, PairLab } from './pair-lab.js';
import { fillNeighbours, flood, holdMany, manyStillThere, overfill } from './pair-loads.js';

// What can happen to a pair, how it is made to happen to real processes and cables, and who has to be active then.

/** Of the one that was struck and the other. `Either`: nobody can know beforehand, but one it has to be. */
export type Expected = 'Other' | 'Same' | 'Either';

export interface Fault {
  readonly name: string;
  /** Part of the short form, which every change runs. */
  readonly short?: true;
  readonly active: Expected;
  /** While it lasts nobody can tell who is active, and both may be. It is healed first, and then there is one. */
  readonly parts?: true;
  /** Nobody is left who could tell a tunnel its peers. */
  readonly endsTunnels?: true;
  /** Before there are streams whose gaps count. */
  readonly prepare?: (lab: PairLab) => Promise<void>;
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

/** It falls silent on every cable at once, and nobody is told; what ran is gone. */
export async function die(member: Member, lab: PairLab): Promise<void> {
  const { pids } = member;
  await lab.cables.silence(member.namespace);
  member.signal(pids, 'SIGKILL');
}

export async function liveAgain(member: Member, lab: PairLab): Promise<void> {
  await lab.cables.unsilence(member.namespace);
  await member.supervisor.restart();
}

/** What takes a pair most memory. */
export const CROWD: Fault = {
  name: '20,000 connections, then node death',
  active: 'Other',
  prepare: holdMany,
  strike: die,
  async heal(member, lab) {
    await manyStillThere();
    await liveAgain(member, lab);
  },
};

/** Each strikes the active member. */
export const FAULTS: readonly Fault[] = [
  {
    name: 'node death',
    short: true,
    active: 'Other',
    strike: die,
    heal: liveAgain,
  },
  {
    name: 'all processes frozen',
    short: true,
    active: 'Other',
    strike: async (member) => member.signal(member.pids, 'SIGSTOP'),
    heal: async (member) => member.signal(member.pids, 'SIGCONT'),
  },
  {
    name: 'switchover',
    short: true,
    active: 'Other',
    strike: (member, lab) => lab.switchover(member),
    heal: nothing,
  },
  {
    name: 'supervisor killed',
    short: true,
    active: 'Same',
    strike: (member) => member.supervisor.kill9(),
    heal: (member) => member.supervisor.restart(),
  },
  {
    name: 'supervisor frozen',
    active: 'Same',
    strike: async (member) => member.signal([member.supervisor.pid], 'SIGSTOP'),
    heal: async (member) => member.signal([member.supervisor.pid], 'SIGCONT'),
  },
  {
    name: 'both supervisors killed, then keepalived',
    short: true,
    active: 'Other',
    endsTunnels: true,
    async strike(member, lab) {
      const keepalived = member.daemonPids('keepalived');
      await Promise.all(lab.members.map(({ supervisor }) => supervisor.kill9()));
      member.signal(keepalived, 'SIGKILL');
    },
    heal: async (_, lab) => void (await Promise.all(lab.members.map(({ supervisor }) => supervisor.restart()))),
  },
  {
    name: 'keepalived killed',
    active: 'Other',
    strike: async (member) => member.signal(member.daemonPids('keepalived'), 'SIGKILL'),
    heal: nothing,
  },
  {
    name: 'keepalived frozen',
    active: 'Other',
    strike: async (member) => member.signal(member.daemonPids('keepalived'), 'SIGSTOP'),
    heal: async (member) => member.signal(member.daemonPids('keepalived'), 'SIGCONT'),
  },
  { name: 'external cable pulled', short: true, active: 'Other', strike: cut('ext0'), heal: mend('ext0') },
  { name: 'VPC cable pulled', active: 'Other', strike: cut('vpc0'), heal: mend('vpc0') },
  { name: 'both cables pulled', active: 'Other', strike: cut('ext0', 'vpc0'), heal: mend('ext0', 'vpc0') },
  ...['ext0', 'vpc0'].map((link): Fault => ({
    name: `${link === 'ext0' ? 'external side' : 'VPC side'} silently dead`,
    active: 'Other',
    async strike({ namespace }, lab) {
      await lab.sound();
      await lab.cables.silence(namespace, [link]);
    },
    heal: ({ namespace }, lab) => lab.cables.unsilence(namespace, [link]),
  })),
  {
    name: 'conntrackd killed, and back, then node death',
    active: 'Other',
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
  {
    name: 'disk full, then node death',
    active: 'Other',
    async strike(member, lab) {
      for (const { disk } of lab.members) fill(disk);
      await die(member, lab);
    },
    async heal(member, lab) {
      for (const { disk } of lab.members) empty(disk);
      await liveAgain(member, lab);
    },
  },
  {
    name: 'edits, one after the other, then node death',
    active: 'Other',
    async strike(member, lab) {
      for (let port = 3000; port < 3010; port++)
        for (const { supervisor } of lab.members) supervisor.write([...(lab.documents as Document[]), extra(port)]);
      await die(member, lab);
    },
    async heal(member, lab) {
      for (const { supervisor } of lab.members) supervisor.write(lab.documents);
      await liveAgain(member, lab);
    },
  },
  {
    name: 'external cable that comes and goes',
    active: 'Either',
    async strike(member, lab) {
      for (let i = 0; i < FLAPS; i++) {
        await lab.cable(member, ['ext0'], 'down');
        await lab.wait(FLAP_MS);
        await lab.cable(member, ['ext0'], 'up');
        await lab.wait(FLAP_MS);
      }
    },
    heal: nothing,
  },
  {
    name: 'both killed, and started at once',
    active: 'Either',
    async strike(_, lab) {
      for (const member of lab.members) member.signal(member.pids, 'SIGKILL');
      await Promise.all(lab.members.map(({ supervisor }) => supervisor.restart()));
    },
    heal: nothing,
  },
  {
    name: 'members cut off from each other alone',
    active: 'Either',
    parts: true,
    strike: ({ namespace }, lab) => lab.cables.silence(namespace, ['sync0']),
    heal: ({ namespace }, lab) => lab.cables.unsilence(namespace, ['sync0']),
  },
  {
    name: 'adverts lost one way',
    active: 'Either',
    parts: true,
    strike: ({ namespace }, lab) => lab.cables.silence(namespace, ['sync0'], ['fromMember']),
    heal: ({ namespace }, lab) => lab.cables.unsilence(namespace, ['sync0'], ['fromMember']),
  },
  CROWD,
  {
    name: 'a flood of new connections, and node death in it',
    active: 'Other',
    strike: (member, lab) => flood(lab, () => die(member, lab)),
    heal: liveAgain,
  },
  {
    name: "the node's neighbour table full",
    active: 'Same',
    strike: (_member, lab) => fillNeighbours(lab),
    heal: nothing,
  },
  {
    name: 'external link at twice its rate, and node death',
    active: 'Other',
    async strike(member, lab) {
      const { end } = await overfill(lab);
      await die(member, lab);
      await otherSpeaks(member, lab);
      await end();
    },
    heal: liveAgain,
  },
  {
    name: 'a hostile VM, then node death',
    active: 'Other',
    async strike(member, lab) {
      await startHostileVm(lab);
      await lab.wait(HOSTILE_MS);
      if ((await member.role()) !== 'Active') throw new Error('a VM unseated the active member');
      await die(member, lab);
    },
    async heal(member, lab) {
      await endHostileVm(lab);
      await liveAgain(member, lab);
    },
  },
];

const FLAPS = 5;
/** Less than a lease, so that it ends in between. */
const FLAP_MS = 100;
const HOSTILE_MS = 500;
const FILLING = 'filling';

const otherSpeaks = (member: Member, lab: PairLab): Promise<void> =>
  lab.until('the other speaks', () => (lab.members.find((other) => other !== member) as Member).holdsLease());

/** Until nothing more goes onto it. */
export function fill(disk: string): void {
  try {
    for (;;) writeFileSync(join(disk, FILLING), Buffer.alloc(1024 * 1024), { flag: 'a' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

export const empty = (disk: string): void => writeFileSync(join(disk, FILLING), '');

const extra = (port: number): Document =>
  dnatRule(`extra-${port}`, { elasticIP: 'nat', protocol: 'TCP', port, target: '10.0.0.6', targetPort: 80 });
