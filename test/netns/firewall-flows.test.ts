import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Agent } from '../support/agent.js';
import { Capture } from '../support/capture.js';
import {
  addressGroup,
  type Document,
  dnatRule,
  elasticIp,
  firewallBaseline,
  firewallPolicy,
  gateway,
  type RuleOptions,
  snatRule,
} from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { overTcp, overUdp, silence, silenceMs } from '../support/reach.js';

// What belongs to a connection that a policy lets in goes with it: its errors and its fragments. Which rule decides
// where several match, and what an edit does to connections that stand.

const families = [
  {
    family: 'IPv4',
    eip: '203.0.113.10',
    pool: '203.0.113.20',
    vm: '10.0.0.',
    vpc: '10.0.0.0/24',
    client: '198.51.100.1',
    far: '198.51.100.66',
    expired: 11,
  },
  {
    family: 'IPv6',
    eip: '2001:db8:e::10',
    pool: '2001:db8:e::20',
    vm: 'fd00:a::',
    vpc: 'fd00:a::/64',
    client: '2001:db8:1::1',
    far: '2001:db8:f::2',
    expired: 3,
  },
];
const closedPort = 9;
/** Larger than any link here: it goes in fragments. */
const large = 4000;

const own = { elasticIPs: families.flatMap((_, i) => [`web${i}`, `pool${i}`]) };
const both = (rule: Omit<RuleOptions, 'direction' | 'priority'>): RuleOptions[] => [
  { priority: 100, direction: 'Ingress', ...rule },
  { priority: 100, direction: 'Egress', ...rule },
];
const udpOnly = firewallPolicy(
  'udp-only',
  own,
  both({ action: 'Allow', ports: [{ protocol: 'UDP', port: 1, endPort: 99 }] }),
);

