import { describe, expect, it } from 'vitest';
import { elasticIp, gateway } from '../support/documents.js';
import { pairDocuments, pairOptions } from '../support/pair-flows.js';
import type { Member, PairLab } from '../support/pair-lab.js';
import { usePairLab } from '../support/use-pair-lab.js';

// What the supervisors of a pair tell each other, and what they make of it.

const heard = (lab: PairLab) =>
  lab.until('each hears the other', async () => {
    const looks = await Promise.all(lab.members.map((member) => member.look()));
    return looks.every(({ other }) => other !== undefined && ['Active', 'Standby'].includes(other.role));
  });

const elasticIps = async ({ supervisor }: Member): Promise<string[]> => {
  const { objects } = await supervisor.status();
  return objects.flatMap(({ kind, name }) => (kind === 'ElasticIP' ? [name] : [])).sort();
};

/** That the kernel itself holds. */
const holds = async ({ namespace }: Member, address: string): Promise<boolean> =>
  (await namespace.exec(['ip', '-4', 'address', 'show', 'dev', 'vg-ext0'])).stdout.includes(address);

describe('the supervisors of a pair', () => {
  const lab = usePairLab(pairOptions());

  it('know of each other: role, version, documents, clock', async () => {
    const { active, standby } = await lab.settled();
    await heard(lab);
    expect((await active.look()).other).toMatchObject({ name: standby.name, role: 'Standby', documents: 'Same' });
    expect((await standby.look()).other).toMatchObject({ name: active.name, role: 'Active', documents: 'Same' });
    await lab.until('clocks are compared', async () => (await active.look()).other?.clockOffsetMs !== undefined);
    expect(Math.abs((await active.look()).other?.clockOffsetMs ?? NaN)).toBeLessThan(200);
    expect([await active.complaints(), await standby.complaints()]).toEqual([{}, {}]);
  });

  it('say so when the other is not heard any more, and go on without', async () => {
    const { active, standby } = await lab.settled();
    await heard(lab);
    standby.signal([standby.supervisor.pid], 'SIGSTOP');
    await lab.until('it is missed', async () => (await active.complaints())['PeerHeard'] !== undefined);
    expect(Object.keys(await active.complaints())).toEqual(['PeerHeard']);
    expect(await active.role()).toBe('Active');
    standby.signal([standby.supervisor.pid], 'SIGCONT');
    await heard(lab);
    expect(await active.complaints()).toEqual({});
  });

  it('say so when their folders differ, and leave them as they are', async () => {
    const { standby, active } = await lab.settled();
    await heard(lab);
    const highAvailability = { mode: 'AcrossNodes' };
    const more = [
      ...pairDocuments(gateway(lab.tenant, { spec: { highAvailability } })),
      elasticIp('more', '203.0.113.30'),
    ];
    await standby.supervisor.apply(more);
    await lab.until('it is seen', async () => (await active.look()).other?.documents === 'Later');
    expect(await active.complaints()).toEqual({ DocumentsAgree: 'the other member has later documents' });
    expect(await standby.complaints()).toEqual({ DocumentsAgree: 'the other member has earlier documents' });
    expect(await elasticIps(active)).toEqual(['nat', 'web']);
    await active.supervisor.apply(more);
    await lab.until('they agree', async () => Object.keys(await standby.complaints()).length === 0);
  });

  it('take no documents without a pair: both would speak for every address', async () => {
    const { active } = await lab.settled();
    const alone = pairDocuments(gateway(lab.tenant));
    const { folder } = await active.supervisor.applyRefused(alone);
    expect(folder?.taken).toBe(false);
    expect((await active.complaints())['DocumentsAccepted']).toContain('this is member');
    expect(await active.role()).toBe('Active');
    await active.supervisor.apply(lab.documents);
  });

  it('talk to nobody who does not know the secret, and count who comes another way', async () => {
    await lab.settled();
    const [caller, answerer] = lab.members as [Member, Member];
    const wrong = ['-psk_identity', 'vpcgw-member', '-psk', '00'.repeat(32), '-cipher', 'PSK', '-tls1_2'];
    const refused = await caller.namespace.exec(['openssl', 's_client', '-connect', '172.31.0.2:3781', ...wrong], {
      okExitCodes: [0, 1],
      stdin: '{"type":"want-documents"}\n',
    });
    expect(refused.stdout).not.toContain('documents');
    expect(refused.stdout + refused.stderr).toMatch(/alert|handshake failure/);
    await lab.until('it is told', async () => answerer.supervisor.logged('does not know the secret').length > 0);
    const dropped = async () => (await answerer.supervisor.metrics()).value('vpcgw_drops_total', { reason: 'Control' });
    const before = await dropped();
    await lab.tenant
      .vm('web')
      .namespace.exec(['socat', '-u', '/dev/null', 'TCP4:10.0.0.1:3781,connect-timeout=0.5'], { okExitCodes: [0, 1] });
    const counts = await Promise.all(
      lab.members.map(async ({ supervisor }) =>
        (await supervisor.metrics()).value('vpcgw_drops_total', { reason: 'Control' }),
      ),
    );
    expect(counts.some((count) => count > before)).toBe(true);
    await heard(lab);
  });
});

