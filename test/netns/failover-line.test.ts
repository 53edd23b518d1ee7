import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dedicatedLine, type Document, gateway } from '../support/documents.js';
import { ports, serve } from '../support/gateway-lab.js';
import { FAULTS } from '../support/pair-faults.js';
import { Site } from '../support/site.js';
import { usePairLab } from '../support/use-pair-lab.js';

// The line of a pair: both members are on it, and the active one alone is heard there.

/** Three adverts, and as much again on a slow machine. */
const MOST_MS = 1_000;
const [death] = FAULTS.filter(({ short, active }) => short && active === 'Other');

describe('the line of a pair', () => {
  let site: Site;
  const lab = usePairLab({
    vms: ['web'],
    documents: (tenant) => [
      gateway(tenant, { spec: { highAvailability: { mode: 'AcrossNodes' } } }),
      dedicatedLine('paris', { number: 0, port: 'line0', localNetworks: ['10.0.0.0/24'], networks: ['172.20.0.0/16'] }),
    ],
  });
  beforeAll(async () => {
    site = await Site.create(
      lab.members.map(({ namespace }) => namespace),
      { lines: [{ name: 'line0' }], addresses: ['172.20.0.1'], networks: ['10.0.0.0/24'] },
    );
    await serve(site.host);
  });
  afterAll(() => site?.delete());

  const lineOf = async ({ supervisor }: (typeof lab.members)[number]) =>
    (JSON.parse((await supervisor.get('/v1/show/line')).text) as { state: string }[])[0]?.state;

  const fenceOf = async ({ namespace }: (typeof lab.members)[number]): Promise<string[]> => {
    const { stdout } = await namespace.exec(['nft', 'list', 'table', 'netdev', 'vpcgw_fence']);
    return [...stdout.matchAll(/chain (\S+) /g)].map(([, chain]) => chain ?? '');
  };

  it('is taken up when its port comes, by the active member alone', async () => {
    const { active, standby } = await lab.settled();
    await lab.until('the line is up', async () => (await lineOf(active)) === 'Up');
    await lab.until('the standby has its port, and rests', async () => (await lineOf(standby)) === 'Idle');
    expect(await fenceOf(standby)).toContain('arrives-vg-line0');
  });

  it('loses nothing when another line comes and goes, or somebody takes a chain of the fence away', async () => {
    const { active } = await lab.settled();
    for (const { namespace } of lab.members)
      await namespace.ip(['link add line1 type veth peer name far1', 'link set line1 up', 'link set far1 up']);
    const vm = await lab.tenant.vm('web').agent();
    const stream = await vm.udpStream({ to: '172.20.0.1', port: ports.udpEcho, intervalMs: 5 });
    const one = lab.documents as Document[];
    const two = [...one, dedicatedLine('lyon', { number: 1, port: 'line1', networks: ['172.21.0.0/16'] })];
    for (const documents of [two, one, two]) {
      await Promise.all(lab.members.map(({ supervisor }) => supervisor.apply(documents)));
      const others = ['arrives', 'leaves'].map((chain) => `${chain}-vg-line1`);
      expect((await fenceOf(active)).filter((chain) => others.includes(chain))).toEqual(
        documents === two ? others : [],
      );
    }
    await active.namespace.exec(['nft', 'delete', 'chain', 'netdev', 'vpcgw_fence', 'below-line1']);
    await lab.until('it is back', async () => (await fenceOf(active)).includes('below-line1'));
    await Promise.all(lab.members.map(({ supervisor }) => supervisor.apply(one)));
    const { sent, lost } = await stream.stop();
    expect({ lost, some: sent > 100 }).toEqual({ lost: [], some: true });
    expect(active.supervisor.logs()).not.toMatch(/the change failed|not in force/);
  });

  it(`is led by the other member after: ${death?.name}, with its connections`, async () => {
    const { active, standby } = await lab.settled();
    const vm = await lab.topology.tenants[0]?.vm('web').agent();
    if (!vm || !death) throw new Error('nothing to strike');
    const connection = await vm.tcpConnect({ to: '172.20.0.1', port: ports.tcp });
    const stream = await vm.udpStream({ to: '172.20.0.1', port: ports.udpEcho, intervalMs: 10 });
    await death.strike(active, lab);
    await lab.until('the other is active', async () => (await standby.role()) === 'Active');
    expect(await connection.isAlive(5_000)).toBe(true);
    const { longestGapMs } = await stream.stop();
    expect(longestGapMs).toBeLessThan(MOST_MS);
    await death.heal(active, lab);
  });
});
