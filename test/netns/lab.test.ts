import { existsSync, readdirSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Agent } from '../support/agent.js';
import { Capture } from '../support/capture.js';
import { sweepDeadRuns } from '../support/cleanup.js';
import { Namespace } from '../support/namespace.js';
import { ping } from '../support/ping.js';
import { currentRun, namespacesOf } from '../support/run-name.js';
import { Topology } from '../support/topology.js';

// The laboratory itself, without the gateway that it is for: rules put in by hand, and every tool on real packets.

const elasticIp = '203.0.113.10';
const snatIp = '203.0.113.20';

async function putGatewayInByHand(gateway: Namespace): Promise<void> {
  await gateway.setSysctls({ 'ipv4/ip_forward': 1, 'ipv6/conf/all/forwarding': 1 });
  await gateway.ip([
    'address add 10.0.0.1/24 dev vpc0',
    'address add fd00:a::1/64 dev vpc0 nodad',
    'address add 100.64.0.11/24 dev ext0',
    'address add 2001:db8:ffff::11/64 dev ext0 nodad',
    'address add fe80::b/64 dev vpc0 nodad',
    'address add fe80::b/64 dev ext0 nodad',
    `address add ${elasticIp}/32 dev ext0`,
    `address add ${snatIp}/32 dev ext0`,
    'route add default via 100.64.0.1',
    'route add default via 2001:db8:ffff::1',
    'route add 10.0.1.0/24 via 10.0.0.254',
  ]);
  const rules = [
    '*nat',
    `-A PREROUTING -d ${elasticIp} -j DNAT --to-destination 10.0.0.5`,
    `-A POSTROUTING -o ext0 -s 10.0.0.5 -j SNAT --to-source ${elasticIp}`,
    `-A POSTROUTING -o ext0 -s 10.0.0.0/23 -j SNAT --to-source ${snatIp}`,
    'COMMIT\n',
  ];
  await gateway.exec(['iptables-restore', '-w'], { stdin: rules.join('\n') });
}

