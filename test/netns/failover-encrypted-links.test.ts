import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { secondPathAddresses } from '../support/addresses.js';
import { Capture } from '../support/capture.js';
import { encryptedOptions, LINK_PORTS, linksOf, walked } from '../support/encrypted-pair.js';
import { PairFlows, pairOptions, servePair } from '../support/pair-flows.js';
import { ThirdVoter } from '../support/third-voter.js';
import { usePairLab } from '../support/use-pair-lab.js';

// What can happen to the links of members that encrypt, and the other forms that such a pair can have.

/** Long before all is looked at anyway. */
const ROUTED_WITHIN_MS = 5_000;
/** Of a call that was lost. */
const ANSWERED_WITHIN_MS = 4_000;
/** Three times the patience of a standby that hears nothing at all. */
const UNHEARD_MS = 450;

describe('links between members', () => {
  const lab = usePairLab(encryptedOptions());
  beforeAll(() => servePair(lab));

  it("need no room in the node's neighbour table", () => walked("the node's neighbour table full", lab));

  it('are made again when somebody takes them away, and talked by', async () => {
    const { active, standby } = await lab.settled();
    await lab.sound();
    for (const member of [standby, active]) {
      const [link = ''] = await linksOf(member);
      await member.namespace.ip([`link delete ${link}`]);
      await lab.until('it is back', async () => (await linksOf(member))[0] === link);
      await lab.settled();
      await lab.sound();
      const flows = await PairFlows.start(lab);
      await lab.connectionsKnown((await lab.settled()).active);
      expect((await flows.end()).filter(({ lost }) => lost > 0)).toEqual([]);
    }
    await walked('switchover', lab);
  });

  it('lead there again soon after one went down and up, and until then nothing goes elsewhere', async () => {
    const { standby } = await lab.settled();
    const [link = ''] = await linksOf(standby);
    const address = standby.name === 'a' ? '192.0.0.2' : '192.0.0.1';
    await standby.namespace.ip([`link set ${link} down`, `link set ${link} up`]);
    const { stdout } = await standby.namespace.exec(['nft', 'list', 'chain', 'inet', 'vpcgw_members', 'leaves']);
    expect(stdout).toContain(`oifname != "${link}" ip daddr ${address} drop`);
    await lab.until(
      'the way is back',
      async () => (await standby.namespace.exec(['ip', 'route', 'get', address])).stdout.includes(`dev ${link}`),
      ROUTED_WITHIN_MS,
    );
    await lab.sound();
  });

  it('do not wait for WireGuard, which calls again after five seconds, when a call is lost', async () => {
    const { active, standby } = await lab.settled();
    await lab.sound();
    await lab.cables.silence(active.namespace, ['sync0']);
    const [link = ''] = await linksOf(standby);
    await standby.namespace.ip([`link delete ${link}`]);
    await lab.until('its first call is lost', async () => {
      const { stdout } = await standby.namespace.exec(['wg', 'show', link, 'transfer']);
      return Number(stdout.trim().split('\t')[2]) > 0;
    });
    await lab.cables.unsilence(active.namespace, ['sync0']);
    const healedMs = performance.now();
    await lab.until('it is answered', async () => {
      const { stdout } = await standby.namespace.exec(['wg', 'show', link, 'latest-handshakes']);
      return Number(stdout.trim().split('\t')[1]) > 0;
    });
    expect(performance.now() - healedMs).toBeLessThan(ANSWERED_WITHIN_MS);
    await lab.settled();
    await lab.sound();
  });
});

describe('a pair that talks in the clear', () => {
  const lab = usePairLab(pairOptions());
  beforeAll(() => servePair(lab));

  it('comes to encrypt without losing a connection, one member after the other', async () => {
    await lab.sound();
    const { active, standby } = await lab.settled();
    const flows = await PairFlows.start(lab);
    await lab.connectionsKnown(active);
    const maintenance = (on: boolean) => standby.supervisor.post('/v1/failover/maintenance', { on });
    await maintenance(true);
    for (const { disk, supervisor } of [standby, active]) {
      appendFileSync(join(disk, 'member.yaml'), 'encryption: WireGuard\n');
      await supervisor.kill9();
      await supervisor.restart();
    }
    await lab.until('the active one speaks', () => active.holdsLease());
    await maintenance(false);
    expect((await lab.settled()).active).toBe(active);
    await lab.sound();
    expect((await Promise.all(lab.members.map(linksOf))).map(({ length }) => length)).toEqual([1, 1]);
    expect((await flows.end()).filter(({ lost }) => lost > 0)).toEqual([]);
  });
});

describe.each([
  ['that meet by IPv6', 'IPv6'],
  ['that have a second path', 'Two'],
] as const)('members %s', (_, paths) => {
  const lab = usePairLab(encryptedOptions({ paths }));
  beforeAll(() => servePair(lab));

  it('keep every connection through the death of a node', async () => {
    await lab.sound();
    await walked('node death', lab);
  });

  if (paths !== 'Two') return;

  it('change no roles when the first path is gone, and say nothing in the clear on the second', async () => {
    const { active, standby } = await lab.settled();
    const watch = (filter: string) => Capture.start(active.namespace, { interface: 'ext0', filter, amidTraffic: true });
    const between = secondPathAddresses.map((address) => `host ${address}`).join(' and ');
    const [clear, encrypted] = [
      await watch(`${between} and not arp and not (udp port ${LINK_PORTS.second})`),
      await watch(`${between} and udp port ${LINK_PORTS.second}`),
    ];
    await lab.cables.silence(active.namespace, ['sync0']);
    await lab.wait(UNHEARD_MS);
    expect(await Promise.all([active, standby].map((member) => member.role()))).toEqual(['Active', 'Standby']);
    expect([await active.holdsLease(), await standby.holdsLease()]).toEqual([true, false]);
    await lab.cables.unsilence(active.namespace, ['sync0']);
    expect(await clear.stop()).toEqual([]);
    expect((await encrypted.stop()).length).toBeGreaterThan(UNHEARD_MS / 50 / 2);
  });
});

describe('a Strict pair that encrypts', () => {
  let voter: ThirdVoter;
  const strict = async (...place: Parameters<typeof ThirdVoter.start>) =>
    void (voter = await ThirdVoter.start(...place));
  const lab = usePairLab(encryptedOptions({ strict }));
  beforeAll(() => servePair(lab));
  const free = () =>
    lab.until('nobody holds the vote, and the kernels answer', async () => {
      const { vote } = await (await lab.settled()).active.look();
      return vote?.holder === '' && vote.reachable && vote.peerAnswers;
    });

  it('lives by what the kernels say to each other', async () => {
    await free();
    voter.freeze();
    try {
      await walked('all processes frozen', lab);
    } finally {
      await voter.thaw();
    }
  });

  it('asks the third voter when there is no other', async () => {
    await free();
    await walked('node death', lab);
  });
});
