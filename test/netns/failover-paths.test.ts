import { describe, expect, it } from 'vitest';
import { memberAddresses } from '../support/addresses.js';
import { pairForms, pairOptions } from '../support/pair-flows.js';
import { usePairLab } from '../support/use-pair-lab.js';

// The members' own networks when they are full, and when one of two is gone.

/** Many times the patience of a standby. */
const FULL_FOR_MS = 2_000;
const FULL_BYTES = 50_000;
const SILENT_FOR_MS = 3_000;

describe('a pair whose network of its own is full', () => {
  const lab = usePairLab(pairOptions());

  it('changes no role: what elects goes first', async () => {
    const { active, standby } = await lab.settled();
    const changes = () => Promise.all(lab.members.map(async (member) => (await member.look()).roleChanges));
    const before = await changes();
    const queue = async () => (await active.namespace.exec(['tc', '-s', '-j', 'qdisc', 'show', 'dev', 'sync0'])).stdout;
    for (const where of [
      ['root', 'handle', '1:', 'tbf', 'rate', '2mbit', 'burst', '5kb', 'limit', '300kb'],
      // What the kernel gives an interface by itself.
      ['parent', '1:1', 'handle', '10:', 'pfifo_fast'],
    ])
      await active.namespace.exec(['tc', 'qdisc', 'add', 'dev', 'sync0', ...where]);
    const peer = memberAddresses[lab.members.indexOf(standby)] as string;
    const flood = active.namespace.spawn(['socat', '-b', '1400', '-u', 'OPEN:/dev/zero', `UDP4-SENDTO:${peer}:9`]);
    await lab.until('the queue is long', async () => backlogIn(await queue()) > FULL_BYTES);
    await lab.wait(FULL_FOR_MS);
    expect(backlogIn(await queue())).toBeGreaterThan(FULL_BYTES);
    flood.kill('SIGKILL');
    expect(await changes()).toEqual(before);
    expect([await active.holdsLease(), await standby.holdsLease()]).toEqual([true, false]);
    await active.namespace.exec(['tc', 'qdisc', 'delete', 'dev', 'sync0', 'root']);
  });
});

const backlogIn = (json: string): number =>
  Math.max(...(JSON.parse(json) as { backlog?: number }[]).map(({ backlog = 0 }) => backlog));

describe('a pair with two paths', () => {
  const form = Object.values(pairForms).find(({ paths }) => paths === 'Two');
  const lab = usePairLab(pairOptions(form));
  const talks = () =>
    lab.until('the supervisors talk', async () => {
      const looks = await Promise.all(lab.members.map((member) => member.look()));
      return looks.every(({ other }) => other !== undefined);
    });

  it('goes on talking by the second when the first is gone', async () => {
    const { active } = await lab.settled();
    await talks();
    await lab.cables.silence(active.namespace, ['sync0']);
    // By whichever of the two they talked: longer than a connection lives that says nothing.
    await lab.wait(SILENT_FOR_MS);
    await talks();
    expect((await active.complaints())['PeerHeard']).toBeUndefined();
    expect(await active.role()).toBe('Active');
    await lab.cables.unsilence(active.namespace, ['sync0']);
  });
});
