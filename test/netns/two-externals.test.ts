import { beforeAll, describe, expect, it } from 'vitest';
import { Capture } from '../support/capture.js';
import type { Packet } from '../support/capture.js';
import { dnatRule, elasticIp, gateway, snatRule } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { ping } from '../support/ping.js';
import { overTcp, overUdp } from '../support/reach.js';

// A gateway on two external networks: an elastic IP's packets come and go by its own, wherever the other end lives.

const families = [
  {
    family: 'IPv4',
    first: (host: number) => `203.0.113.${host}`,
    second: (host: number) => `198.18.0.${host}`,
    vm: (host: number) => `10.0.0.${host}`,
    host: 32,
    clients: { inet: '198.51.100.1', inet2: '198.19.0.1' },
  },
  {
    family: 'IPv6',
    first: (host: number) => `2001:db8:e::${host}`,
    second: (host: number) => `2001:db8:e2::${host}`,
    vm: (host: number) => `fd00:a::${host}`,
    host: 128,
    clients: { inet: '2001:db8:1::1', inet2: '2001:db8:2::1' },
  },
];

describe('a gateway on two external networks', () => {
  const lab = useGatewayLab({
    secondExternal: true,
    tenants: [{ name: 'blue', vms: ['web', 'app', 'db', 'job'] }],
    documents: (tenant) => [
      gateway(tenant, { secondExternal: true }),
      ...families.flatMap(({ first, second, vm, host }, family) => [
        elasticIp(`web${family}`, first(10), { target: vm(5), external: 'internet' }),
        elasticIp(`app${family}`, second(10), { target: vm(6), external: 'second' }),
        elasticIp(`one${family}`, first(20), { external: 'internet' }),
        elasticIp(`two${family}`, second(20), { external: 'second' }),
        snatRule(`job${family}`, [`${vm(8)}/${host}`], [`one${family}`]),
        snatRule(`db${family}`, [`${vm(7)}/${host}`], [`two${family}`]),
        // Each to a VM whose own way out is the other network, or none.
        dnatRule(`app${family}`, {
          elasticIP: `one${family}`,
          protocol: 'TCP',
          port: 8080,
          target: vm(6),
          targetPort: ports.tcp,
        }),
        dnatRule(`web${family}`, {
          elasticIP: `two${family}`,
          protocol: 'TCP',
          port: 8080,
          target: vm(5),
          targetPort: ports.tcp,
        }),
        dnatRule(`db${family}`, {
          elasticIP: `one${family}`,
          protocol: 'UDP',
          port: 5353,
          target: vm(7),
          targetPort: ports.udp,
        }),
      ]),
    ],
  });

  beforeAll(() =>
    serve(lab.topology.inet, lab.topology.inet2, ...['web', 'app', 'db', 'job'].map((name) => lab.tenant.vm(name))),
  );

  describe.each(families)('$family', ({ first, second, clients, host }) => {
    const inward = [
      {
        to: first(10),
        by: 'ext0',
        over: overTcp,
        port: ports.tcp,
        server: 'blue-web',
      },
      {
        to: second(10),
        by: 'ext1',
        over: overUdp,
        port: ports.udp,
        server: 'blue-app',
      },
      { to: first(20), by: 'ext0', over: overTcp, port: 8080, server: 'blue-app' },
      { to: second(20), by: 'ext1', over: overTcp, port: 8080, server: 'blue-web' },
      { to: first(20), by: 'ext0', over: overUdp, port: 5353, server: 'blue-db' },
    ] as const;
    it('is reached by each address over its own network, both ways, from clients of either', async () => {
      const links = await startCaptures();
      const cases = inward.flatMap((each) => (['inet', 'inet2'] as const).map((client) => ({ ...each, client })));
      for (const { to, over, port, server, client } of cases) {
        const [agent, from] = [await lab.topology[client].agent(), clients[client]];
        expect(await over(agent, { to, port, from })).toEqual({ server, client: from });
      }
      const crossed = await stopCaptures(links);
      for (const { to, by, client, port } of cases) {
        const asked = { src: clients[client], dst: to, dport: port };
        const answered = { src: to, sport: port, dst: clients[client] };
        expectOnly(crossed, by, asked);
        expectOnly(crossed, by, answered);
      }
    });

    it('lets each VM leave by the network of its address, whomever it calls', async () => {
      const links = await startCaptures();
      const ways = [
        { name: 'web', seenAs: first(10), by: 'ext0' },
        { name: 'app', seenAs: second(10), by: 'ext1' },
        { name: 'job', seenAs: first(20), by: 'ext0' },
        { name: 'db', seenAs: second(20), by: 'ext1' },
      ] as const;
      const calls = ways.flatMap((way) => (['inet', 'inet2'] as const).map((server) => ({ ...way, server })));
      for (const { name, seenAs, server } of calls) {
        const [agent, to] = [await lab.vm(name), clients[server]];
        for (const over of [overTcp, overUdp]) expect(await over(agent, { to })).toEqual({ server, client: seenAs });
        expect(await ping(lab.tenant.vm(name).namespace, { to })).toEqual({ received: 1, errors: [] });
      }
      const crossed = await stopCaptures(links);
      for (const { seenAs, by, server } of calls) {
        for (const protocol of ['tcp', 'udp', host === 32 ? 'icmp' : 'icmp6'] as const) {
          expectOnly(crossed, by, { protocol, src: seenAs, dst: clients[server] });
          expectOnly(crossed, by, { protocol, src: clients[server], dst: seenAs });
        }
      }
    });
  });

  const startCaptures = async (): Promise<Record<Link, Capture>> => {
    const start = (name: Link) => Capture.start(lab.tenant.gateway, { interface: name, filter: 'ip or ip6' });
    return { ext0: await start('ext0'), ext1: await start('ext1') };
  };
});

type Link = 'ext0' | 'ext1';
type Crossed = Record<Link, readonly Packet[]>;

async function stopCaptures({ ext0, ext1 }: Record<Link, Capture>): Promise<Crossed> {
  return { ext0: await ext0.stop(), ext1: await ext1.stop() };
}

/** Such packets crossed this link, and none the other. */
function expectOnly(crossed: Crossed, by: Link, wanted: Partial<Packet>): void {
  const matches = (packet: Packet): boolean =>
    Object.entries(wanted).every(([field, value]) => packet[field as keyof Packet] === value);
  expect(crossed[by].filter(matches).length, JSON.stringify({ by, wanted })).toBeGreaterThan(0);
  expect(crossed[by === 'ext0' ? 'ext1' : 'ext0'].filter(matches)).toEqual([]);
}
