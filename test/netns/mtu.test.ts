import { beforeAll, describe, expect, it } from 'vitest';
import type { Agent } from '../support/agent.js';
import { Capture } from '../support/capture.js';
import type { Packet } from '../support/capture.js';
import { dnatRule, elasticIp, gateway, snatRule } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import type { GatewayLab } from '../support/gateway-lab.js';
import { silenceMs } from '../support/reach.js';

// Links of different sizes: segments are clamped, and what a narrow link says comes through every kind of NAT.

const families = [
  {
    family: 'IPv4',
    eip: (host: number) => `203.0.113.${host}`,
    vm: (host: number) => `10.0.0.${host}`,
    source: '10.0.0.0/24',
    inet: '198.51.100.1',
    far: '198.51.100.66',
    headers: { tcp: 40, udp: 28 },
    tooBig: { type: 3, code: 4 },
  },
  {
    family: 'IPv6',
    eip: (host: number) => `2001:db8:e::${host}`,
    vm: (host: number) => `fd00:a::${host}`,
    source: 'fd00:a::/64',
    inet: '2001:db8:1::1',
    far: '2001:db8:f::2',
    headers: { tcp: 60, udp: 48 },
    tooBig: { type: 2, code: 0 },
  },
];
type Addresses = (typeof families)[number];

const megabytes = 1_000_000;

/** web is bound 1:1; app leaves by SNAT and is reached by DNAT. */
const documents = families.flatMap(({ eip, vm, source }, family) => [
  elasticIp(`web${family}`, eip(10), { target: vm(5) }),
  elasticIp(`nat${family}`, eip(20)),
  snatRule(`all${family}`, [source], [`nat${family}`]),
  ...(['TCP', 'UDP'] as const).map((protocol) =>
    dnatRule(`${protocol.toLowerCase()}${family}`, {
      elasticIP: `nat${family}`,
      protocol,
      port: 1,
      endPort: 999,
      target: vm(6),
    }),
  ),
]);

const vmLinks = [
  { kind: 'a 1:1 address', name: 'web', host: 10 },
  { kind: 'SNAT and DNAT', name: 'app', host: 20 },
];

describe('a VPC of 1400, an outside of 1500, a narrow link of 1300 behind', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app'], vpcMtu: 1400 }],
    farMtu: 1300,
    documents: (tenant) => [gateway(tenant), ...documents],
  });
  beforeAll(() => serve(lab.topology.inet, lab.topology.far, ...['web', 'app'].map((name) => lab.tenant.vm(name))));

  describe.each(families)('$family', (addresses) => {
    describe.each(vmLinks)('through $kind', ({ name, host }) => {
      const { eip, vm, inet, far, headers, tooBig } = addresses;
      const address = vm(name === 'web' ? 5 : 6);

      it('clamps segments both ways', () => expectClamped(lab, name, { addresses, host, mss: 1400 - headers.tcp }));

      it('carries 10 MB each way intact', () => expectIntact(lab, name, addresses, eip(host)));

      it('tells the VM of a narrow link outside, with its own address', async () => {
        const capture = await Capture.start(lab.tenant.vm(name).namespace, {
          interface: 'eth0',
          filter: 'icmp or icmp6',
        });
        const agent = await lab.vm(name);
        const datagram = { to: far, port: ports.udpEcho, bytes: 1400 - headers.udp };
        await expect(agent.udpExchange(datagram)).rejects.toMatchObject({ code: 'EMSGSIZE' });
        const { icmp } = await capture.waitFor((packet) => isError(packet, tooBig));
        expect(icmp).toMatchObject({
          mtu: 1300,
          about: { protocol: 'udp', src: address, dst: far, dport: ports.udpEcho },
        });
        await capture.stop();
        // The VM has learnt, and fragments.
        expect(await agent.udpExchange(datagram)).toMatchObject({ bytes: datagram.bytes });
      });

      it('tells a host outside of the narrower VPC, with the public address', async () => {
        const capture = await Capture.start(lab.topology.inet.namespace, { interface: 'ext', filter: 'icmp or icmp6' });
        const agent = await lab.inet();
        const datagram = { to: eip(host), from: inet, port: ports.udpEcho, bytes: 1500 - headers.udp };
        await expect(agent.udpExchange(datagram)).rejects.toMatchObject({ code: 'EMSGSIZE' });
        const packet = await capture.waitFor((candidate) => isError(candidate, tooBig));
        expect(packet.icmp).toMatchObject({ mtu: 1400, about: { protocol: 'udp', src: inet, dst: eip(host) } });
        await capture.stop();
        expect(isOfVpc(packet.src)).toBe(false);
        expect(await agent.udpExchange(datagram)).toMatchObject({ bytes: datagram.bytes });
      });

      it('tells the VM of a narrow link that its answer did not fit', async () => {
        const { namespace } = lab.tenant.vm(name);
        for (const family of ['-4', '-6']) await namespace.exec(['ip', family, 'route', 'flush', 'cache']);
        const capture = await Capture.start(namespace, { interface: 'eth0', filter: 'icmp or icmp6' });
        const client = await lab.topology.far.agent();
        const datagram = { to: eip(host), port: ports.udpEcho, bytes: 1380 - headers.udp };
        await expect(client.udpExchange({ ...datagram, timeoutMs: silenceMs })).rejects.toThrow('TIMEOUT');
        const { icmp } = await capture.waitFor((packet) => isError(packet, tooBig));
        expect(icmp).toMatchObject({
          mtu: 1300,
          about: { protocol: 'udp', src: address, dst: far, sport: ports.udpEcho },
        });
        await capture.stop();
        expect(await client.udpExchange(datagram)).toMatchObject({ bytes: datagram.bytes });
      });
    });
  });
});

