import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { internet } from '../support/addresses.js';
import { elasticIp, gateway } from '../support/documents.js';
import { ports, serve } from '../support/gateway-lab.js';
import type { Host } from '../support/host.js';
import { usePairLab } from '../support/use-pair-lab.js';

// A pair whose sides have IPv6 alone: whether somebody answers there is asked by neighbour solicitation.

/** What the issue of a black hole may cost, on a machine that others use too. */
const BLACK_HOLE_MS = 800;
const SIDES = { ext0: 'nobody answers at ext0', vpc0: 'nobody answers at vpc0' } as const;
const FORGER = fileURLToPath(new URL('../support/forged-advertisements.pl', import.meta.url));
const NEXT_HOP = 'fd00:a::1';

describe('a pair of IPv6 alone', () => {
  const lab = usePairLab({
    vms: ['web', { name: 'hostile', addresses: ['fd00:a::9/64'] }],
    documents: (tenant) => {
      const made = gateway(tenant, { internalAddresses: [`${NEXT_HOP}/64`] });
      const { externals, ...spec } = made['spec'] as { externals: readonly object[] };
      const [addresses, gateways] = [[tenant.externalAddresses[1]], [internet.gateways[1]]];
      const six = externals.map((external) => ({ ...external, addresses, gateways }));
      return [
        { ...made, spec: { ...spec, externals: six, highAvailability: { mode: 'AcrossNodes' } } },
        elasticIp('web', '2001:db8:e::10', { target: 'fd00:a::5' }),
      ];
    },
  });
  beforeAll(() => serve(lab.tenant.vm('web')));
  const healing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const heal of healing.splice(0)) await heal();
  });
  const ready = async () => {
    await lab.sound();
    return lab.settled();
  };
  beforeEach(ready);
  const faultsOfBoth = () => Promise.all(lab.members.map(async (member) => (await member.look()).faults));

  it.each(['ext0', 'vpc0'] as const)('moves when the active member alone is cut off at %s', async (link) => {
    const { active, standby } = await ready();
    const inet = await lab.inet();
    const stream = await inet.udpStream({ to: '2001:db8:e::10', port: ports.udpEcho, intervalMs: 5 });
    const connection = await inet.tcpConnect({ to: '2001:db8:e::10', port: ports.tcp });
    await lab.connectionsKnown(active);
    await lab.cables.silence(active.namespace, [link]);
    healing.push(() => lab.cables.unsilence(active.namespace, [link]));
    await lab.until('the other one speaks', () => standby.holdsLease());
    expect(await connection.isAlive(10_000)).toBe(true);
    const { longestGapMs } = await stream.stop();
    await stream.close();
    await connection.close({ reset: true });
    console.log(`black hole at ${link}: ${longestGapMs} ms`);
    expect(longestGapMs).toBeLessThan(BLACK_HOLE_MS);
    expect(await active.look()).toMatchObject({ role: 'Fault', eligible: false, notEligible: [SIDES[link]] });
    // The standby asked for the pair's own addresses as long as they were answered for.
    await lab.until('the gap was measured', async () => (await standby.look()).lastGapMs !== undefined);
    expect((await standby.look()).lastGapMs).toBeLessThan(BLACK_HOLE_MS);
  });

  it('believes no answer that came from elsewhere, or was told to all', async () => {
    const { active } = await ready();
    const [web, hostile] = [lab.tenant.vm('web'), lab.tenant.vm('hostile')];
    const members = await Promise.all(lab.members.map(({ namespace }) => linkOf(namespace, 'vpc0')));
    const macs = members.map(({ address }) => address).join();
    const claims = [web.address6, NEXT_HOP].join();
    const routed = await forge(hostile, ['64', macs, claims]);
    const toAll = await forge(hostile, ['255', '33:33:00:00:00:01', claims]);
    const own = `${web.address6}/64 dev eth0`;
    await web.namespace.ip([`address del ${own}`]);
    healing.push(() => web.namespace.ip([`address add ${own} nodad`]));
    await lab.until('both miss the VM', async () => (await faultsOfBoth()).every((f) => f.includes(SIDES.vpc0)));
    expect(await active.role()).toBe('Active');
    expect((await active.complaints())['OneActive']).toBeUndefined();
    for (const child of [routed, toAll]) {
      expect(child.exitCode).toBeNull();
      child.kill('SIGKILL');
    }
    // As of ARP, an answer like the VM's own is one.
    const like = await forge(hostile, ['255', macs, web.address6]);
    await lab.until('both are answered', async () => (await faultsOfBoth()).every((faults) => faults.length === 0));
    like.kill('SIGKILL');
  });
});

async function linkOf(namespace: Host['namespace'], name: string): Promise<{ ifindex: number; address: string }> {
  const { stdout } = await namespace.exec(['ip', '-j', 'link', 'show', name]);
  return (JSON.parse(stdout) as { ifindex: number; address: string }[])[0] as { ifindex: number; address: string };
}

async function forge({ namespace }: Host, args: readonly string[]) {
  const { ifindex, address } = await linkOf(namespace, 'eth0');
  return namespace.spawn(['perl', FORGER, `${ifindex}`, address, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
}