describe('a policy', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app'] }],
    farMtu: 1300,
    documents: () => documents(),
  });
  let inet: Agent;
  let web: Agent;
  let app: Agent;

  const documents = (...more: readonly Document[]): Document[] => [
    gateway(lab.tenant),
    ...families.flatMap(({ eip, pool, vm, vpc }, i) => [
      elasticIp(`web${i}`, eip, { target: `${vm}5` }),
      elasticIp(`pool${i}`, pool),
      snatRule(`all${i}`, [vpc], [`pool${i}`]),
      dnatRule(`udp${i}`, { elasticIP: `pool${i}`, protocol: 'UDP', port: 1, endPort: 99, target: `${vm}6` }),
      dnatRule(`tcp${i}`, { elasticIP: `pool${i}`, protocol: 'TCP', port: 1, endPort: 99, target: `${vm}6` }),
    ]),
    ...more,
  ];

  beforeAll(async () => {
    await serve(lab.topology.inet, lab.topology.far, lab.tenant.vm('web'), lab.tenant.vm('app'));
    inet = await lab.inet();
    web = await lab.vm('web');
    app = await lab.vm('app');
  });

  describe.each(families)('that allows UDP alone, in $family', ({ eip, pool, client, far, expired }) => {
    beforeAll(() => lab.apply(documents(udpOnly)));
    const ways = [
      { way: 'a 1:1 address', public: eip, agent: () => web, vm: 'web' },
      { way: 'a shared address', public: pool, agent: () => app, vm: 'app' },
    ];

    it.each(ways)('lets the error of a VM out through $way', async ({ public: to }) => {
      await expect(inet.udpExchange({ to, from: client, port: closedPort, payload: 'x' })).rejects.toMatchObject({
        code: 'ECONNREFUSED',
      });
    });

    it.each(ways)('lets the error of a far end in through $way', async ({ agent }) => {
      await expect(agent().udpExchange({ to: client, port: closedPort, payload: 'x' })).rejects.toMatchObject({
        code: 'ECONNREFUSED',
      });
    });

    it.each(ways)('lets in through $way that a link is narrow, or a packet too old', async ({ agent, vm }) => {
      const capture = await Capture.start(lab.tenant.vm(vm).namespace, { interface: 'eth0', filter: 'icmp or icmp6' });
      await expect(agent().udpExchange({ to: far, port: ports.udpEcho, bytes: 1400 })).rejects.toMatchObject({
        code: 'EMSGSIZE',
      });
      const old = await agent().udpOpen({ to: far, port: ports.udpEcho, ttl: 2 });
      await old.send({ payload: 'x' });
      await capture.waitFor(({ icmp }) => icmp?.type === expired && icmp.about?.dport === ports.udpEcho);
      await capture.stop();
    });

    it.each(ways)('lets fragments pass both ways through $way', async ({ public: to, agent }) => {
      expect(await inet.udpExchange({ to, from: client, port: ports.udpEcho, bytes: large })).toMatchObject({
        bytes: large,
      });
      expect(await agent().udpExchange({ to: client, port: ports.udpEcho, bytes: large })).toMatchObject({
        bytes: large,
      });
    });
  });

  describe.each(families)('that denies UDP, in $family', ({ eip, pool, client }) => {
    beforeAll(() =>
      lab.apply(documents(firewallPolicy('no-udp', own, both({ action: 'Deny', ports: [{ protocol: 'UDP' }] })))),
    );

    it('lets no fragment through', async () => {
      const captures = await Promise.all(
        ['web', 'app'].map((vm) =>
          Capture.start(lab.tenant.vm(vm).namespace, { interface: 'eth0', filter: `host ${client}` }),
        ),
      );
      for (const to of [eip, pool])
        await expect(
          inet.udpExchange({ to, from: client, port: ports.udpEcho, bytes: large, timeoutMs: silenceMs }),
        ).rejects.toMatchObject({ code: 'TIMEOUT' });
      for (const capture of captures) expect(await capture.stop()).toEqual([]);
    });
  });

  describe('of several rules that match', () => {
    const [{ eip, client }] = families as [(typeof families)[number]];
    const one = { elasticIPs: ['web0'] };
    const tcp = [{ protocol: 'TCP' as const, port: ports.tcp }];
    const reached = (): Promise<object> => overTcp(inet, { to: eip, from: client, timeoutMs: silenceMs });
    const through = { server: 'blue-web', client };

    it('the one of the lower priority decides, wherever it stands', async () => {
      const deny: RuleOptions = { priority: 10, action: 'Deny', peers: [{ cidr: `${client}/32` }] };
      const allow: RuleOptions = { priority: 20, action: 'Allow', ports: tcp };
      await lab.apply(documents(firewallPolicy('a', one, [allow, deny])));
      expect(await reached()).toEqual(silence);
      expect(await overTcp(inet, { to: eip, from: '198.51.100.2' })).toEqual({ ...through, client: '198.51.100.2' });
      await lab.apply(
        documents(firewallPolicy('a', one, [allow]), firewallPolicy('b', one, [{ ...deny, priority: 30 }])),
      );
      expect(await reached()).toEqual(through);
    });

    it('and of one priority, in two policies, the one that denies', async () => {
      const allow: RuleOptions = { priority: 10, action: 'Allow' };
      const deny: RuleOptions = { priority: 10, action: 'Deny', ports: tcp };
      await lab.apply(documents(firewallPolicy('a', one, [allow]), firewallPolicy('b', one, [deny])));
      expect(await reached()).toEqual(silence);
      expect(await overUdp(inet, { to: eip, from: client })).toEqual(through);
    });

    it('the baseline before all, also where it allows what a policy denies', async () => {
      await lab.apply(
        documents(
          firewallBaseline('platform', [{ action: 'Allow', ports: tcp }]),
          firewallPolicy('a', one, [{ action: 'Deny' }]),
          firewallPolicy('b', 'gateway', [{ action: 'Deny' }]),
        ),
      );
      expect(await reached()).toEqual(through);
      expect(await overUdp(inet, { to: eip, from: client, timeoutMs: silenceMs })).toEqual(silence);
    });
  });

  describe('that comes while connections stand', () => {
    const denied = (onEdit: 'Flush' | 'Keep', ...peers: readonly string[]): Document =>
      firewallPolicy(
        'late',
        own,
        both({ action: 'Deny', ...(peers.length > 0 ? { peers: [{ addressGroup: 'foes' }] } : {}) }),
        { onEdit },
      );
    const foes = addressGroup('foes', ['198.51.100.0/24', '2001:db8:1::/64']);
    const open = () =>
      Promise.all(
        families.flatMap(({ eip, pool, client }) => [
          inet.tcpConnect({ to: eip, from: client, port: ports.tcp }),
          inet.tcpConnect({ to: pool, from: client, port: ports.tcp }),
          web.tcpConnect({ to: client, port: ports.tcp }),
          app.tcpConnect({ to: client, port: ports.tcp }),
        ]),
      );
    const alive = async (connections: Awaited<ReturnType<typeof open>>): Promise<boolean[]> =>
      Promise.all(connections.map((connection) => connection.isAlive(silenceMs)));
    const [{ eip, client }] = families as [(typeof families)[number]];

    beforeEach(() => lab.apply(documents()));

    it('keeps them where it says Keep, and lets in no new one', async () => {
      const standing = await open();
      await lab.apply(documents(denied('Keep')));
      expect(new Set(await alive(standing))).toEqual(new Set([true]));
      expect(await overTcp(inet, { to: eip, from: client, timeoutMs: silenceMs })).toEqual(silence);
      await Promise.all(standing.map((connection) => connection.close({ reset: true })));
    });

    it('ends those that nothing allows any more where it says Flush', async () => {
      const standing = await open();
      await lab.apply(documents(addressGroup('foes', ['192.0.2.0/24']), denied('Flush', 'foes')));
      // The rest is denied too: nothing else allows it.
      expect(new Set(await alive(standing))).toEqual(new Set([false]));
    });

    it('ends those of a peer that joins a group, and leaves the others', async () => {
      const some = firewallPolicy('some', own, [
        { priority: 1, action: 'Deny', peers: [{ addressGroup: 'foes' }] },
        { priority: 2, action: 'Allow' },
      ]);
      await lab.apply(documents(addressGroup('foes', ['192.0.2.0/24']), some));
      const [foe, friend] = await Promise.all(
        ['198.51.100.1', '198.51.100.2'].map((from) => inet.tcpConnect({ to: eip, from, port: ports.tcp })),
      );
      await lab.apply(documents(addressGroup('foes', ['192.0.2.0/24', '198.51.100.1/32']), some));
      expect(await friend?.isAlive()).toBe(true);
      expect(await foe?.isAlive(silenceMs)).toBe(false);
    });

    it('goes, and its group with it', async () => {
      await lab.apply(documents(foes, denied('Flush', 'foes')));
      await lab.apply(documents());
      expect(await overTcp(inet, { to: eip, from: client })).toEqual({ server: 'blue-web', client });
    });
  });
});

