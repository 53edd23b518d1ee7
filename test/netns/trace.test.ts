import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Live } from '../../gateway/insight/trace/tracer.js';
import type { Walk } from '../../gateway/insight/trace/walk.js';
import type { Agent } from '../support/agent.js';
import {
  dnatRule,
  elasticIp,
  firewallPolicy,
  gateway,
  ipv6Prefix,
  prefixesBehindRouter,
  snatRule,
  vpnConnection,
} from '../support/documents.js';
import { examplePublicKey } from '../support/example-keys.js';
import { type GatewayLab, ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { ping } from '../support/ping.js';
import { Keys, PlainWireGuard } from '../support/plain-wireguard.js';
import { overTcp, overUdp, type Reached, silence, silenceMs } from '../support/reach.js';

// The walk through the model, the kernel's own trace of a real packet, and what the far ends saw: all three agree.

interface Question {
  from: string;
  to: string;
  enters?: string;
}
type Attempt = () => Promise<Reached>;

const pathOf = (question: Question): string => `/v1/trace?${new URLSearchParams({ ...question }).toString()}`;

async function walkOf(lab: GatewayLab, question: Question): Promise<Walk> {
  const { status, text } = await lab.supervisor().get(pathOf(question));
  expect({ status, text }).toMatchObject({ status: 200 });
  return JSON.parse(text) as Walk;
}

/** Tries again and again while the kernel is watched: the first packets may come before the watching has begun. */
async function watched(
  lab: GatewayLab,
  question: Question,
  attempt: Attempt,
): Promise<{ live: Live; reached: Reached }> {
  let live: Live | undefined;
  const watching = lab
    .supervisor()
    .post('/v1/trace/live', { ...question, seconds: 25 })
    .then(({ status, text }) => {
      expect({ status, text }).toMatchObject({ status: 200 });
      const lines = text.trim().split('\n');
      expect(JSON.parse(lines[0] ?? '')).toEqual({ watching: { seconds: 25 } });
      live = (JSON.parse(lines[1] ?? '{}') as { live?: Live }).live;
    });
  let reached: Reached | undefined;
  let over = false;
  const finished = watching.finally(() => (over = true));
  while (!over) reached = await attempt();
  await finished;
  if (!live || !reached) throw new Error('the supervisor did not answer');
  return { live, reached };
}

/** All three of them; returns the walk for what else is to be said of it. */
async function agrees(lab: GatewayLab, question: Question, attempt: Attempt, server?: string): Promise<Walk> {
  const walk = await walkOf(lab, question);
  const { live, reached } = await watched(lab, question, attempt);
  expect(live).toMatchObject({ seen: true, differences: [], outcome: walk.outcome });
  const { kind, source } = walk.outcome;
  if (kind === 'Delivered') expect(reached).toEqual({ server, client: source });
  // A TCP client takes an unreachable as a hint only, and goes on trying.
  else expect(reached).toEqual(kind === 'Rejected' ? { error: 'ECONNREFUSED' } : silence);
  return walk;
}

const by = (walk: Walk): (string | undefined)[] => walk.hops.flatMap((hop) => (hop.by ? [hop.by.id] : []));
const tcp = (agent: Promise<Agent>, to: string, port: number = ports.tcp, from?: string): Attempt => {
  const where = { to, port, timeoutMs: silenceMs, ...(from === undefined ? {} : { from }) };
  return async () => overTcp(await agent, where);
};

const families = [
  {
    family: 'IPv4',
    n: 0,
    eip: (host: number) => `203.0.113.${host}`,
    vm: (host: number) => `10.0.0.${host}`,
    bits: 32,
    client: '198.51.100.1',
    own: '100.64.0.11',
    nextHop: '10.0.0.1',
    stranger: '10.9.9.9',
    end: (address: string, port: number) => `${address}:${port}`,
  },
  {
    family: 'IPv6',
    n: 1,
    eip: (host: number) => `2001:db8:e::${host}`,
    vm: (host: number) => `fd00:a::${host}`,
    bits: 128,
    client: '2001:db8:1::1',
    own: '2001:db8:ffff::11',
    nextHop: 'fd00:a::1',
    stranger: 'fd00:9::9',
    end: (address: string, port: number) => `[${address}]:${port}`,
  },
];
const VMS = ['web', 'app', 'pooled', 'bare', 'guarded'];

describe('a dual-stack tenant', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: VMS }],
    prepare: async ({ inet, tenants: [blue] }) => {
      for (const { stranger, vm, bits } of families) {
        await blue?.vm('app').namespace.ip([`address add ${stranger}/${bits} dev lo`]);
        await inet.namespace.ip([`address add ${vm(77)}/${bits} dev lo`]);
      }
    },
    documents: (tenant) => [
      gateway(tenant),
      ...families.flatMap(({ n, eip, vm, bits, client }) => [
        elasticIp(`web${n}`, eip(10), { target: vm(5) }),
        elasticIp(`nat${n}`, eip(20)),
        snatRule(`app${n}`, [`${vm(6)}/${bits}`], [`nat${n}`]),
        dnatRule(`tcp${n}`, { elasticIP: `nat${n}`, protocol: 'TCP', port: 8080, target: vm(6), targetPort: 80 }),
        dnatRule(`udp${n}`, { elasticIP: `nat${n}`, protocol: 'UDP', port: 8053, target: vm(6), targetPort: 53 }),
        ...[31, 32, 33].map((host) => elasticIp(`pool${n}-${host}`, eip(host))),
        snatRule(
          `pool${n}`,
          [`${vm(7)}/${bits}`],
          [31, 32, 33].map((host) => `pool${n}-${host}`),
        ),
        elasticIp(`guarded${n}`, eip(40), { target: vm(9) }),
        firewallPolicy(`guard${n}`, { elasticIPs: [`guarded${n}`] }, [
          { action: 'Deny', ports: [{ protocol: 'TCP', port: 22 }] },
          { action: 'Reject', ports: [{ protocol: 'TCP', port: 23 }] },
          { action: 'Allow', ports: [{ protocol: 'TCP', port: 80 }] },
          {
            action: 'Reject',
            direction: 'Egress',
            peers: [{ cidr: `${client}/${bits}` }],
            ports: [{ protocol: 'TCP', port: 25 }],
          },
          { action: 'Deny', direction: 'Egress', ports: [{ protocol: 'TCP', port: 26 }] },
          { action: 'Allow', direction: 'Egress' },
        ]),
        elasticIp(`held${n}`, eip(50)),
      ]),
    ],
  });

  beforeAll(() => serve(lab.topology.inet, ...VMS.map((name) => lab.tenant.vm(name))));

  describe.each(families)('$family', ({ n, eip, vm, client, own, nextHop, stranger, end }) => {
    it('an elastic IP, in and out', async () => {
      const into = { from: client, to: `${end(eip(10), 80)}/tcp` };
      const walk = await agrees(lab, into, tcp(lab.inet(), eip(10), 80, client), 'blue-web');
      expect(by(walk)).toEqual([`ElasticIP/web${n}`]);
      const out = await agrees(lab, { from: vm(5), to: `${end(client, 80)}/tcp` }, tcp(lab.vm('web'), client), 'inet');
      expect(out.outcome).toMatchObject({ source: eip(10), link: 'vg-ext0' });
    });

    it('forwarded ports, and one that no rule has', async () => {
      const walk = await agrees(
        lab,
        { from: client, to: `${end(eip(20), 8080)}/tcp` },
        tcp(lab.inet(), eip(20), 8080, client),
        'blue-app',
      );
      expect(walk.outcome).toMatchObject({ destination: vm(6), port: 80 });
      expect(by(walk)).toEqual([`DnatRule/tcp${n}`]);
      const udp = async () =>
        overUdp(await lab.inet(), { to: eip(20), port: 8053, from: client, timeoutMs: silenceMs });
      await agrees(lab, { from: client, to: `${end(eip(20), 8053)}/udp` }, udp, 'blue-app');
      const none = { from: client, to: `${end(eip(20), 9999)}/tcp` };
      const dropped = await agrees(lab, none, tcp(lab.inet(), eip(20), 9999, client));
      expect(dropped.outcome).toEqual({ kind: 'Dropped', reason: 'NoRule' });
    });

    it('shared addresses: the one that the pool gives', async () => {
      const to = `${end(client, 80)}/tcp`;
      const shared = await agrees(lab, { from: vm(6), to }, tcp(lab.vm('app'), client), 'inet');
      expect(shared.outcome.source).toBe(eip(20));
      const pooled = await agrees(lab, { from: vm(7), to }, tcp(lab.vm('pooled'), client), 'inet');
      expect([31, 32, 33].map(eip)).toContain(pooled.outcome.source);
    });

    it('a hairpin, by an elastic IP of its own, a shared one and none', async () => {
      const to = `${end(eip(10), 80)}/tcp`;
      for (const [name, host, seenAs] of [
        ['web', 5, eip(10)],
        ['app', 6, eip(20)],
        ['bare', 8, nextHop],
      ] as const) {
        const walk = await agrees(lab, { from: vm(host), to }, tcp(lab.vm(name), eip(10)), 'blue-web');
        expect(walk.outcome).toMatchObject({ source: seenAs, destination: vm(5), link: 'vg-vpc0' });
      }
    });

    it('policies: allowed, denied, rejected and left out, from outside and from the VPC', async () => {
      const fates = { 80: 'Delivered', 22: 'Dropped', 23: 'Rejected', 24: 'Dropped' };
      for (const [port, kind] of Object.entries(fates)) {
        const to = `${end(eip(40), Number(port))}/tcp`;
        const attempt = tcp(lab.inet(), eip(40), Number(port), client);
        const walk = await agrees(lab, { from: client, to }, attempt, 'blue-guarded');
        expect({ port, kind: walk.outcome.kind }).toEqual({ port, kind });
        expect(walk.hops.find(({ at }) => at === 'VG-F')?.by?.id).toBe(`FirewallPolicy/guard${n}`);
        const hairpin = await agrees(
          lab,
          { from: vm(6), to },
          tcp(lab.vm('app'), eip(40), Number(port)),
          'blue-guarded',
        );
        expect(hairpin.outcome.kind).toBe(kind);
      }
    });

    it('policies on the way out', async () => {
      for (const [port, kind] of [
        [80, 'Delivered'],
        [25, 'Rejected'],
        [26, 'Dropped'],
      ] as const) {
        const question = { from: vm(9), to: `${end(client, port)}/tcp` };
        const walk = await agrees(lab, question, tcp(lab.vm('guarded'), client, port), 'inet');
        expect({ port, kind: walk.outcome.kind }).toEqual({ port, kind });
      }
    });

    it('a held address, and a VM without a way out', async () => {
      const held = { from: client, to: `${end(eip(50), 80)}/tcp` };
      const walk = await agrees(lab, held, tcp(lab.inet(), eip(50), 80, client));
      expect(walk.outcome).toEqual({ kind: 'Dropped', reason: 'Hold' });
      const none = { from: vm(8), to: `${end(client, 80)}/tcp` };
      expect((await agrees(lab, none, tcp(lab.vm('bare'), client))).outcome).toEqual({ kind: 'Unroutable' });
      // The kernel sends few of these errors to one address, and the connections have had theirs.
      const errors = async () => (await ping(lab.tenant.vm('bare').namespace, { to: client })).errors[0]?.from;
      await expect.poll(errors, { timeout: 20_000 }).toBe(nextHop);
    });

    it('sources that are not theirs, on either side', async () => {
      const out = { from: stranger, to: `${end(client, 80)}/tcp`, enters: 'vpc' };
      const walk = await agrees(lab, out, tcp(lab.vm('app'), client, 80, stranger));
      expect(walk.outcome).toEqual({ kind: 'Dropped', reason: 'Spoof' });
      const into = { from: vm(77), to: `${end(eip(10), 80)}/tcp`, enters: 'internet' };
      const attempt = tcp(lab.inet(), eip(10), 80, vm(77));
      expect((await agrees(lab, into, attempt)).outcome).toEqual({ kind: 'Dropped', reason: 'Spoof' });
    });

    it('ping: of an elastic IP, and of the gateway', async () => {
      for (const [to, kind, server] of [
        [eip(10), 'Delivered', 'blue-web'],
        [own, 'Answered', 'gateway'],
      ] as const) {
        const question = { from: client, to: `${to}/icmp` };
        const attempt = async (): Promise<Reached> => {
          const { received } = await ping(lab.topology.inet.namespace, { to, from: client });
          return received === 1 ? { server, client } : silence;
        };
        const walk = await walkOf(lab, question);
        const { live, reached } = await watched(lab, question, attempt);
        expect(walk.outcome.kind).toBe(kind);
        expect(live).toMatchObject({ seen: true, differences: [], outcome: walk.outcome });
        expect(reached).toEqual({ server, client });
      }
    });
  });

  it('names the line of the rule', async () => {
    const walk = await walkOf(lab, { from: '198.51.100.1', to: '203.0.113.40:23/tcp' });
    const { line, file } = walk.hops.find(({ at }) => at === 'VG-F')?.by ?? {};
    expect(file).toMatch(/documents\.yaml$/);
    const texts = await lab.supervisor().get('/v1/documents/FirewallPolicy/guard0');
    const { text, firstLine } = JSON.parse(texts.text) as { text: string; firstLine: number };
    const lines = text.split('\n');
    expect(lines[(line ?? 0) - firstLine]).toMatch(/- priority: 200/);
  });

  it('says so when none comes, and the kernel keeps nothing of the watching', async () => {
    const question = { from: '198.51.100.1', to: '203.0.113.10:4242/tcp', seconds: 1 };
    const { text } = await lab.supervisor().post('/v1/trace/live', question);
    expect(JSON.parse(text.trim().split('\n')[1] ?? '')).toMatchObject({ live: { seen: false, differences: [] } });
    expect(await tables(lab)).not.toContain('vpcgw_trace');
  });

  it('reports a rule of somebody else as a difference', async () => {
    const chain = 'add chain inet foreign p { type filter hook forward priority 5 ; }';
    const rule = 'add rule inet foreign p ip daddr 10.0.0.5 tcp dport 80 drop';
    await lab.tenant.gateway.exec(['nft', '-f', '-'], { stdin: `add table inet foreign\n${chain}\n${rule}\n` });
    try {
      const question = { from: '198.51.100.1', to: '203.0.113.10:80/tcp' };
      const { live } = await watched(lab, question, tcp(lab.inet(), '203.0.113.10', 80, '198.51.100.1'));
      expect(live.differences).toContain('kind: Delivered by the model, Dropped in the kernel');
      expect(live.differences).toContain('reason: none by the model, foreign p in the kernel');
    } finally {
      await lab.tenant.gateway.exec(['nft', 'delete', 'table', 'inet', 'foreign']);
    }
  });

  it('leaves nothing in the kernel when the supervisor is killed', async () => {
    const question = { from: '198.51.100.1', to: '203.0.113.10:4242/tcp', seconds: 60 };
    const gone = lab
      .supervisor()
      .post('/v1/trace/live', question)
      .catch((error: unknown) => error);
    await expect.poll(() => tables(lab), { timeout: 20_000 }).toContain('vpcgw_trace');
    await lab.supervisor().kill9();
    await expect.poll(() => tables(lab), { timeout: 20_000 }).not.toContain('vpcgw_trace');
    await gone;
    await lab.supervisor().restart();
  });
});