describe('a VPC of 1500, an outside of 1300', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app'] }],
    prepare: async ({ inet, tenants: [blue] }) => {
      await inet.namespace.ip(['link set ext mtu 1300']);
      await blue?.gateway.ip(['link set ext0 mtu 1300']);
    },
    documents: (tenant) => [gateway(tenant), ...documents],
  });
  beforeAll(() => serve(lab.topology.inet, ...['web', 'app'].map((name) => lab.tenant.vm(name))));

  describe.each(families)('$family', (addresses) => {
    it.each(vmLinks)('clamps and carries through $kind', async ({ name, host }) => {
      await expectClamped(lab, name, { addresses, host, mss: 1300 - addresses.headers.tcp });
      await expectIntact(lab, name, addresses, addresses.eip(host));
    });

    it.each(vmLinks)('tells the VM of the narrow outside, through $kind', async ({ name }) => {
      const { inet, headers } = addresses;
      const agent = await lab.vm(name);
      const datagram = { to: inet, port: ports.udpEcho, bytes: 1500 - headers.udp };
      await expect(agent.udpExchange(datagram)).rejects.toMatchObject({ code: 'EMSGSIZE' });
      expect(await agent.udpExchange(datagram)).toMatchObject({ bytes: datagram.bytes });
    });
  });
});

interface Clamped {
  addresses: Addresses;
  host: number;
  mss: number;
}

/** In a SYN and its answer, inward and outward, on the side that receives them. */
async function expectClamped(lab: GatewayLab, name: string, { addresses, host, mss }: Clamped): Promise<void> {
  const { eip, inet: from } = addresses;
  const filter = `port ${ports.tcp}`;
  const inside = await Capture.start(lab.tenant.vm(name).namespace, { interface: 'eth0', filter });
  const outside = await Capture.start(lab.topology.inet.namespace, { interface: 'ext', filter });
  const [inet, vm]: [Agent, Agent] = [await lab.inet(), await lab.vm(name)];
  await (await inet.tcpConnect({ to: eip(host), from, port: ports.tcp })).close({ reset: true });
  await (await vm.tcpConnect({ to: from, port: ports.tcp })).close({ reset: true });
  const offered = (packets: Packet[], sender: (packet: Packet) => boolean) =>
    packets.filter((packet) => packet.mss !== undefined && sender(packet)).map(({ flags, mss: size }) => [flags, size]);
  expect(offered(await inside.stop(), ({ src }) => src === from)).toEqual([
    ['S', mss],
    ['SA', mss],
  ]);
  expect(offered(await outside.stop(), ({ src }) => src === eip(host))).toEqual([
    ['SA', mss],
    ['S', mss],
  ]);
}

async function expectIntact(lab: GatewayLab, name: string, { inet }: Addresses, eip: string): Promise<void> {
  const bytes = 10 * megabytes;
  const transfers = [
    await (await lab.inet()).transfer({ to: eip, from: inet, port: ports.tcp, bytes, timeoutMs: 30_000 }),
    await (await lab.vm(name)).transfer({ to: inet, port: ports.tcp, bytes, timeoutMs: 30_000 }),
  ];
  for (const report of transfers) expect(report).toMatchObject({ intact: true, received: { bytes } });
}

function isError({ icmp }: Packet, { type, code }: { type: number; code: number }): boolean {
  return icmp?.type === type && icmp.code === code && icmp.about !== undefined;
}

function isOfVpc(address: string): boolean {
  return address.startsWith('10.') || address.startsWith('fd00:');
}
