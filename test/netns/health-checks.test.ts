import { beforeAll, describe, expect, it } from 'vitest';
import type { Agent } from '../support/agent.js';
import { type Document, elasticIp, gateway, loadBalancer } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { overTcp, overUdp, silenceMs } from '../support/reach.js';

// Members are checked from inside the gateway, and one that fails gets no connections.

const families = [
  { family: 'IPv4', eip: '203.0.113.10', vm: (host: number) => `10.0.0.${host}`, client: '198.51.100.1' },
  { family: 'IPv6', eip: '2001:db8:e::10', vm: (host: number) => `fd00:a::${host}`, client: '2001:db8:1::1' },
];

describe('health checks', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app'] }],
    documents: (tenant) => [gateway(tenant)],
  });
  let inet: Agent;
  beforeAll(async () => {
    await serve(lab.tenant.vm('web'), lab.tenant.vm('app'));
    inet = await lab.inet();
  });

  const often = { interval: '200ms', timeout: '200ms', unhealthyThreshold: 2 };
  const balanced = (eip: string, member: (host: number) => string, pool: Document, listener: object): Document[] => [
    gateway(lab.tenant),
    elasticIp('web', eip),
    loadBalancer('web', {
      elasticIP: 'web',
      members: [5, 6].map((host) => ({ address: member(host) })),
      pool: { healthCheck: { ...often, ...pool } },
      listeners: [{ port: 8080, ...listener }],
    }),
  ];
  const notes = async (): Promise<readonly string[]> =>
    (await lab.supervisor().status()).objects.find(({ kind }) => kind === 'LoadBalancer')?.notes ?? [];
  const members = async (): Promise<unknown> => JSON.parse((await lab.supervisor().get('/v1/show/lb')).text);
  const told = (text: string) => expect.poll(notes, { timeout: 20_000 }).toContain(text);

  describe.each(families)('$family', ({ eip, vm, client }) => {
    it('take a member out that accepts no connections, and in again', async () => {
      const [web, app] = [await lab.vm('web'), await lab.vm('app')];
      await web.tcpServer({ port: 8080, address: vm(5) });
      const server = await app.tcpServer({ port: 8080, address: vm(6) });
      await lab.apply(balanced(eip, vm, { type: 'TCP' }, {}));
      await told('pool all: 2 of 2 members serve');
      await server.close();
      await told(`pool all: ${vm(6)} is down: refused`);
      expect(await members()).toMatchObject([
        { listener: 'TCP 8080', member: vm(5), state: 'Up', reason: '' },
        { listener: 'TCP 8080', member: vm(6), state: 'Down', reason: 'refused' },
      ]);
      for (let i = 0; i < 20; i++)
        expect(await overTcp(inet, { to: eip, port: 8080, from: client })).toEqual({ server: 'blue-web', client });
      const again = await app.tcpServer({ port: 8080, address: vm(6) });
      await told('pool all: 2 of 2 members serve');
      await again.close();
    });

    it('ask by ping', async () => {
      await lab.apply(balanced(eip, vm, { type: 'Ping' }, { port: ports.tcp }));
      await told('pool all: 2 of 2 members serve');
      const name = vm(6).includes(':') ? 'net.ipv6.icmp.echo_ignore_all' : 'net.ipv4.icmp_echo_ignore_all';
      const ignore = (value: 0 | 1) => lab.tenant.vm('app').namespace.exec(['sysctl', '-q', '-w', `${name}=${value}`]);
      await ignore(1);
      await told(`pool all: ${vm(6)} is down: no answer within 200 ms`);
      await ignore(0);
      await told('pool all: 2 of 2 members serve');
    });

    it('move clients of UDP that are under way', async () => {
      const listener = { protocol: 'UDP', port: 5353 };
      const servers = await Promise.all(
        (['web', 'app'] as const).map(async (name, i) => {
          const agent = await lab.vm(name);
          return agent.udpServer({ port: 5353, address: vm(5 + i), mode: 'whoami' });
        }),
      );
      await lab.apply(balanced(eip, vm, { type: 'UDP' }, listener));
      await told('pool all: 2 of 2 members serve');
      const socket = await inet.udpOpen({ to: eip, port: 5353, from: client });
      await socket.send({ payload: 'one' });
      const first = (await socket.receive()).greeting?.server;
      await servers[first === 'blue-web' ? 0 : 1]?.close();
      await told(`pool all: ${vm(first === 'blue-web' ? 5 : 6)} is down: refused`);
      const other = first === 'blue-web' ? 'blue-app' : 'blue-web';
      // The same client from the same port: what it had is ended right after the rules have changed.
      const next = async (): Promise<string | undefined> => {
        await socket.send({ payload: 'two' });
        return (await socket.receive(silenceMs)).greeting?.server;
      };
      await expect.poll(() => next().catch(() => 'nobody'), { timeout: 20_000 }).toBe(other);
      for (let i = 0; i < 10; i++)
        expect(await overUdp(inet, { to: eip, port: 5353, from: client })).toEqual({ server: other, client });
      await socket.close();
      await servers[first === 'blue-web' ? 1 : 0]?.close();
    });
  });

  it('refuse while all are down, or go on where the pool says so', async () => {
    const { eip, vm } = families[0] as (typeof families)[number];
    const check = { type: 'TCP', port: 9 };
    await lab.apply(balanced(eip, vm, check, { port: ports.tcp }));
    await told('pool all: nobody serves, connections are refused');
    expect(await overTcp(inet, { to: eip })).toEqual({ error: 'ECONNREFUSED' });
    const open = balanced(eip, vm, check, { port: ports.tcp });
    const [balancer] = open.slice(-1) as [{ spec: { pools: [object] } }];
    Object.assign(balancer.spec.pools[0], { allDown: 'FailOpen' });
    await lab.apply(open);
    await told('pool all: all are down, and go on as if they were up');
    expect(await overTcp(inet, { to: eip })).toMatchObject({ server: expect.stringMatching(/^blue-/) as string });
  });

  it('ask by HTTP, and name what came instead', async () => {
    const { eip, vm } = families[0] as (typeof families)[number];
    // What answers at this port is no web server.
    await lab.apply(balanced(eip, vm, { type: 'HTTP', path: '/healthz' }, { port: ports.tcp }));
    await told(`pool all: ${vm(5)} is down: an answer that is not HTTP`);
  });
});
