import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptConnections, connectTimes } from '../bench/connect-latency.js';
import { iperfServer, throughput } from '../bench/iperf.js';
import { Namespace } from '../support/namespace.js';

// What the benches measure with, on the shortest path there is: does a known difference show?

const quick = '10.9.0.2';
const slow = '10.9.0.3';
const uselessRules = 2_000;

describe('the benches’ tools', () => {
  let client: Namespace;
  let server: Namespace;

  beforeAll(async () => {
    [client, server] = (await Namespace.createAll(['client', 'server'])) as [Namespace, Namespace];
    await client.ip([
      `link add eth0 type veth peer name eth0 netns ${server.name}`,
      'link set eth0 up',
      'address add 10.9.0.1/24 dev eth0',
      'address add fd00:9::1/64 dev eth0 nodad',
    ]);
    const addresses = [`${quick}/24`, `${slow}/24`, 'fd00:9::2/64 nodad'];
    await server.ip(['link set eth0 up', ...addresses.map((address) => `address add ${address} dev eth0`)]);
    await acceptConnections(server, 7000);
    await iperfServer(server);
  });

  afterAll(() => Namespace.deleteAll([client, server]));

  it('time connect() on two paths in turn, and tell the slow one', async () => {
    const useless = Array.from({ length: uselessRules }, (_, rule) => `-A SLOW -s 172.16.${rule >> 8}.${rule & 255}`);
    const rules = ['*filter', ':SLOW -', `-A INPUT -d ${slow} -j SLOW`, ...useless, 'COMMIT\n'];
    await server.exec(['iptables-restore', '-w'], { stdin: rules.join('\n') });
    const paths = { quick: [quick, 'fd00:9::2'], slow: [slow] };
    const times = await connectTimes(client, { port: 7000, count: 500, paths });
    expect(times.get('quick')?.all).toHaveLength(500);
    expect([...(times.get('quick')?.p50ByAddress.keys() ?? [])]).toEqual([quick, 'fd00:9::2']);
    expect(times.get('slow')?.p50).toBeGreaterThan(times.get('quick')?.p50 ?? Infinity);
  });

  it('measure throughput both ways', async () => {
    expect(await throughput(client, { to: quick })).toBeGreaterThan(1e8);
    expect(await throughput(client, { to: quick, reverse: true, streams: 2 })).toBeGreaterThan(1e8);
  });

  it('say what went wrong', async () => {
    await expect(throughput(client, { to: slow, port: 1 })).rejects.toThrow('refused');
    await expect(connectTimes(client, { port: 1, count: 1, paths: { quick: [quick] } })).rejects.toThrow('refused');
  });
});
