import { beforeAll, describe, expect, it } from 'vitest';
import type { TcpConnections } from '../support/agent.js';
import { elasticIp, gateway, snatRule } from '../support/documents.js';
import type { Document } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { overTcp, silenceMs } from '../support/reach.js';

// A pool of elastic IPs that are not adjacent: who leaves by which, and what stays when one joins; blocks of ports.

const clients = 48;
const firstPort = 1024;

const families = [
  {
    family: 'IPv4',
    pool: ['203.0.113.3', '203.0.113.77', '198.18.99.200', '203.0.113.141'],
    source: '10.0.0.0/24',
    web: '10.0.0.5',
    many: Array.from({ length: clients }, (_, index) => `10.0.0.${64 + index}`),
    internet: '198.51.100.1',
  },
  {
    family: 'IPv6',
    pool: ['2001:db8:e::3', '2001:db8:e::4d:1', '2001:db8:e::c0de', '2001:db8:e::8'],
    source: 'fd00:a::/64',
    web: 'fd00:a::5',
    many: Array.from({ length: clients }, (_, index) => `fd00:a::${(64 + index).toString(16)}`),
    internet: '2001:db8:1::1',
  },
];

describe('a pool of elastic IPs', () => {
  const lab = useGatewayLab({
    tenants: [
      {
        name: 'blue',
        vms: [
          'web',
          'app',
          {
            name: 'many',
            addresses: families.flatMap(({ many, source }) => many.map((one) => `${one}/${source.split('/')[1]}`)),
          },
        ],
      },
    ],
    routes: [{ destination: '198.18.99.200/32' }],
    documents: (tenant) => [gateway(tenant), ...poolOf(3)],
  });

  beforeAll(() => serve(lab.topology.inet));

  describe.each(families)('$family', ({ pool, many, internet }) => {
    const three = pool.slice(0, 3);

    it('gives a client one address, over many connections and over a restart of the supervisor', async () => {
      const web = await lab.vm('web');
      const connections = await web.tcpConnectMany({ targets: [{ to: internet, port: ports.tcp }], count: 50 });
      const seen = new Set(connections.greetings.map(({ remote }) => remote.address));
      expect(connections.greetings).toHaveLength(50);
      expect([...seen]).toHaveLength(1);
      expect(three).toContain([...seen][0]);
      await lab.supervisor().restart();
      expect(await connections.countAlive()).toBe(50);
      for (let again = 0; again < 5; again++) {
        expect(await overTcp(web, { to: internet })).toEqual({ server: 'inet', client: [...seen][0] });
      }
      await connections.close({ reset: true });
    });

    it('spreads clients over all of its addresses', async () => {
      const connections = await connectAll(many, internet);
      const shares = three.map((eip) => addressesOf(connections).filter((seen) => seen === eip).length);
      expect(shares.reduce((sum, share) => sum + share)).toBe(clients);
      expect(Math.min(...shares)).toBeGreaterThanOrEqual(clients / 6);
      await connections.close({ reset: true });
    });
  });

  it('moves only a fair share of the clients when one joins, and none of their open connections', async () => {
    const before = await Promise.all(families.map(({ many, internet }) => connectAll(many, internet)));
    await lab.apply([gateway(lab.tenant), ...poolOf(4)]);
    for (const [index, { pool, many, internet }] of families.entries()) {
      const held = before[index] as TcpConnections;
      expect(await held.countAlive()).toBe(clients);
      const after = await connectAll(many, internet);
      const moved = addressesOf(after).filter((seen, client) => seen !== addressesOf(held)[client]);
      expect(moved).toContain(pool[3]);
      expect(moved.length).toBeLessThanOrEqual((1.5 * clients) / 4);
      await held.close({ reset: true });
      await after.close({ reset: true });
    }
  });

  it('gives each source a block of ports of its own', async () => {
    const portsPerSource = 256;
    await lab.apply([gateway(lab.tenant), ...poolOf(1, portsPerSource)]);
    for (const { many, internet, pool } of families) {
      const targets = [{ to: internet, port: ports.tcp }];
      const [web, app] = await Promise.all(
        ['web', 'app'].map(async (name) => (await lab.vm(name)).tcpConnectMany({ targets, count: 50 })),
      );
      const all = [web as TcpConnections, app as TcpConnections, await connectAll(many, internet)];
      expect(all.flatMap(({ errors }) => errors)).toEqual([]);
      expect(new Set(all.flatMap(addressesOf))).toEqual(new Set([pool[0]]));
      const blockOf = (port: number) => Math.floor((port - firstPort) / portsPerSource);
      const [ofWeb, ofApp, ofMany] = all.map(({ greetings }) => greetings.map(({ remote }) => blockOf(remote.port)));
      expect(new Set(ofWeb).size).toBe(1);
      expect(new Set(ofApp).size).toBe(1);
      const blocks = [ofWeb?.[0], ofApp?.[0], ...(ofMany ?? [])];
      expect(new Set(blocks).size).toBe(clients + 2);
      for (const connections of all) await connections.close({ reset: true });
    }
  });

  it('does not let one source use up what is others’', async () => {
    const portsPerSource = 64;
    await lab.apply([gateway(lab.tenant), ...poolOf(1, portsPerSource)]);
    for (const { internet } of families) {
      const greedy = await (
        await lab.vm('web')
      ).tcpConnectMany({
        targets: [{ to: internet, port: ports.tcp }],
        count: portsPerSource + 16,
        timeoutMs: 2 * silenceMs,
      });
      expect(greedy.greetings.length).toBeLessThanOrEqual(portsPerSource);
      expect(greedy.greetings.length).toBeGreaterThan(portsPerSource / 2);
      expect(await overTcp(await lab.vm('app'), { to: internet })).toMatchObject({ server: 'inet' });
      await greedy.close({ reset: true });
    }
  });

  function poolOf(members: number, portsPerSource?: number): Document[] {
    return families.flatMap(({ pool, source }, family) => {
      const names = pool.slice(0, members).map((_, index) => `nat${family}-${index}`);
      const eips = names.map((name, index) => elasticIp(name, pool[index] ?? ''));
      return [
        ...eips,
        snatRule(`all${family}`, [source], names, portsPerSource === undefined ? {} : { portsPerSource }),
      ];
    });
  }

  /** One connection from each of the clients' addresses, in their order. */
  async function connectAll(many: readonly string[], to: string): Promise<TcpConnections> {
    const agent = await lab.vm('many');
    const connections = await agent.tcpConnectMany({ targets: many.map((from) => ({ from, to, port: ports.tcp })) });
    expect(connections.errors).toEqual([]);
    return connections;
  }
});

function addressesOf({ greetings }: TcpConnections): string[] {
  return greetings.map(({ remote }) => remote.address);
}
