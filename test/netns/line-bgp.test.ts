import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dedicatedLine, type Document, gateway } from '../support/documents.js';
import { serve, useGatewayLab } from '../support/gateway-lab.js';
import { Keys } from '../support/plain-wireguard.js';
import { overTcp } from '../support/reach.js';
import { Site } from '../support/site.js';
import { SiteBird, type SiteBgp } from '../support/site-bird.js';

// A line whose networks are learnt: BIRD at both ends, of which the customer's is set up by hand. What is taken, what is
// told, how fast a lost line is left, and what mistakes come to.

const ACCEPTED = ['172.20.0.0/16', 'fd00:20::/48'];
const families = [
  { family: 'IPv4', site: '172.20.0.1', network: '172.20.0.0/16' },
  { family: 'IPv6', site: 'fd00:20::1', network: 'fd00:20::/48' },
];

describe('a line that learns', () => {
  const keys = new Keys();
  keys.write('paris.password', 'correct-horse');
  const told: SiteBgp = { asn: 65_010, gatewayAsn: 65_001, password: 'correct-horse', networks: ACCEPTED, bfdMs: 50 };
  const learning = (bgp: Readonly<Record<string, unknown>> = {}): Document =>
    dedicatedLine('paris', {
      number: 0,
      port: 'line0',
      networks: ACCEPTED,
      bgp: {
        localASN: 65_001,
        peerASN: 65_010,
        authKeyRef: { file: 'paris.password' },
        maxPrefixes: 20,
        communities: ['65000:100'],
        med: 7,
        bfd: { interval: '50ms' },
        ...bgp,
      },
    });
  const spare = dedicatedLine('spare', { number: 1, port: 'line1', networks: ACCEPTED, priority: 150 });
  let site: Site;
  let bird: SiteBird;
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web'] }],
    documents: (tenant) => [gateway(tenant), learning(), spare],
    supervisor: { args: keys.args },
    prepare: async ({ tenants: [tenant] }) => {
      if (!tenant) return;
      site = await Site.create(tenant.gateway, {
        lines: [{ name: 'line0' }, { name: 'line1' }],
        addresses: families.map(({ site: address }) => address),
        networks: ['10.0.0.0/24', 'fd00:a::/64'],
      });
    },
  });
  beforeAll(async () => {
    bird = await SiteBird.start(site, told);
    await serve(lab.tenant.vm('web'), site.host);
  });
  afterAll(() => site?.delete());

  const apply = (line: Document) => lab.apply([gateway(lab.tenant), line, spare]);
  /** As the condition of the line's document says it. */
  const connected = (reason: string) =>
    lab.supervisor().statusWhen(({ objects }) => {
      const found = objects.find(({ name }) => name === 'paris') as unknown as {
        conditions: { type: string; reason: string }[];
      };
      return found.conditions.find(({ type }) => type === 'Connected')?.reason === reason;
    }, 20_000);
  const routes = async () =>
    (JSON.parse((await lab.supervisor().get('/v1/show/routes')).text) as Record<string, unknown>[]).filter(
      ({ by, state }) => by !== 'VpcGateway/blue' && state !== 'Refuses',
    );
  const taken = async () =>
    (await routes())
      .filter(({ state }) => state === 'Taken')
      .map(({ network, by }) => `${String(network)} ${String(by)}`);

  const leads = (line: string): Promise<void> =>
    expect.poll(taken, { timeout: 10_000 }).toEqual(families.map(({ network }) => `${network} DedicatedLine/${line}`));

  it('takes what it accepts and leads there, and tells of the VPC', async () => {
    await connected('Up');
    await leads('paris');
    for (const { site: address } of families)
      expect(await overTcp(await lab.vm('web'), { to: address })).toMatchObject({ server: site.router.label });
    const seen = await bird.ask('show route all 10.0.0.0/24');
    expect(seen).toContain('BGP.community: (65000,100)');
    expect(seen).toContain('BGP.med: 7');
    const metrics = await lab.supervisor().metrics();
    const labels = { name: 'paris', peer: '169.254.100.2' };
    expect(metrics.value('vpcgw_bgp_session_up', labels)).toBe(1);
    expect(metrics.value('vpcgw_bgp_prefixes', labels)).toBe(1);
    expect(metrics.value('vpcgw_bfd_up', labels)).toBe(1);
  });

  it('never takes the VPC’s own networks, an external one, a default route, or what no document accepts', async () => {
    const lies = [
      '10.0.0.0/24',
      '10.0.0.128/25',
      '100.64.0.0/24',
      '0.0.0.0/0',
      '172.21.0.0/16',
      '172.20.7.0/24',
      '::/0',
    ];
    await bird.tell({ ...told, networks: [...ACCEPTED, ...lies] });
    await passedOver('169.254.100.2', 6);
    await leads('paris');
    await bird.tell(told);
    await passedOver('169.254.100.2', 0);
  });

  const passedOver = async (peer: string, wanted: number): Promise<void> => {
    const rows = async () =>
      JSON.parse((await lab.supervisor().get('/v1/show/bgp')).text) as { peer: string; passedOver: number }[];
    await expect.poll(async () => (await rows()).find((row) => row.peer === peer)?.passedOver).toBe(wanted);
  };

  it('leaves a line that carries nothing within BFD’s time, with its connections, and takes it again', async () => {
    const connection = await (await lab.vm('web')).tcpConnect({ to: '172.20.0.1', port: 80 });
    await site.prefers(1);
    await site.blackHole('line0');
    expect(await connection.isAlive()).toBe(true);
    await connected('Down');
    expect(await taken()).toEqual(families.map(({ network }) => `${network} DedicatedLine/spare`));
    await site.mend('line0');
    await connected('Up');
    await leads('paris');
    expect(await connection.isAlive()).toBe(true);
  });

  it('goes on learning when its routing program is killed, and keeps the routes meanwhile', async () => {
    const { stdout } = await lab.tenant.gateway.exec(['ss', '-Htlnp', 'sport = :179']);
    const pid = /pid=(\d+)/.exec(stdout)?.[1];
    process.kill(Number(pid), 'SIGKILL');
    expect((await taken()).length).toBe(2);
    await expect
      .poll(async () => (await lab.tenant.gateway.exec(['ss', '-Htlnp', 'sport = :179'])).stdout, { timeout: 5_000 })
      .not.toContain(`pid=${pid}`);
    await connected('Up');
    await leads('paris');
  });

  it('closes the session over the maximum, and says so; the other line goes on', async () => {
    const flood = Array.from({ length: 40 }, (_, i) => `172.20.${i}.0/24`);
    await bird.tell({ ...told, networks: [...ACCEPTED, ...flood] });
    await connected('TooManyPrefixes');
    await expect.poll(taken).toContain('172.20.0.0/16 DedicatedLine/spare');
    expect(await overTcp(await lab.vm('web'), { to: '172.20.0.1' })).toMatchObject({ server: site.router.label });
    await bird.tell(told);
    await connected('Up');
  });

  it.each([
    ['another AS number than the peer’s', () => apply(learning({ peerASN: 65_011 })), 'PeerAsMismatch'],
    [
      'a password with a newline',
      () => Promise.resolve(keys.write('paris.password', 'correct-horse\n')),
      'AuthKeyUnusable',
    ],
    ['a password that is not there', () => apply(learning({ authKeyRef: { file: 'nowhere' } })), 'AuthKeyUnusable'],
  ])('says what is wrong with %s, and leaves the other line alone', async (_, mistake, reason) => {
    await mistake();
    await connected(reason);
    expect(await overTcp(await lab.vm('web'), { to: '172.20.0.1' })).toMatchObject({ server: site.router.label });
    keys.write('paris.password', 'correct-horse');
    await apply(learning());
    await connected('Up');
  });

  it('ends its routing program with the last line that needs it, and takes its routes with it', async () => {
    await lab.apply([gateway(lab.tenant), spare]);
    await expect
      .poll(async () => (await lab.tenant.gateway.exec(['ip', 'route', 'show', 'table', '1000'])).stdout)
      .not.toContain('proto bird');
    expect((await lab.tenant.gateway.exec(['ss', '-Htln', 'sport = :179'])).stdout).toBe('');
  });
});
