import { beforeAll, describe, expect, it } from 'vitest';
import type { Agent, TcpConnection } from '../support/agent.js';
import { Capture } from '../support/capture.js';
import { elasticIp, gateway, snatRule } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { overTcp, overUdp, silence, silenceMs } from '../support/reach.js';

// Attach, detach and rebind are edits of the object: whose connections end, when, and whose do not.

const families = [
  { moving: '203.0.113.10', other: '203.0.113.20', vm: '10.0.0.', client: '198.51.100.1', prefix: '10.0.0.0/24' },
  { moving: '2001:db8:e::10', other: '2001:db8:e::20', vm: 'fd00:a::', client: '2001:db8:1::1', prefix: 'fd00:a::/64' },
];
type FamilyAddresses = (typeof families)[number];

const drainMs = 3_000;

describe('an edit of an elastic IP', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app', 'db'] }],
    documents: () => documents('web'),
  });
  let inet: Agent;

  beforeAll(async () => {
    await serve(lab.topology.inet, ...['web', 'app', 'db'].map((name) => lab.tenant.vm(name)));
    inet = await lab.inet();
  });

  function documents(target: 'web' | 'app' | undefined, drainTimeout?: string) {
    const host = target === 'web' ? 5 : 6;
    return [
      gateway(lab.tenant),
      ...families.flatMap(({ moving, other, vm }, index) => [
        elasticIp(`moving${index}`, moving, {
          ...(target ? { target: `${vm}${host}` } : {}),
          ...(drainTimeout === undefined ? {} : { drainTimeout }),
        }),
        elasticIp(`other${index}`, other, { target: `${vm}7` }),
      ]),
    ];
  }

  const inward = (to: string, from: string): Promise<TcpConnection> => inet.tcpConnect({ to, from, port: ports.tcp });
  const expectOwner = async (server: string): Promise<void> => {
    for (const { moving, client } of families) {
      for (const over of [overTcp, overUdp]) {
        expect(await over(inet, { to: moving, from: client })).toEqual({ server, client });
      }
    }
  };
  const flowsOf = async (owner: Agent): Promise<TcpConnection[]> =>
    Promise.all(
      families.flatMap(({ moving, client }) => [
        inward(moving, client),
        owner.tcpConnect({ to: client, port: ports.tcp }),
      ]),
    );
  const othersFlows = async (): Promise<TcpConnection[]> => {
    const db = await lab.vm('db');
    return Promise.all(
      families.flatMap(({ other, client }) => [inward(other, client), db.tcpConnect({ to: client, port: ports.tcp })]),
    );
  };
  const alive = (connections: readonly TcpConnection[], timeoutMs?: number): Promise<boolean[]> =>
    Promise.all(connections.map((connection) => connection.isAlive(timeoutMs)));
  const all = (value: boolean): boolean[] => families.flatMap(() => [value, value]);

  it('that rebinds it ends the old owner’s connections at once, and no others', async () => {
    const [old, others] = [await flowsOf(await lab.vm('web')), await othersFlows()];
    const greeted = old.map(({ greeting }) => greeting.server);
    expect(greeted).toEqual(['blue-web', 'inet', 'blue-web', 'inet']);
    await lab.apply(documents('app'));
    expect(await alive(old, silenceMs)).toEqual(all(false));
    expect(await alive(others)).toEqual(all(true));
    await expectOwner('blue-app');
  });

  it('that rebinds it turns a UDP stream to the new owner, without a packet for the old one', async () => {
    const streams = await Promise.all(
      families.map(({ moving, client }) =>
        inet.udpStream({ to: moving, port: ports.udpEcho, from: client, intervalMs: 5 }),
      ),
    );
    const filter = `udp port ${ports.udpEcho}`;
    const before = await Capture.start(lab.tenant.vm('app').namespace, { interface: 'eth0', filter });
    await expectStreams(before);
    await lab.apply(documents('web'));
    const [old, now] = [before, await Capture.start(lab.tenant.vm('web').namespace, { interface: 'eth0', filter })];
    const appliedAt = Date.now();
    await expectStreams(now, appliedAt + 300);
    await now.stop();
    const late = (await old.stop()).filter(({ at, dport }) => at > appliedAt && dport === ports.udpEcho);
    expect(late).toEqual([]);
    for (const stream of streams) expect((await stream.stop()).received).toBeGreaterThan(20);
  });

  /** Both families' datagrams arrive after that moment. */
  async function expectStreams(capture: Capture, after = 0): Promise<void> {
    for (const { client } of families) await capture.waitFor(({ src, at }) => src === client && at > after);
  }

  it('that detaches it ends its connections at once, and leaves the VM without a way out', async () => {
    const old = await flowsOf(await lab.vm('web'));
    await lab.apply(documents(undefined));
    expect(await alive(old, silenceMs)).toEqual(all(false));
    const web = await lab.vm('web');
    for (const { moving, client } of families) {
      expect(await overTcp(inet, { to: moving, timeoutMs: silenceMs })).toEqual(silence);
      expect(await overTcp(web, { to: client, timeoutMs: silenceMs })).toHaveProperty('error');
    }
  });

  it('that attaches it takes in flows that knocked before', async () => {
    const web = await lab.vm('web');
    const knocking = await Promise.all(
      families.flatMap(({ moving, client }) => [
        inet.udpOpen({ to: moving, port: ports.udp, from: client }),
        web.udpOpen({ to: client, port: ports.udp }),
      ]),
    );
    for (const socket of knocking) await socket.send({ payload: 'early' });
    const early = await Promise.allSettled(knocking.map((socket) => socket.receive(silenceMs)));
    expect(early.map(({ status }) => status)).toEqual(Array.from({ length: 4 }, () => 'rejected'));
    await lab.apply(documents('web'));
    for (const [index, socket] of knocking.entries()) {
      await socket.send({ payload: 'late' });
      const { moving, client } = families[index >> 1] as FamilyAddresses;
      const inwards = { server: 'blue-web', remote: { address: client } };
      const outwards = { server: 'inet', remote: { address: moving } };
      expect((await socket.receive()).greeting).toMatchObject(index % 2 === 0 ? inwards : outwards);
    }
    await expectOwner('blue-web');
  });

  it('with a drain time lets the old owner’s connections live for it, and no longer', async () => {
    await lab.apply(documents('web', `${drainMs}ms`));
    const old = await flowsOf(await lab.vm('web'));
    const editedAt = performance.now();
    await lab.apply(documents('app', `${drainMs}ms`));
    expect(await alive(old)).toEqual(all(true));
    await expectOwner('blue-app');
    for (const connection of old) {
      while (await connection.isAlive(silenceMs)) expect(performance.now() - editedAt).toBeLessThan(3 * drainMs);
      expect(performance.now() - editedAt).toBeGreaterThan(drainMs);
    }
    await expectOwner('blue-app');
  });

  it('leaves connections through SNAT alive when a VM gets an elastic IP of its own', async () => {
    const web = await lab.vm('web');
    const nat = [
      elasticIp('nat0', '203.0.113.40'),
      elasticIp('nat1', '2001:db8:e::40'),
      ...families.map(({ prefix }, index) => snatRule(`nat${index}`, [prefix], [`nat${index}`])),
    ];
    await lab.apply([...documents(undefined), ...nat]);
    const before = await Promise.all(families.map(({ client }) => web.tcpConnect({ to: client, port: ports.tcp })));
    expect(before.map(({ greeting }) => greeting.remote.address)).toEqual(['203.0.113.40', '2001:db8:e::40']);
    await lab.apply([...documents('web'), ...nat]);
    expect(await alive(before)).toEqual([true, true]);
    for (const { moving, client } of families) {
      expect(await overTcp(web, { to: client })).toEqual({ server: 'inet', client: moving });
    }
  });
});
