import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { elasticIp, gateway } from '../support/documents.js';
import { ports, serve } from '../support/gateway-lab.js';
import type { Member } from '../support/pair-lab.js';
import type { Tenant } from '../support/topology.js';
import { usePairLab } from '../support/use-pair-lab.js';

// A pair on two external networks, whose numbers are in the marks of connections that either member carries on.

function documentsOf(tenant: Tenant, { external, swapped }: { external: string; swapped?: boolean }) {
  const made = gateway(tenant, { secondExternal: true, spec: { highAvailability: { mode: 'AcrossNodes' } } });
  const spec = made['spec'] as { externals: object[] };
  return [
    { ...made, spec: { ...spec, externals: swapped ? [...spec.externals].reverse() : spec.externals } },
    elasticIp('web', '198.18.0.10', { target: '10.0.0.5', external }),
  ];
}

/** As its kernel leads what is marked. */
async function numbersOf({ namespace }: Member): Promise<string[]> {
  const { stdout } = await namespace.exec(['ip', '-4', '-j', 'route', 'show', 'table', 'all']);
  const routes = JSON.parse(stdout) as { dst: string; dev: string; table?: string }[];
  return routes.flatMap(({ dst, dev, table }) => (dst === 'default' ? [`${dev} ${table}`] : [])).sort();
}

describe('a pair on two external networks', () => {
  const lab = usePairLab({
    secondExternal: true,
    vms: ['web'],
    documents: (tenant) => documentsOf(tenant, { external: 'second' }),
  });
  beforeAll(() => serve(lab.tenant.vm('web'), lab.topology.inet));

  it('numbers both as the active member does, also where the other would have done otherwise', async () => {
    const { active, standby } = await lab.settled();
    await standby.supervisor.kill9();
    // As on a new node.
    rmSync(join(standby.supervisor.stateDirectory, 'journal.jsonl'));
    for (const { supervisor } of [active, standby])
      supervisor.write(documentsOf(lab.tenant, { external: 'second', swapped: true }));
    await standby.supervisor.restart();
    await lab.until('they agree', async () => {
      const [one, other] = await Promise.all([numbersOf(active), numbersOf(standby)]);
      return one.length > 0 && one.join() === other.join();
    });
    // And keeps them, with nobody to ask.
    await standby.supervisor.restart();
    expect(await numbersOf(standby)).toEqual(await numbersOf(active));
    await lab.sound();
  });

  it('goes on with the connections of either network', async () => {
    const { active } = await lab.settled();
    const inet = await lab.inet();
    const connection = await inet.tcpConnect({ to: '198.18.0.10', port: ports.tcp });
    await lab.connectionsKnown(active);
    await lab.switchover(active);
    await lab.settled();
    expect(await connection.isAlive()).toBe(true);
  });

  it('ends those of an elastic IP that moves to the other, on both members', async () => {
    const { active } = await lab.settled();
    const inet = await lab.inet();
    await inet.tcpConnect({ to: '198.18.0.10', port: ports.tcp });
    await lab.connectionsKnown(active);
    for (const { supervisor } of lab.members)
      await supervisor.apply(documentsOf(lab.tenant, { external: 'internet', swapped: true }));
    for (const member of lab.members)
      await lab.until('it has none', async () => (await member.connections()).size === 0);
  });
});