const tables = async (lab: GatewayLab): Promise<string> =>
  (await lab.tenant.gateway.exec(['nft', 'list', 'tables'])).stdout;

describe('public and translated IPv6', () => {
  const client = '2001:db8:1::1';
  const lab = useGatewayLab({
    tenants: [
      {
        name: 'blue',
        vms: [
          { name: 'open', addresses: ['10.0.0.5/24', 'fd00:a::5/64', '2001:db8:a::5/64'] },
          { name: 'closed', addresses: ['10.0.0.6/24', 'fd00:a::6/64', '2001:db8:a:0:8000::6/64'] },
        ],
        router: true,
      },
    ],
    routes: [
      { destination: '2001:db8:a::/64', via: '2001:db8:ffff::11' },
      { destination: '2001:db8:b::/64', via: '2001:db8:ffff::11' },
    ],
    prepare: async ({ tenants: [blue] }) => {
      for (const name of ['open', 'closed', 'router'])
        await blue
          ?.vm(name)
          .namespace.ip([
            ...(name === 'router' ? ['address add 2001:db8:a::fe/64 dev eth0'] : []),
            'route replace default via 2001:db8:a::1',
          ]);
    },
    documents: (tenant) => [
      gateway(tenant, {
        internalAddresses: ['10.0.0.1/24', '2001:db8:a::1/64'],
        prefixes: [{ cidr: prefixesBehindRouter[1]?.cidr ?? '', via: '2001:db8:a::fe' }],
      }),
      ipv6Prefix('open', '2001:db8:a::/65', { mode: 'Full' }),
      ipv6Prefix('closed', '2001:db8:a:0:8000::/65', { mode: 'EgressOnly' }),
      ipv6Prefix('behind', '2001:db8:b::/64', { internal: prefixesBehindRouter[1]?.cidr ?? '' }),
    ],
  });

  beforeAll(() => serve(lab.topology.inet, ...['open', 'closed', 'behind'].map((name) => lab.tenant.vm(name))));

  it('an open prefix', async () => {
    const vm = '2001:db8:a::5';
    const into = { from: client, to: `[${vm}]:80/tcp` };
    expect(by(await agrees(lab, into, tcp(lab.inet(), vm, 80, client), 'blue-open'))).toEqual(['Ipv6Prefix/open']);
    await agrees(lab, { from: vm, to: `[${client}]:80/tcp` }, tcp(lab.vm('open'), client, 80, vm), 'inet');
  });

  it('one that only goes out', async () => {
    const vm = '2001:db8:a:0:8000::6';
    const into = await agrees(lab, { from: client, to: `[${vm}]:80/tcp` }, tcp(lab.inet(), vm, 80, client));
    expect(into.outcome).toEqual({ kind: 'Dropped', reason: 'NoRule' });
    await agrees(lab, { from: vm, to: `[${client}]:80/tcp` }, tcp(lab.vm('closed'), client, 80, vm), 'inet');
  });

  it('one that is translated', async () => {
    const [vm, outside] = ['fd00:a:1::5', '2001:db8:b::5'];
    const into = await agrees(
      lab,
      { from: client, to: `[${outside}]:80/tcp` },
      tcp(lab.inet(), outside, 80, client),
      'blue-behind',
    );
    expect(into.outcome.destination).toBe(vm);
    const out = await agrees(
      lab,
      { from: vm, to: `[${client}]:80/tcp` },
      tcp(lab.vm('behind'), client, 80, vm),
      'inet',
    );
    expect(out.outcome.source).toBe(outside);
  });
});

