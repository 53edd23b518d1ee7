import { beforeAll, describe, expect, it } from 'vitest';
import { Capture } from '../support/capture.js';
import { dnatRule, elasticIp, gateway, snatRule } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { ping } from '../support/ping.js';
import { overTcp, overUdp } from '../support/reach.js';
import type { Reached } from '../support/reach.js';

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

  describe.each(families)('$family', ({ first, second, clients }) => {
    const inward = [
      {
        what: 'a 1:1 address of the first',
        to: first(10),
        by: 'ext0',
        over: overTcp,
        port: ports.tcp,
        server: 'blue-web',
      },
      {
        what: 'a 1:1 address of the second',
        to: second(10),
        by: 'ext1',
        over: overUdp,
        port: ports.udp,
        server: 'blue-app',
      },
      { what: 'a port of the first', to: first(20), by: 'ext0', over: overTcp, port: 8080, server: 'blue-app' },
      { what: 'a port of the second', to: second(20), by: 'ext1', over: overTcp, port: 8080, server: 'blue-web' },
      { what: 'a UDP port of the first', to: first(20), by: 'ext0', over: overUdp, port: 5353, server: 'blue-db' },
    ];
    const bothClients = inward.flatMap((each) => (['inet', 'inet2'] as const).map((client) => ({ ...each, client })));

    it.each(bothClients)(
      '$what is reached from $client by $by, both ways',
      async ({ to, by, over, port, server, client }) => {
        const agent = await lab.topology[client].agent();
        const from = clients[client];
        const { outcome, packets } = await observed(to, () => over(agent, { to, port, from }));
        expect(outcome).toEqual({ server, client: from });
        expect(packets[by]?.filter(({ dst }) => dst === to).length).toBeGreaterThan(0);
        expect(packets[by]?.filter(({ src }) => src === to).length).toBeGreaterThan(0);
        expect(packets[by === 'ext0' ? 'ext1' : 'ext0']).toEqual([]);
      },
    );

    it.each([
      { name: 'web', seenAs: first(10), by: 'ext0' },
      { name: 'app', seenAs: second(10), by: 'ext1' },
      { name: 'job', seenAs: first(20), by: 'ext0' },
      { name: 'db', seenAs: second(20), by: 'ext1' },
    ])('$name leaves as $seenAs by $by, whomever it calls', async ({ name, seenAs, by }) => {
      const agent = await lab.vm(name);
      for (const server of ['inet', 'inet2'] as const) {
        for (const over of [overTcp, overUdp]) {
          const { outcome, packets } = await observed(seenAs, () => over(agent, { to: clients[server] }));
          expect(outcome).toEqual({ server, client: seenAs });
          expect(packets[by]?.length).toBeGreaterThan(1);
          expect(packets[by === 'ext0' ? 'ext1' : 'ext0']).toEqual([]);
        }
        expect(await ping(lab.tenant.vm(name).namespace, { to: clients[server] })).toEqual({ received: 1, errors: [] });
      }
    });
  });

  /** What crossed each external link from or to the address meanwhile, but for the links' own. */
  async function observed(address: string, attempt: () => Promise<Reached>) {
    const start = (name: string) =>
      Capture.start(lab.tenant.gateway, { interface: name, filter: `host ${address} and (tcp or udp)` });
    const [ext0, ext1] = [await start('ext0'), await start('ext1')];
    const outcome = await attempt();
    const packets: Record<string, Capture['packets']> = { ext0: await ext0.stop(), ext1: await ext1.stop() };
    return { outcome, packets };
  }
});