describe('a pair whose documents are edited by API', () => {
  const lab = usePairLab({ ...pairOptions(), source: 'api' });
  const add = (member: Member, name: string, address: string) => member.give([elasticIp(name, address)]);
  const bothHold = (address: string) =>
    lab.until(`both hold ${address}`, async () =>
      (await Promise.all(lab.members.map((member) => holds(member, address)))).every(Boolean),
    );

  it('has what either member was given in both kernels', async () => {
    const { active, standby } = await lab.settled();
    await bothHold('203.0.113.10');
    await add(active, 'one', '203.0.113.31');
    await bothHold('203.0.113.31');
    await add(standby, 'two', '203.0.113.32');
    await bothHold('203.0.113.32');
    expect(await elasticIps(active)).toEqual(['nat', 'one', 'two', 'web']);
    expect(await elasticIps(standby)).toEqual(['nat', 'one', 'two', 'web']);
    const audit = JSON.parse((await active.supervisor.get('/v1/audit')).text) as { action: string; who: object }[];
    expect(audit.filter(({ action }) => action === 'Peer').map(({ who }) => who)).toEqual([
      { name: standby.name, via: 'Peer' },
    ]);
  });

  it('catches up what a member missed while it was away', async () => {
    const { active, standby } = await lab.settled();
    await standby.supervisor.kill9();
    await add(active, 'three', '203.0.113.33');
    await active.supervisor.post('/v1/rollback', {});
    await add(active, 'four', '203.0.113.34');
    await standby.supervisor.restart();
    await bothHold('203.0.113.34');
    expect(await elasticIps(standby)).toEqual(['four', 'nat', 'one', 'two', 'web']);
    await lab.until('they agree', async () => Object.keys(await active.complaints()).length === 0);
    // Going back is an edit as any other, and the numbers go on.
    await standby.supervisor.post('/v1/rollback', {});
    await lab.until('it is taken back', async () => !(await holds(active, '203.0.113.34')));
    expect((await active.supervisor.status()).revision).toBe((await standby.supervisor.status()).revision);
  });

  it('takes over only what was confirmed', async () => {
    const { active, standby } = await lab.settled();
    const text = JSON.stringify(elasticIp('five', '203.0.113.35'));
    await active.supervisor.post('/v1/apply', { files: [{ file: 'x.yaml', text }], confirmWithinMs: 600_000 });
    await lab.until('it is in force', () => holds(active, '203.0.113.35'));
    await add(active, 'six', '203.0.113.36').catch(() => undefined);
    expect(await holds(standby, '203.0.113.35')).toBe(false);
    await active.supervisor.post('/v1/confirm');
    await bothHold('203.0.113.35');
  });
});

describe('a pair whose clocks differ', () => {
  const lab = usePairLab({
    ...pairOptions(),
    secondUnder: { wrapper: ['faketime', '-f', '+30s'], env: { FAKETIME_DONT_FAKE_MONOTONIC: '1' } },
  });

  it('says by how much', async () => {
    await lab.settled();
    const [first, second] = lab.members as [Member, Member];
    await lab.until('it is seen', async () => (await first.complaints())['ClocksAgree'] !== undefined);
    expect((await first.look()).other?.clockOffsetMs).toBeGreaterThan(29_000);
    expect((await first.complaints())['ClocksAgree']).toMatch(
      /^the other member's clock is (29|30)\.?\d* s ahead; synchronise both \(NTP\)$/,
    );
    await lab.until('the other sees it too', async () => (await second.complaints())['ClocksAgree'] !== undefined);
    expect((await second.complaints())['ClocksAgree']).toContain('behind');
  });
});
