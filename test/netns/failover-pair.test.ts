import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Explanation } from '../../gateway/insight/explain/explain.js';
import { Capture } from '../support/capture.js';
import { elasticIp, gateway } from '../support/documents.js';
import { ports } from '../support/gateway-lab.js';
import { die, empty, fill, liveAgain } from '../support/pair-faults.js';
import { pairDocuments, pairOptions, servePair } from '../support/pair-flows.js';
import type { Member } from '../support/pair-lab.js';
import type { Documents } from '../support/supervisor.js';
import { overTcp, silence, silenceMs } from '../support/reach.js';
import { usePairLab } from '../support/use-pair-lab.js';

// What a pair promises beside keeping connections; `failover.test.ts` walks the faults.

const FORGERY =
  "printf '\\061\\226\\377\\001\\000\\005\\000\\000\\177\\166\\000\\001' | socat -u - IP4-SENDTO:10.0.0.1:112,ip-ttl=255; echo connections | socat -u - UDP4-SENDTO:10.0.0.1:3780";

const OUTSIDE = '198.51.100.1';
/** Long before all is told again anyway. */
const SOON_MS = 20_000;

describe('the members of a pair', () => {
  const lab = usePairLab(pairOptions());
  beforeAll(() => servePair(lab));
  const stateOf = async (member: Member) => JSON.parse((await member.supervisor.get('/v1/failover')).text) as object;
  const maintenance = (member: Member, on: boolean) => member.supervisor.post('/v1/failover/maintenance', { on });

  const knows = async (active: Member, other: Member) => {
    const [own, others] = await Promise.all([active.connections(), other.connections()]);
    return own.size > 0 && [...own].every((connection) => others.has(connection));
  };

  const macOf = async ({ namespace }: Member) =>
    (JSON.parse((await namespace.exec(['ip', '-j', 'link', 'show', 'vg-ext0'])).stdout) as { address: string }[])[0]
      ?.address;
  /** Whom the network takes for the elastic IP. */
  const learnt = async () => {
    const { stdout } = await lab.topology.inet.namespace.exec(['ip', '-j', 'neigh', 'show', '203.0.113.10']);
    return (JSON.parse(stdout) as { lladdr?: string }[])[0]?.lladdr;
  };

  it('are told apart in status: one holds the lease, the other knows its connections', async () => {
    const { active, standby } = await lab.settled();
    const inet = await lab.inet();
    const connection = await inet.tcpConnect({ to: '203.0.113.10', port: ports.tcp });
    await lab.connectionsKnown(active);
    expect(await stateOf(active)).toMatchObject({ role: 'Active', holdsLease: true, eligible: true, leaseMs: 140 });
    expect(await stateOf(standby)).toMatchObject({ role: 'Standby', holdsLease: false, eligible: true });
    await connection.close({ reset: true });
  });

  it('explain an elastic IP by the one that is active, and the other says to ask that one, and no more', async () => {
    const { active, standby } = await lab.settled();
    const named = async ({ supervisor }: Member) => {
      const { findings } = JSON.parse((await supervisor.get('/v1/explain/eip/web')).text) as Explanation;
      return findings.flatMap(({ verdict, code }) => (['Pass', 'Skipped'].includes(verdict) ? [] : [code]));
    };
    expect(await named(active)).toEqual([]);
    expect(await named(standby)).toEqual(['NotActive']);
  });

  it('reach each other whatever fills the neighbour table of the node', async () => {
    for (const { namespace } of lab.members) {
      const entries = JSON.parse(
        (await namespace.exec(['ip', '-j', 'neigh', 'show', 'dev', 'sync0'])).stdout,
      ) as object[];
      expect(entries).toContainEqual(expect.objectContaining({ dst: '224.0.0.18', state: ['PERMANENT'] }));
      expect(entries).toContainEqual(expect.objectContaining({ managed: null, extern_learn: null }));
    }
  });

  it('are silent while they are not active: no ARP, no ping, no answer of any kind', async () => {
    const { active, standby } = await lab.settled();
    const inet = await lab.inet();
    const fromRoleLinks = () =>
      Capture.start(lab.topology.inet.namespace, { interface: 'ext', filter: 'ether[6:4] & 0xffffff00 = 0x02766700' });
    const spoken = await fromRoleLinks();
    expect(await overTcp(inet, { to: '203.0.113.10' })).toMatchObject({ server: 'blue-web' });
    expect((await spoken.stop()).length).toBeGreaterThan(0);
    await maintenance(standby, true);
    await maintenance(active, true);
    await lab.until('nobody speaks', async () => !(await active.holdsLease()) && !(await standby.holdsLease()));
    const quiet = await fromRoleLinks();
    // As a router that has forgotten everybody.
    await lab.topology.inet.namespace.ip(['neigh flush dev ext nud all']);
    expect(await overTcp(inet, { to: '203.0.113.10', timeoutMs: silenceMs })).toEqual(silence);
    expect(await quiet.stop()).toEqual([]);
    await maintenance(active, false);
    await maintenance(standby, false);
    await lab.settled();
    expect((await inet.tcpConnect({ to: '203.0.113.10', port: ports.tcp })).greeting.server).toBe('blue-web');
  });

  it('forget what they knew of before, when they come back and the other is active', async () => {
    const { active, standby } = await lab.settled();
    await die(standby, lab);
    // As one that the active member ended meanwhile.
    const stale = ['-p', 'tcp', '-s', '10.0.0.5', '-d', OUTSIDE, '--sport', '4444', '--dport', '4445'];
    const conntrack = (verb: string, ...more: string[]) =>
      standby.namespace.exec(['conntrack', verb, ...stale, ...more], { okExitCodes: [0, 1] });
    await conntrack('-I', '--state', 'ESTABLISHED', '--timeout', '900');
    expect((await conntrack('-L')).stdout).toContain('sport=4444');
    await liveAgain(standby, lab);
    await lab.settled();
    expect((await conntrack('-L')).stdout).not.toContain('sport=4444');
    expect(await active.role()).toBe('Active');
  });

  it('believe nobody but each other, and count who pretends', async () => {
    const { active } = await lab.settled();
    const dropped = async () => (await active.supervisor.metrics()).value('vpcgw_drops_total', { reason: 'Control' });
    const before = await dropped();
    // An advert of the highest priority, as from next door; and a datagram to where connections are told.
    await lab.tenant.vm('web').namespace.exec(['sh', '-c', FORGERY]);
    await lab.until('it is counted', async () => (await dropped()) >= before + 2);
    expect(await active.role()).toBe('Active');
    const metrics = await active.supervisor.metrics();
    expect(metrics.value('vpcgw_member_role', { role: 'Active' })).toBe(1);
    expect(metrics.value('vpcgw_sync_lost_total')).toBe(0);
  });

  it('refuse a switchover where it makes no sense, and say why', async () => {
    const { active, standby } = await lab.settled();
    const refused = await standby.supervisor.post('/v1/failover/switchover', {});
    expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('only the active one can give way')]);
    await maintenance(standby, true);
    const alone = await active.supervisor.post('/v1/failover/switchover', {});
    expect([alone.status, alone.text]).toEqual([
      409,
      expect.stringMatching(/no other member (would take over: |took over)/),
    ]);
    await maintenance(standby, false);
    await lab.settled();
  });

  it('remember a maintenance over a restart', async () => {
    const { standby } = await lab.settled();
    await maintenance(standby, true);
    await standby.supervisor.kill9();
    await standby.supervisor.restart();
    await lab.until('its role is known', async () => (await standby.role()) === 'Fault');
    expect(await stateOf(standby)).toMatchObject({ notEligible: ['maintenance'] });
    await maintenance(standby, false);
    await lab.settled();
  });

  it('know their role after a restart, also of one whose disk was full when the role came', async () => {
    const { active, standby } = await lab.settled();
    await lab.sound();
    fill(standby.disk);
    await active.supervisor.post('/v1/failover/switchover', {});
    await lab.settled();
    expect(standby.supervisor.logged('could not be written down').length).toBeGreaterThan(0);
    empty(standby.disk);
    const file = join(standby.supervisor.socketPath, '..', 'failover', 'role');
    await lab.until('it is written down', () =>
      Promise.resolve(existsSync(file) && readFileSync(file, 'utf8').includes('Active')),
    );
    await standby.supervisor.kill9();
    await standby.supervisor.restart();
    await lab.until('its role is known', async () => (await standby.role()) === 'Active');
  });

  it('go on with the daemons that a killed supervisor left, and look after them', async () => {
    const { active } = await lab.settled();
    const before = active.pids.slice(1);
    await active.supervisor.kill9();
    await active.supervisor.restart();
    await lab.until('its role is known', async () => (await active.role()) === 'Active');
    expect(active.pids.slice(1)).toEqual(before);
    active.signal(active.daemonPids('keepalived'), 'SIGKILL');
    await lab.until('its end is noticed', async () => active.supervisor.logged('Active → Unknown').length > 0);
    expect((await lab.settled()).standby).toBe(active);
  });

  it('stand by again also after an interface that came later than their supervisor', async () => {
    const { standby } = await lab.settled();
    const { namespace, supervisor, pids } = standby;
    standby.signal(pids, 'SIGKILL');
    await namespace.ip(['link set ext0 down', 'link set ext0 name later0']);
    supervisor.relaunch();
    await lab.until('it is missed', () =>
      Promise.resolve(supervisor.logged('interface ext0 does not exist').length > 0),
    );
    await namespace.ip(['link set later0 name ext0', 'link set ext0 up']);
    expect((await lab.settled()).standby).toBe(standby);
  });

  it('tell each other all connections again soon after a member came back with none', async () => {
    const inet = await lab.inet();
    const connection = await inet.tcpConnect({ to: '203.0.113.10', port: ports.tcp });
    const { active, standby } = await lab.settled();
    await lab.connectionsKnown(active);
    standby.signal(standby.pids, 'SIGKILL');
    await standby.namespace.exec(['conntrack', '-F']);
    await standby.supervisor.restart();
    await lab.until('connections are known again', () => knows(active, standby), SOON_MS);
    expect(await connection.isAlive()).toBe(true);
    await connection.close({ reset: true });
  });

  it('never tell of what ended while the other was the active one', async () => {
    const inet = await lab.inet();
    const connection = await inet.tcpConnect({ to: '203.0.113.10', port: ports.tcp });
    const { active: first, standby: second } = await lab.settled();
    await lab.connectionsKnown(first);
    await lab.switchover(first);
    await lab.settled();
    expect(await connection.isAlive()).toBe(true);
    await connection.close({ reset: true });
    const web = ['-p', 'tcp', '-d', '203.0.113.10'];
    await second.namespace.exec(['conntrack', '-D', ...web]);
    await lab.until('its end is known', async () => {
      const { stdout } = await first.namespace.exec(['conntrack', '-L', ...web]);
      return stdout === '';
    });
    await lab.switchover(second);
    await lab.settled();
    await first.tellAll();
    const later = await inet.tcpConnect({ to: '203.0.113.10', port: ports.tcp });
    await lab.connectionsKnown(first);
    expect(await second.connections()).toEqual(await first.connections());
    await later.close({ reset: true });
  });

  it('tell of the end of a connection that was opened while no conntrackd ran', async () => {
    const inet = await lab.inet();
    const { active, standby } = await lab.settled();
    const running = () => lab.members.flatMap((member) => member.daemonPids('conntrackd'));
    const former = running();
    for (const member of lab.members) member.signal(member.daemonPids('conntrackd'), 'SIGKILL');
    const connection = await inet.tcpConnect({ to: '203.0.113.10', port: ports.tcp });
    await lab.until(
      'both are back',
      async () => running().filter((pid) => !former.includes(pid)).length === former.length,
    );
    await lab.until('it answers', () => active.knowsItsConnections());
    await active.tellAll();
    await lab.connectionsKnown(active);
    await connection.close({ reset: true });
    const web = ['-p', 'tcp', '-d', '203.0.113.10'];
    await active.namespace.exec(['conntrack', '-D', ...web], { okExitCodes: [0, 1] });
    await lab.until('its end is known', async () => {
      const { stdout } = await standby.namespace.exec(['conntrack', '-L', ...web]);
      return stdout === '';
    });
  });

  it('tell each translation as it is, after a frozen member ended a former connection of the same ports', async () => {
    const crowd = await lab.tenant.vm('crowd').agent();
    const localPort = 21_001;
    // Of two from one port the second has another one outside, each time anew.
    const from = (address: string) => ({ to: OUTSIDE, port: ports.tcp, from: address, localPort });
    const open = (address: string) => crowd.tcpConnectMany({ targets: [from(address)], concurrency: 1 });
    const [first, former] = [await open('10.0.0.20'), await open('10.0.0.21')];
    const { active: frozen, standby: other } = await lab.settled();
    await lab.connectionsKnown(frozen);
    const { pids } = frozen;
    frozen.signal(pids, 'SIGSTOP');
    await lab.until('the other is active', async () => (await other.role()) === 'Active');
    await frozen.namespace.exec(['conntrack', '-D', '-p', 'tcp', '-s', '10.0.0.21']);
    frozen.signal(pids, 'SIGCONT');
    await lab.until('it ended at the other too', async () =>
      [...(await other.connections())].every((connection) => !connection.startsWith('src=10.0.0.21 ')),
    );
    await former.close({ reset: true });
    const later = await open('10.0.0.21');
    await lab.connectionsKnown(other);
    for (const opened of [first, later]) {
      expect(await opened.countAlive()).toBe(1);
      await opened.close({ reset: true });
    }
    await lab.settled();
  });

  it('stay active when the other is gone for good, whom nobody finds any more', async () => {
    const { active, standby } = await lab.settled();
    standby.signal(standby.daemonPids('keepalived'), 'SIGSTOP');
    await lab.cable(standby, ['sync0'], 'down');
    await active.namespace.ip(['neigh flush dev sync0']);
    await lab.until('it is looked for', async () => /INCOMPLETE|FAILED/.test(await active.neighbourState('sync0')));
    // Three questions, a second each, and then what waited for the answer is given up.
    await lab.wait(3_500);
    expect(await active.neighbourState('sync0')).toMatch(/INCOMPLETE|FAILED/);
    expect(await active.holdsLease()).toBe(true);
    await lab.cable(standby, ['sync0'], 'up');
    standby.signal(standby.daemonPids('keepalived'), 'SIGCONT');
    await lab.settled();
  });

  it('elect by an edited interval with the processes that they have, and announce themselves as before', async () => {
    await lab.sound();
    const elect = () => lab.members.map((member) => member.daemonPids('keepalived'));
    const before = elect();
    const edited = pairDocuments(
      gateway(lab.tenant, { spec: { highAvailability: { mode: 'AcrossNodes', advertInterval: '60ms' } } }),
    );
    const reloads = ({ supervisor }: Member) =>
      readFileSync(join(supervisor.socketPath, '..', 'failover', 'keepalived.log'), 'utf8').split('Reload complete')
        .length;
    const takeUp = async (documents: Documents) => {
      const earlier = lab.members.map(reloads);
      await Promise.all(lab.members.map(({ supervisor }) => supervisor.apply(documents)));
      await lab.until('it is taken up', () =>
        Promise.resolve(lab.members.every((member, i) => reloads(member) > (earlier[i] ?? 0))),
      );
    };
    await takeUp(edited);
    // As long as a process that was at its limit of time lived on.
    await lab.wait(1_500);
    expect(elect()).toEqual(before);
    // On a busy machine a reload may take longer than the other waits.
    const { active, standby } = await lab.settled();
    // Announced to who knows it already.
    expect(await overTcp(await lab.inet(), { to: '203.0.113.10' })).toMatchObject({ server: 'blue-web' });
    const supervisors = lab.members.map(({ supervisor }) => supervisor.pid);
    active.signal(supervisors, 'SIGSTOP');
    const spoken = await Capture.start(lab.topology.inet.namespace, {
      interface: 'ext',
      filter: `arp and ether src ${await macOf(standby)}`,
    });
    active.signal(active.daemonPids('keepalived'), 'SIGKILL');
    await lab.until('it speaks', () => standby.holdsLease());
    await lab.until('it has told all', async () => (await learnt()) === (await macOf(standby)));
    expect(await spoken.stop()).not.toEqual([]);
    active.signal(supervisors, 'SIGCONT');
    expect((await lab.settled()).active).toBe(standby);
    await takeUp(lab.documents);
    await lab.settled();
  });

  it('are both active while nothing joins them, and one is within a second after, whom the network finds', async () => {
    // Who stays, of two: so what the network learnt last is the other.
    const [, stays] = lab.members;
    const { active: one } = await lab.settled();
    if (one !== stays) await lab.switchover(one);
    const { active, standby } = await lab.settled();
    expect(active).toBe(stays);
    const inet = await lab.inet();
    const connection = await inet.tcpConnect({ to: '203.0.113.10', port: ports.tcp });
    await lab.connectionsKnown(active);
    await lab.cable(active, ['sync0'], 'down');
    await lab.until('two speak', async () => (await active.holdsLease()) && (await standby.holdsLease()));
    const other = await macOf(standby);
    await lab.until('the network has learnt the other', async () => (await learnt()) === other);
    await lab.cable(active, ['sync0'], 'up');
    expect((await lab.settled(5_000)).active).toBe(stays);
    expect(await connection.isAlive(1_000)).toBe(true);
    const held = await Promise.all([active.holdsLease(), standby.holdsLease()]);
    expect(held.filter(Boolean)).toHaveLength(1);
    expect((await inet.tcpConnect({ to: '203.0.113.10', port: ports.tcp })).greeting.server).toBe('blue-web');
  });

  it('end the connections of an elastic IP that is taken away, on both, for good', async () => {
    const { active, standby } = await lab.settled();
    const inet = await lab.inet();
    const held = await inet.tcpConnect({ to: '203.0.113.10', port: ports.tcp });
    await lab.connectionsKnown(active);
    const documents = (target?: string) => [
      ...pairDocuments(gateway(lab.tenant, { spec: { highAvailability: { mode: 'AcrossNodes' } } })).filter(
        (document) => (document['metadata'] as { name: string }).name !== 'web',
      ),
      elasticIp('web', '203.0.113.10', target === undefined ? {} : { target }),
    ];
    await standby.supervisor.apply(documents());
    await active.supervisor.apply(documents());
    const ofWeb = async (member: Member) => [...(await member.connections())].filter((c) => c.includes('203.0.113.10'));
    await lab.until('the connections are gone', async () => (await ofWeb(active)).length === 0);
    await lab.switchover(active);
    await lab.settled();
    const ofBoth = async () => (await Promise.all([active, standby].map(ofWeb))).flat();
    await lab.until('neither has them', async () => (await ofBoth()).length === 0);
    expect(await held.isAlive(silenceMs)).toBe(false);
    expect(await overTcp(inet, { to: '203.0.113.10', timeoutMs: silenceMs })).toEqual(silence);
    await Promise.all(lab.members.map(({ supervisor }) => supervisor.apply(documents('10.0.0.5'))));
  });
});