describe('a site', () => {
  const keys = new Keys('gateway.key');
  const SITE = '192.168.77.1';
  const AS = '100.64.7.0/24';
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web'] }],
    documents: (tenant) => [
      gateway(tenant),
      elasticIp('vpn', '203.0.113.40'),
      vpnConnection('office', {
        elasticIP: 'vpn',
        key: 'gateway.key',
        localNetworks: ['10.0.0.0/24'],
        translate: [{ network: '10.0.0.0/24', as: AS }],
        rules: [
          { priority: 1, action: 'Allow', direction: 'Ingress', ports: [{ protocol: 'TCP', port: 80 }] },
          { priority: 1, action: 'Deny', direction: 'Egress', ports: [{ protocol: 'TCP', port: 81 }] },
          { priority: 2, action: 'Allow', direction: 'Egress' },
        ],
        peers: [
          {
            name: 'site',
            publicKey: examplePublicKey('site.key'),
            endpoint: '198.51.100.1:51820',
            networks: ['192.168.77.0/24'],
          },
        ],
      }),
    ],
    supervisor: { args: keys.args },
  });
  let plain: PlainWireGuard;

  beforeAll(async () => {
    plain = await PlainWireGuard.create(lab.topology.inet.namespace, {
      key: 'site.key',
      port: 51820,
      addresses: [`${SITE}/24`],
      peers: [
        { publicKey: examplePublicKey('gateway.key'), endpoint: '203.0.113.40:51820', networks: [AS, '10.0.0.0/24'] },
      ],
    });
    await serve(lab.topology.inet, lab.tenant.vm('web'));
  });
  afterAll(() => plain?.delete());

  it('by a tunnel, both ways, translated and judged', async () => {
    const out = await agrees(lab, { from: '10.0.0.5', to: `${SITE}:80/tcp` }, tcp(lab.vm('web'), SITE), 'inet');
    expect(out.outcome.source).toBe('100.64.7.5');
    await agrees(lab, { from: '10.0.0.5', to: `${SITE}:81/tcp` }, tcp(lab.vm('web'), SITE, 81));
    const into = { from: SITE, to: '100.64.7.5:80/tcp' };
    const walk = await agrees(lab, into, tcp(lab.inet(), '100.64.7.5', 80, SITE), 'blue-web');
    expect(walk).toMatchObject({ enters: 'VpnConnection/office', outcome: { destination: '10.0.0.5' } });
    await agrees(lab, { from: SITE, to: '100.64.7.5:82/tcp' }, tcp(lab.inet(), '100.64.7.5', 82, SITE));
    await agrees(lab, { from: SITE, to: '10.0.0.5:80/tcp' }, tcp(lab.inet(), '10.0.0.5', 80, SITE));
  });
});
