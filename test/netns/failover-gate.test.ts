import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ports } from '../support/gateway-lab.js';
import { pairOptions, servePair } from '../support/pair-flows.js';
import type { Member } from '../support/pair-lab.js';
import { usePairLab } from '../support/use-pair-lab.js';

// Who may be active: members that are alive and yet do not work.

/** What the issue of a black hole may cost, on a machine that others use too. */
const BLACK_HOLE_MS = 800;
const SIDES = { ext0: 'nobody answers at ext0', vpc0: 'nobody answers at vpc0' } as const;

describe('a pair', () => {
  const lab = usePairLab(pairOptions());
  beforeAll(() => servePair(lab));
  const healing: (() => Promise<void>)[] = [];

  /** Frames vanish in the switch, both ways, at these members in one moment; no carrier is lost. */
  async function swallow(members: readonly Member[], link: string): Promise<void> {
    const places = members.map(({ namespace }) => namespace);
    await lab.cables.silence(places, [link]);
    healing.push(() => lab.cables.unsilence(places, [link]));
  }
  async function mend(): Promise<void> {
    for (const heal of healing.splice(0)) await heal();
  }
  afterEach(mend);

  const ready = async () => {
    await lab.sound();
    return lab.settled();
  };
  beforeEach(ready);

  it.each(['ext0', 'vpc0'] as const)(
    'moves when the active member alone is cut off at %s, without a lost carrier',
    async (link) => {
      const { active, standby } = await ready();
      const inet = await lab.inet();
      const stream = await inet.udpStream({ to: '203.0.113.10', port: ports.udpEcho, intervalMs: 5 });
      const connection = await inet.tcpConnect({ to: '203.0.113.10', port: ports.tcp });
      await lab.connectionsKnown(active);
      await swallow([active], link);
      await lab.until('the other one speaks', () => standby.holdsLease());
      expect(await connection.isAlive(10_000)).toBe(true);
      const { longestGapMs } = await stream.stop();
      await stream.close();
      await connection.close({ reset: true });
      console.log(`black hole at ${link}: ${longestGapMs} ms`);
      expect(longestGapMs).toBeLessThan(BLACK_HOLE_MS);
      expect(await active.look()).toMatchObject({ role: 'Fault', eligible: false, notEligible: [SIDES[link]] });
      expect((await standby.look()).reason).toContain('the other member gave way');
      await lab.until('the gap was measured', async () => (await standby.look()).lastGapMs !== undefined);
      expect((await standby.look()).lastGapMs).toBeLessThan(BLACK_HOLE_MS);
      await mend();
    },
  );

  it('moves also after what asks the neighbours was killed, on both', async () => {
    const { active, standby } = await ready();
    const lookouts = () =>
      Promise.all(
        lab.members.map(async ({ namespace, supervisor }) => {
          const argv = ['pgrep', '--parent', String(supervisor.pid), '--full', '^perl -e'];
          return (await namespace.exec(argv, { okExitCodes: [0, 1] })).stdout.split('\n').filter(Boolean);
        }),
      );
    const former = (await lookouts()).flat();
    expect(former.length).toBeGreaterThanOrEqual(2);
    for (const pid of former) process.kill(Number(pid), 'SIGKILL');
    await lab.until('both are asked for again', async () =>
      (await lookouts()).every((pids) => pids.some((pid) => !former.includes(pid))),
    );
    await swallow([active], 'ext0');
    await lab.until('the other one speaks', () => standby.holdsLease());
    await mend();
  });

  it('stays where it is when neither is answered', async () => {
    const { active, standby } = await ready();
    const before = (await active.look()).roleChanges;
    await swallow(lab.members, 'ext0');
    await lab.until('both know', async () => {
      const looks = await Promise.all(lab.members.map((member) => member.look()));
      return looks.every(({ faults }) => faults.includes(SIDES.ext0));
    });
    expect([await active.role(), await standby.role()]).toEqual(['Active', 'Standby']);
    expect((await active.look()).roleChanges).toBe(before);
    await mend();
  });

  it('stays where it is when the supervisor of either is dead', async () => {
    const { active, standby } = await ready();
    await standby.supervisor.kill9();
    await lab.until('it is missed', async () => (await active.look()).other === undefined);
    await swallow([active], 'ext0');
    await lab.until('it knows', async () => (await active.look()).faults.includes(SIDES.ext0));
    expect(await active.role()).toBe('Active');
    await standby.supervisor.restart();
    // Now there is somebody who can do better.
    await lab.until('the other one speaks', () => standby.holdsLease());
    await mend();
  });

  it('has no standby that is cut off, but for want of a better one', async () => {
    const { active, standby } = await ready();
    await swallow([standby], 'vpc0');
    await lab.until('it is out', async () => (await standby.role()) === 'Fault');
    expect((await active.look()).other).toMatchObject({ notEligible: [SIDES.vpc0] });
    expect((await active.supervisor.metrics()).value('vpcgw_member_eligible')).toBe(1);
    active.signal(active.pids, 'SIGKILL');
    await lab.until('it is better than nobody', () => standby.holdsLease());
    await mend();
    await active.supervisor.restart();
  });

  it('notices that two are active while nothing joins them, and that one is again', async () => {
    const { active, standby } = await ready();
    await lab.cable(active, ['sync0'], 'down');
    await lab.until('two speak', async () => (await active.holdsLease()) && (await standby.holdsLease()));
    const alarms = () => Promise.all(lab.members.map(async (member) => (await member.complaints())['OneActive']));
    await lab.until('one of them notices', async () => (await alarms()).some((alarm) => alarm !== undefined));
    expect((await alarms()).join()).toMatch(/somebody else answers for this gateway at (ext0|vpc0)/);
    await lab.cable(active, ['sync0'], 'up');
    // The kernel uses a link up to a second after its carrier is back.
    await lab.until('it is healed', async () => {
      const { stdout } = await active.namespace.exec(['ip', '-o', 'link', 'show', 'sync0']);
      return stdout.includes('state UP');
    });
    const healed = performance.now();
    await lab.until('one speaks', async () => {
      const held = await Promise.all(lab.members.map((member) => member.holdsLease()));
      return held.filter(Boolean).length === 1;
    });
    expect(performance.now() - healed).toBeLessThan(1_000);
    // Of two, the one of the higher address.
    expect((await lab.settled()).active).toBe(lab.members[1]);
    await lab.until('all is well', async () => (await alarms()).every((alarm) => alarm === undefined));
  });
});