describe('one tenant behind a gateway made by hand', () => {
  let lab: Topology;
  let gateway: Namespace;
  let inet: Agent;
  let web: Agent;

  beforeAll(async () => {
    lab = await Topology.build({
      tenants: [{ name: 'blue', vms: ['web', 'app'], vpcMtu: 1400, router: true }],
      // The VPC's IPv6 has no public address here: the internet is told the way, as for a routed prefix.
      routes: [{ destination: 'fd00:a::/64', via: '2001:db8:ffff::11' }],
      farMtu: 1300,
    });
    gateway = lab.tenant('blue').gateway;
    await putGatewayInByHand(gateway);
    [inet, web] = await Promise.all([lab.inet.agent(), lab.tenant('blue').vm('web').agent()]);
    await inet.tcpServer({ port: 80 });
    await web.tcpServer({ port: 80 });
    await web.udpServer({ port: 53, address: '10.0.0.5', mode: 'whoami' });
    await inet.udpServer({ port: 7, address: '198.51.100.1' });
    await inet.udpServer({ port: 53, address: '198.51.100.1', mode: 'whoami' });
  });

  afterAll(() => lab?.destroy());

  it('tells both ends of a TCP connection through DNAT, and that it lives', async () => {
    const connection = await inet.tcpConnect({ to: elasticIp, port: 80, from: '198.51.100.3', localPort: 40_001 });
    const client = { address: '198.51.100.3', port: 40_001 };
    expect(connection.local).toEqual(client);
    expect(connection.greeting).toEqual({
      server: 'blue-web',
      local: { address: '10.0.0.5', port: 80 },
      remote: client,
    });
    await connection.send('hello\n');
    expect(await connection.receiveLine()).toBe('hello');
    expect(await connection.isAlive()).toBe(true);
    await gateway.exec(['iptables', '-I', 'FORWARD', '-p', 'tcp', '-j', 'DROP']);
    expect(await connection.isAlive(200)).toBe(false);
    await gateway.exec(['iptables', '-D', 'FORWARD', '-p', 'tcp', '-j', 'DROP']);
    expect(await connection.isAlive()).toBe(true);
    await connection.close({ reset: true });
  });

  it('names what went wrong', async () => {
    await expect(inet.tcpConnect({ to: elasticIp, port: 81 })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await expect(inet.udpExchange({ to: elasticIp, port: 81 })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await gateway.exec(['iptables', '-I', 'FORWARD', '-p', 'tcp', '--dport', '82', '-j', 'DROP']);
    const silent = inet.tcpConnect({ to: elasticIp, port: 82, timeoutMs: 100 });
    await expect(silent).rejects.toMatchObject({ code: 'TIMEOUT' });
    await expect(inet.tcpConnect({ to: '192.0.2.1', port: 80 })).rejects.toMatchObject({ code: 'ENETUNREACH' });
  });

  it('goes out by SNAT, from every VM and from behind the router, TCP and UDP', async () => {
    for (const [name, address] of [
      ['web', elasticIp],
      ['app', snatIp],
      ['behind', snatIp],
    ] as const) {
      const vm = await lab.tenant('blue').vm(name).agent();
      const connection = await vm.tcpConnect({ to: '198.51.100.1', port: 80 });
      expect(connection.greeting).toMatchObject({ server: 'inet', remote: { address } });
      const reply = await vm.udpExchange({ to: '198.51.100.1', port: 53, payload: 'who' });
      expect(reply.greeting).toMatchObject({ server: 'inet', remote: { address }, bytes: 3 });
    }
  });

  it('speaks IPv6 alike', async () => {
    await web.udpServer({ port: 53, address: 'fd00:a::5', mode: 'whoami' });
    const connection = await inet.tcpConnect({ to: 'fd00:a::5', port: 80, from: '2001:db8:1::1' });
    expect(connection.greeting).toMatchObject({ server: 'blue-web', remote: { address: '2001:db8:1::1' } });
    const reply = await inet.udpExchange({ to: 'fd00:a::5', port: 53, from: '2001:db8:1::1', payload: 'who' });
    expect(reply.greeting).toMatchObject({ server: 'blue-web', local: { address: 'fd00:a::5' } });
  });

  it('opens many connections at once and finds them alive', async () => {
    const targets = [1, 2, 3, 4].map((host) => ({ to: elasticIp, port: 80, from: `198.51.100.${host}` }));
    const connections = await inet.tcpConnectMany({ targets, count: 75 });
    expect(connections.errors).toEqual([]);
    expect(connections.greetings.filter(({ remote }) => remote.address === '198.51.100.4')).toHaveLength(75);
    expect(new Set(connections.greetings.map(({ remote }) => `${remote.address} ${remote.port}`)).size).toBe(300);
    expect(await connections.countAlive()).toBe(300);
    await connections.close({ reset: true });
  });

  it('sends from many UDP ports', async () => {
    const replies = await inet.udpExchangeMany({ to: elasticIp, port: 53, payload: 'who', count: 200 });
    expect(new Set(replies.map((reply) => !reply.error && reply.greeting?.remote.port)).size).toBe(200);
  });

  it('compares what was sent and received, both ways at once and each way', async () => {
    await web.tcpServer({ port: 5001, mode: 'sink' });
    await web.tcpServer({ port: 5002, mode: 'source', bytes: 5_000_000 });
    const both = await inet.transfer({ to: elasticIp, port: 80, bytes: 10_000_000 });
    expect(both).toMatchObject({ intact: true, received: { bytes: 10_000_000 } });
    expect(await inet.transfer({ to: elasticIp, port: 5001, bytes: 5_000_000, direction: 'up' })).toMatchObject({
      intact: true,
      sent: { bytes: 5_000_000 },
    });
    expect(await inet.transfer({ to: elasticIp, port: 5002, bytes: 0, direction: 'down' })).toMatchObject({
      intact: true,
      received: { bytes: 5_000_000 },
    });
  });

  it('measures the gap in a UDP stream', async () => {
    const stream = await web.udpStream({ to: '198.51.100.1', port: 7, intervalMs: 5 });
    const socket = await web.udpOpen({ to: '198.51.100.1', port: 7 });
    await socket.send({ payload: 'one' });
    expect(await socket.receive()).toMatchObject({ text: 'one', local: socket.local });
    const cut = ['FORWARD', '-p', 'udp', '-i', 'vpc0', '-j', 'DROP'];
    await gateway.exec(['iptables', '-I', ...cut]);
    await socket.send({ payload: 'two' });
    await expect(socket.receive(100)).rejects.toMatchObject({ code: 'TIMEOUT' });
    await gateway.exec(['iptables', '-D', ...cut]);
    await socket.send({ payload: 'three' });
    expect(await socket.receive()).toMatchObject({ text: 'three' });
    const report = await stream.stop();
    expect(report.lost.length).toBe(report.sent - report.received);
    expect(report.lost.length).toBeGreaterThan(10);
    expect(report.longestGapMs).toBeGreaterThan(100);
    expect(report).toMatchObject({ duplicates: 0, errors: {} });
  });

  it('hears of a narrow link by ICMP, translated back, and of a TTL that ran out', async () => {
    const far = await lab.far.agent();
    const { address } = lab.far;
    await far.udpServer({ port: 7, address });
    await expect(web.udpExchange({ to: address, port: 7, bytes: 1372 })).rejects.toMatchObject({ code: 'EMSGSIZE' });
    expect(await web.udpExchange({ to: address, port: 7, bytes: 1372 })).toMatchObject({ bytes: 1372 });
    const vm = lab.tenant('blue').vm('app').namespace;
    expect((await ping(vm, { to: address })).received).toBe(1);
    expect((await ping(vm, { to: address, ttl: 1 })).errors[0]?.from).toBe('10.0.0.1');
    expect((await ping(vm, { to: address, ttl: 2 })).errors[0]?.from).toBe('100.64.0.1');
    expect((await ping(vm, { to: address, bytes: 1300, df: true })).errors[0]?.text).toContain('mtu = 1300');
  });

  it('captures what crossed a link, all of it, decoded', async () => {
    const capture = await Capture.start(gateway, { interface: 'ext0', filter: 'tcp port 80 or icmp or arp' });
    const connection = await web.tcpConnect({ to: '198.51.100.2', port: 80 });
    await ping(lab.inet.namespace, { to: elasticIp, bytes: 10 });
    const { local } = connection;
    await connection.close({ reset: true });
    const syn = await capture.waitFor(({ flags }) => flags === 'S');
    expect(syn).toMatchObject({ protocol: 'tcp', src: elasticIp, sport: local.port, dst: '198.51.100.2', dport: 80 });
    // One less than the VM sent it with, from a link of 1400.
    expect(syn).toMatchObject({ ttl: 63, df: true, mss: 1360 });
    const packets = await capture.stop();
    const flags = packets.filter(({ protocol }) => protocol === 'tcp').map((packet) => packet.flags);
    expect(flags.slice(0, 2)).toEqual(['S', 'SA']);
    expect(flags.at(-1)).toMatch(/R/);
    expect(packets.filter(({ icmp }) => icmp?.type === 8)).toMatchObject([
      { src: '100.64.0.1', dst: elasticIp, length: 38 },
    ]);
    expect(packets.filter(({ src }) => src.startsWith('10.'))).toEqual([]);
  });

  it('catches an untranslated packet, so that catching none means something', async () => {
    const capture = await Capture.start(gateway, { interface: 'ext0', filter: 'src net 10.0.0.0/8' });
    await gateway.exec(['iptables', '-t', 'nat', '-I', 'POSTROUTING', '-p', 'udp', '--dport', '99', '-j', 'ACCEPT']);
    await expect(web.udpExchange({ to: '198.51.100.1', port: 99, timeoutMs: 100 })).rejects.toThrow();
    expect(await capture.stop()).toMatchObject([{ protocol: 'udp', src: '10.0.0.5', dport: 99 }]);
  });
});

describe('two externals', () => {
  it('have routers that know each other, so that either is reached through the other', async () => {
    const lab = await Topology.build({ tenants: [{ name: 'green', vms: ['web'] }], secondExternal: true });
    try {
      const { gateway, secondExternalAddresses } = lab.tenant('green');
      await gateway.ip(secondExternalAddresses.map((address) => `address add ${address} dev ext1`));
      for (const to of ['198.19.0.1', '2001:db8:2::1']) {
        expect(await ping(lab.inet.namespace, { to })).toEqual({ received: 1, errors: [] });
      }
      expect(await ping(lab.inet2.namespace, { to: '100.65.0.11' })).toMatchObject({ received: 1 });
    } finally {
      lab.destroy();
    }
  });
});

describe('what a lab leaves behind', () => {
  it('is nothing after destroy, whatever still ran inside', async () => {
    const lab = await Topology.build({ tenants: [{ name: 'green', vms: ['web'] }] });
    const agent = await lab.tenant('green').vm('web').agent();
    const sleeper = lab.inet.namespace.spawn(['sleep', '1000'], { stdio: 'ignore' });
    const ended = once(sleeper, 'exit');
    lab.destroy();
    await ended;
    expect(namespacesOf(currentRun().prefix)).toEqual([]);
    await expect(agent.tcpServer({ port: 1 })).rejects.toThrow('ended');
  });

  it.each(['SIGTERM', 'SIGINT', 'exit', 'throw'])('is nothing after %s', async (end) => {
    const { prefix, directory } = await abandonedRun(end);
    expect(namespacesOf(prefix)).toEqual([]);
    expect(existsSync(directory)).toBe(false);
  });

  it('is swept by the next run after SIGKILL', async () => {
    const { prefix, directory } = await abandonedRun('SIGKILL');
    expect(namespacesOf(prefix)).toHaveLength(1);
    sweepDeadRuns();
    expect(namespacesOf(prefix)).toEqual([]);
    expect(existsSync(directory)).toBe(false);
    expect(readdirSync('/run/vpcgw-lab').length).toBeGreaterThan(0);
  });
});

/** Another process builds something and ends in this way; returns when it has. */
async function abandonedRun(end: string): Promise<{ prefix: string; directory: string }> {
  const script = fileURLToPath(new URL('../support/abandoned-run.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, end], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const ended = once(child, 'exit');
  if (end.startsWith('SIG')) child.kill(end as NodeJS.Signals);
  await ended;
  return JSON.parse(line.toString()) as { prefix: string; directory: string };
}
