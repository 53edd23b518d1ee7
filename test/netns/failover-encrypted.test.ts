import { beforeAll, describe, expect, it } from 'vitest';
import { memberAddresses } from '../support/addresses.js';
import { Capture } from '../support/capture.js';
import { encryptedOptions, LINK_PORTS, linksOf, walked } from '../support/encrypted-pair.js';
import { PairFlows, servePair } from '../support/pair-flows.js';
import type { Member } from '../support/pair-lab.js';
import { usePairLab } from '../support/use-pair-lab.js';

// Members whose talk WireGuard carries: what is to be seen of it, what is heard that did not come that way, and that all
// else is as without.

/** Some of everything that members say unasked. */
const TALK_MS = 1_500;
/** Three times the patience of a standby that hears nothing at all. */
const UNHEARD_MS = 450;

const roleChanges = (members: readonly Member[]) =>
  Promise.all(members.map(async (member) => (await member.look()).roleChanges));

describe('a pair that encrypts', () => {
  const lab = usePairLab(encryptedOptions());
  beforeAll(() => servePair(lab));

  it('settles: each hears the other, and the kernel stays as it should be', async () => {
    await lab.sound();
    expect(await Promise.all(lab.members.map((member) => member.complaints()))).toEqual([{}, {}]);
    expect((await Promise.all(lab.members.map(linksOf))).map(({ length }) => length)).toEqual([1, 1]);
    const { active } = await lab.settled();
    expect((await active.look()).peer).toMatch(/^172\.31\.0\.[12]$/);
    const drifted = () =>
      Promise.all(
        lab.members.map(async ({ supervisor }) => (await supervisor.metrics()).value('vpcgw_drift_repairs_total')),
      );
    const before = await drifted();
    await lab.wait(TALK_MS);
    expect(await drifted()).toEqual(before);
  });

  it('says nothing in the clear', async () => {
    const { active } = await lab.settled();
    const watch = (filter: string) =>
      Capture.start(active.namespace, { interface: 'sync0', filter, amidTraffic: true });
    const [clear, encrypted] = await Promise.all([
      watch(`(ip or (ip6 and not ip6 multicast and not icmp6)) and not (udp port ${LINK_PORTS.first})`),
      watch(`udp port ${LINK_PORTS.first}`),
    ]);
    // Connections to tell of.
    const flows = await PairFlows.start(lab);
    await lab.connectionsKnown(active);
    await lab.wait(TALK_MS);
    await flows.end();
    expect(await clear.stop()).toEqual([]);
    expect((await encrypted.stop()).length).toBeGreaterThan(TALK_MS / 50);
  });

  it('does not hear what comes in the clear from the right address, and counts it', async () => {
    const { active, standby } = await lab.settled();
    await lab.sound();
    const dropped = (member: Member) =>
      member.supervisor.metrics().then((metrics) => metrics.value('vpcgw_drops_total', { reason: 'Control' }));
    const before = await Promise.all([dropped(active), dropped(standby), roleChanges(lab.members)]);
    // That the other is active with a priority that none has; and that it gives way.
    await forge(standby, 255);
    await forge(active, 0);
    await lab.wait(UNHEARD_MS);
    const after = await Promise.all([dropped(active), dropped(standby), roleChanges(lab.members)]);
    expect(after[0] - before[0]).toBe(1);
    expect(after[1] - before[1]).toBe(1);
    expect(after[2]).toEqual(before[2]);
  });

  it('lets nobody else call', async () => {
    const { active, standby } = await lab.settled();
    const [own, other] = active === lab.members[0] ? memberAddresses : [...memberAddresses].reverse();
    const value = async () => (await active.supervisor.metrics()).value('vpcgw_drops_total', { reason: 'Control' });
    const before = await value();
    await standby.namespace.ip(['address add 172.31.0.77/24 dev sync0']);
    for (const source of ['172.31.0.77', other])
      await standby.namespace.exec(['socat', '-u', '-', `UDP4-SENDTO:${own}:${LINK_PORTS.first},bind=${source}`], {
        stdin: 'anything',
      });
    await standby.namespace.ip(['address delete 172.31.0.77/24 dev sync0']);
    expect((await value()) - before).toBe(1);
  });

  it('keeps every connection through the death of a node', () => walked('node death', lab));
});

/** As member `from` would say it on the network that the platform gave. */
async function forge(from: Member, priority: number): Promise<void> {
  const [source, target] = from.name === 'a' ? memberAddresses : ([...memberAddresses].reverse() as [string, string]);
  const advert = (checksum: number) => [0x31, 0x96, priority, 1, 0, 5, checksum >> 8, checksum & 255, 127, 118, 0, 1];
  const pseudoHeader = [...`${source}.${target}`.split('.').map(Number), 0, 112, 0, 12];
  const octal = advert(checksumOf([...pseudoHeader, ...advert(0)])).map(
    (byte) => `\\${byte.toString(8).padStart(3, '0')}`,
  );
  const said = `printf '${octal.join('')}' | socat -u - IP4-SENDTO:${target}:112,ip-ttl=255`;
  await from.namespace.exec(['sh', '-c', said]);
}

function checksumOf(bytes: readonly number[]): number {
  let sum = 0;
  for (const [i, byte] of bytes.entries()) sum += i % 2 === 0 ? byte << 8 : byte;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}
