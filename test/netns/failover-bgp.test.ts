import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dedicatedLine, gateway } from '../support/documents.js';
import { ports, serve } from '../support/gateway-lab.js';
import { die, type Fault, FAULTS } from '../support/pair-faults.js';
import type { Member } from '../support/pair-lab.js';
import { Site } from '../support/site.js';
import { SiteBird } from '../support/site-bird.js';
import { usePairLab } from '../support/use-pair-lab.js';

// The line of a pair whose networks are learnt: who takes over leads there at once, by what the other was told, and the
// other end keeps what it was told until it is told again.

const [NETWORK, NETWORK6] = ['172.20.0.0/16', 'fd00:20::/48'];
const SITE_HOST = '172.20.0.1';
/** Three adverts, and as much again on a slow machine. */
const MOST_MS = 1_000;
/** From the session until BIRD waits for nothing any more, and longer. */
const WATCHED_MS = 7_000;
const named = (name: string): Fault => FAULTS.find((fault) => fault.name === name) as Fault;
/** Nobody is left to start a routing program. */
const unattended: Fault = {
  name: 'both supervisors killed, then node death',
  active: 'Other',
  async strike(member, lab) {
    await Promise.all(lab.members.map(({ supervisor }) => supervisor.kill9()));
    await die(member, lab);
  },
  async heal(member, lab) {
    await lab.cables.unsilence(member.namespace);
    await Promise.all(lab.members.map(({ supervisor }) => supervisor.restart()));
  },
};
const forms = [
  { form: 'by BGP alone', bfd: {}, site: {} },
  // BFD ends with a node: the other end has to be told to keep what it learnt.
  { form: 'with BFD', bfd: { bfd: { interval: '50ms' } }, site: { bfdMs: 50, keepsOverBfd: true } },
];

describe.each(forms)('the line of a pair that learns, $form', ({ bfd, site: how }) => {
  let site: Site;
  const lab = usePairLab({
    vms: ['web'],
    documents: (tenant) => [
      gateway(tenant, { spec: { highAvailability: { mode: 'AcrossNodes' } } }),
      dedicatedLine('paris', {
        number: 0,
        port: 'line0',
        localNetworks: ['10.0.0.0/24'],
        networks: [NETWORK, NETWORK6],
        bgp: { localASN: 65_001, peerASN: 65_010, ...bfd },
      }),
    ],
  });
  const told = { asn: 65_010, gatewayAsn: 65_001, networks: [NETWORK, NETWORK6], ...how };
  beforeAll(async () => {
    site = await Site.create(
      lab.members.map(({ namespace }) => namespace),
      { lines: [{ name: 'line0' }], addresses: [SITE_HOST], networks: [] },
    );
    await SiteBird.start(site, told);
    await serve(lab.tenant.vm('web'), site.host);
  });
  afterAll(() => site?.delete());

  const learnt = async ({ namespace }: Member): Promise<string> => {
    const shown = ([4, 6] as const).map((family) =>
      namespace.exec(['ip', `-${family}`, 'route', 'show', 'table', '1000', 'proto', 'bird']),
    );
    return (await Promise.all(shown)).map(({ stdout }) => stdout.replace(/ +$/gm, '').trim()).join('\n');
  };
  const sessions = async ({ supervisor }: Member) =>
    JSON.parse((await supervisor.get('/v1/show/bgp')).text) as { established: boolean }[];
  const established = (member: Member) =>
    lab.until('the sessions are up', async () => {
      const found = await sessions(member);
      return found.length === 2 && found.every(({ established: is }) => is);
    });
  const both = [
    '172.20.0.0/16 via 169.254.100.2 dev vg-line0 src 10.0.0.1 metric 100',
    'fd00:20::/48 via fd00:100::2 dev vg-line0 src fd00:a::1 metric 100 pref medium',
  ];
  /** Both members lead by the line. */
  const known = async () => {
    const roles = await lab.settled();
    for (const member of [roles.active, roles.standby])
      await lab.until('the ways are known', async () => (await learnt(member)) === both.join('\n'));
    await established(roles.active);
    await lab.until('the site knows the VPC', async () =>
      (await site.router.exec(['ip', 'route', 'show', 'proto', 'bird'])).stdout.includes('10.0.0.0/24'),
    );
    return roles;
  };

  it('leads by it on both members, and on the active one alone speaks of it', async () => {
    const { active, standby } = await known();
    expect([active.routingPids.length, standby.routingPids.length]).toEqual([1, 0]);
  });

  it.each([named('node death'), named('switchover'), unattended])('goes on, both ways, after: $name', async (fault) => {
    const { active, standby } = await known();
    const [vm, router] = [await lab.tenant.vm('web').agent(), await site.host.agent()];
    const [port, intervalMs] = [ports.udpEcho, 10];
    const out = await vm.udpStream({ to: SITE_HOST, port, intervalMs });
    const into = await router.udpStream({ from: SITE_HOST, to: '10.0.0.5', port, intervalMs });
    await lab.wait(500);
    // What a process that is killed says at its end would be heard, and a dead node says nothing.
    if (fault !== named('switchover')) await site.strand('line0', lab.members.indexOf(active));
    await fault.strike(active, lab);
    await lab.until('the other speaks', () => standby.holdsLease());
    if (fault !== unattended) await established(standby);
    await lab.wait(WATCHED_MS);
    await site.rejoin('line0', lab.members.indexOf(active));
    await fault.heal(active, lab);
    await lab.settled();
    await established(standby);
    for (const [way, stream] of Object.entries({ out, into })) {
      const { longestGapMs, lost, sent } = await stream.stop();
      console.info(`${fault.name}, ${way}: gap ${longestGapMs.toFixed(0)} ms, ${lost.length} of ${sent} lost`);
      expect(longestGapMs).toBeLessThan(MOST_MS);
    }
  });
});
