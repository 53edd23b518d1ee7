import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { elasticIp, gateway, vpnConnection } from '../support/documents.js';
import { examplePublicKey } from '../support/example-keys.js';
import { ports } from '../support/gateway-lab.js';
import { FAULTS } from '../support/pair-faults.js';
import { servePair } from '../support/pair-flows.js';
import { ping } from '../support/ping.js';
import { Keys, PlainWireGuard, tunnelShows } from '../support/plain-wireguard.js';
import { usePairLab } from '../support/use-pair-lab.js';

// A tunnel of a pair: a site that calls from anywhere is called by the member that takes over.

const site = examplePublicKey('site.key');
const keys = new Keys('gateway.key');
/** Three adverts until the address moves, and the tunnel within half a second from then; twice that on a slow machine. */
const MOST_MS = 1_700;
const MOST_MS_AGAIN = 3_500;
/** Two supervisors start, and elect. */
const MOST_MS_STARTING = 8_000;

/** A member that becomes active tells its tunnels their peers, which takes its supervisor. */
const faults = FAULTS.filter(
  ({ short, active, name }) => short && active === 'Other' && !/supervisors killed/.test(name),
);

describe('the tunnel of a pair', () => {
  const lab = usePairLab({
    vms: ['web', 'app'],
    args: keys.args,
    documents: (tenant) => [
      gateway(tenant, { spec: { highAvailability: { mode: 'AcrossNodes' } } }),
      elasticIp('vpn', '203.0.113.40'),
      vpnConnection('site', {
        elasticIP: 'vpn',
        key: 'gateway.key',
        peers: [{ name: 'site', publicKey: site, networks: ['192.168.77.0/24'] }],
      }),
    ],
  });
  let plain: PlainWireGuard;
  beforeAll(async () => {
    await servePair(lab);
    plain = await PlainWireGuard.create(lab.topology.inet.namespace, {
      key: 'site.key',
      port: 51820,
      addresses: ['192.168.77.1/24'],
      peers: [
        { publicKey: examplePublicKey('gateway.key'), endpoint: '203.0.113.40:51820', networks: ['10.0.0.0/24'] },
      ],
    });
  });
  afterAll(() => plain?.delete());

  const carries = () =>
    lab.until('the tunnel carries', async () => {
      const { received } = await ping(lab.topology.inet.namespace, { from: '192.168.77.1', to: '10.0.0.5' });
      return received === 1;
    });

  it('has its peers on the active member alone', async () => {
    const { active, standby } = await lab.settled();
    await lab.until('the active one has it', async () => (await tunnelShows(active.namespace, 'endpoints')).has(site));
    expect((await tunnelShows(standby.namespace, 'endpoints')).size).toBe(0);
  });

  it.each(faults)('is back at once after: $name', async (fault) => {
    const { active, standby } = await lab.settled();
    const inet = await lab.inet();
    await carries();
    const stream = await inet.udpStream({
      from: '192.168.77.1',
      to: '10.0.0.5',
      port: ports.udpEcho,
      intervalMs: 10,
    });
    // Where it called from has to be known by now.
    await lab.until('it was seen', async () =>
      /:51820$/.test((await tunnelShows(active.namespace, 'endpoints')).get(site) ?? ''),
    );
    await lab.wait(4_500);
    await fault.strike(active, lab);
    await lab.until('the other is active', async () => (await standby.role()) === 'Active');
    await lab.wait(3_000);
    const { longestGapMs } = await stream.stop();
    await fault.heal(active, lab);
    expect(longestGapMs).toBeLessThan(MOST_MS);
    await lab.settled();
    await lab.until('the standby has none', async () => {
      const all = await Promise.all(lab.members.map(({ namespace }) => tunnelShows(namespace, 'endpoints')));
      return all.filter(({ size }) => size > 0).length === 1;
    });
  });

  it('is back at once after both members were killed, with all that they knew', async () => {
    await lab.settled();
    await carries();
    // Where it called from is written down by now.
    await lab.sound();
    await Promise.all(lab.members.map(({ supervisor }) => supervisor.get('/v1/show/vpn')));
    for (const member of lab.members) member.signal(member.pids, 'SIGKILL');
    const died = performance.now();
    await Promise.all(lab.members.map(({ supervisor }) => supervisor.restart()));
    await carries();
    // A site that is not called calls again 15 seconds after it heard something last.
    expect(performance.now() - died).toBeLessThan(MOST_MS_STARTING);
  });

  it('is left alone by a supervisor that starts anew on the active member', async () => {
    const { active } = await lab.settled();
    const inet = await lab.inet();
    const stream = await inet.udpStream({ from: '192.168.77.1', to: '10.0.0.5', port: ports.udpEcho, intervalMs: 10 });
    const handshake = async () => (await tunnelShows(active.namespace, 'latest-handshakes')).get(site);
    await lab.until('it has called', async () => Number(await handshake()) > 0);
    const before = await handshake();
    await active.supervisor.kill9();
    await active.supervisor.restart();
    await lab.sound();
    expect(await handshake()).toBe(before);
    const { longestGapMs } = await stream.stop();
    expect(longestGapMs).toBeLessThan(MOST_MS);
    await stream.close();
  });

  /** WireGuard itself calls again after five seconds, and the gateway after 0.6 and 1.5. */
  it('is called once more when the first call of the new one, or its answer, was lost', async () => {
    const { active, standby } = await lab.settled();
    const [inet, answers] = [await lab.inet(), ['OUTPUT', '-p', 'udp', '--sport', '51820', '-j', 'DROP']];
    const far = lab.topology.inet.namespace;
    const stream = await inet.udpStream({ from: '192.168.77.1', to: '10.0.0.5', port: ports.udpEcho, intervalMs: 10 });
    await lab.until('it was seen', async () =>
      /:51820$/.test((await tunnelShows(active.namespace, 'endpoints')).get(site) ?? ''),
    );
    await far.exec(['iptables', '-I', ...answers]);
    await lab.switchover(active);
    await lab.until('the other calls', async () => (await tunnelShows(standby.namespace, 'endpoints')).has(site));
    await lab.wait(200);
    await far.exec(['iptables', '-D', ...answers]);
    await lab.wait(3_000);
    const { longestGapMs } = await stream.stop();
    expect(longestGapMs).toBeLessThan(MOST_MS_AGAIN);
    await lab.settled();
  });
});