describe('a limit on new connections in a second', () => {
  const perSecond = 20;
  const lab = useGatewayLab({ tenants: [{ name: 'blue', vms: ['web', 'app'] }], documents: () => documents({}) });
  const documents = (limits: object, ofEip: { newConnectionsPerSecond?: number } = {}): Document[] => [
    gateway(lab.tenant, { spec: { limits } }),
    elasticIp('web', '203.0.113.10', { target: '10.0.0.5', limits: ofEip }),
    elasticIp('app', '203.0.113.11', { target: '10.0.0.6' }),
    elasticIp('web-6', '2001:db8:e::10', { target: 'fd00:a::5', limits: ofEip }),
    elasticIp('app-6', '2001:db8:e::11', { target: 'fd00:a::6' }),
  ];
  beforeAll(() => serve(lab.topology.inet, lab.tenant.vm('web'), lab.tenant.vm('app')));

  /** How many of a hundred that come at once get through: a second's worth, and what falls due meanwhile. */
  async function through(agent: Agent, to: string): Promise<number> {
    const opened = await agent.tcpConnectMany({
      targets: [{ to, port: ports.tcp }],
      count: 100,
      concurrency: 100,
      timeoutMs: silenceMs,
    });
    await opened.close({ reset: true });
    return opened.greetings.length;
  }
  const fewer = (count: number, limit = perSecond): void => {
    expect(count).toBeGreaterThanOrEqual(limit);
    expect(count).toBeLessThan(limit * 3);
  };

  it('of an elastic IP holds for it, and for no other', async () => {
    await lab.apply(documents({}, { newConnectionsPerSecond: perSecond }));
    const inet = await lab.inet();
    for (const prefix of ['203.0.113.', '2001:db8:e::']) {
      fewer(await through(inet, `${prefix}10`));
      expect(await through(inet, `${prefix}11`)).toBe(100);
    }
  });

  it('of a source holds for each VM by itself', async () => {
    await lab.apply(documents({ newConnectionsPerSecondPerSource: perSecond }));
    for (const vm of ['web', 'app'])
      for (const far of ['198.51.100.1', '2001:db8:1::1']) fewer(await through(await lab.vm(vm), far));
    expect(await through(await lab.inet(), '203.0.113.10')).toBe(100);
  });

  it('of the gateway holds for all together, from both sides', async () => {
    await lab.apply(documents({ newConnectionsPerSecond: perSecond }));
    const counts = await Promise.all([
      through(await lab.inet(), '203.0.113.10'),
      through(await lab.inet(), '203.0.113.11'),
      through(await lab.vm('web'), '198.51.100.1'),
    ]);
    fewer(counts.reduce((sum, count) => sum + count, 0));
  });

  it('is after an edit what the edit says', async () => {
    const limits = [
      ['newConnectionsPerSecond', await lab.inet(), '203.0.113.10'],
      ['newConnectionsPerSecondPerSource', await lab.vm('web'), '198.51.100.1'],
    ] as const;
    for (const [limit, agent, to] of limits) {
      await lab.apply(documents({ [limit]: perSecond + 5 }));
      fewer(await through(agent, to), perSecond + 5);
      await lab.apply(documents({ [limit]: 10_000 }));
      expect(await through(agent, to), limit).toBe(100);
      await lab.apply(documents({ [limit]: perSecond + 4 }));
      fewer(await through(agent, to), perSecond + 4);
    }
  });
});
