import { beforeAll, describe, expect, it } from 'vitest';
import { Capture } from '../support/capture.js';
import { dnatRule, elasticIp, gateway, prefixesBehindRouter, snatRule } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { ping } from '../support/ping.js';

// Time exceeded, hop by hop: a VM sees the way out, the outside sees the way in, and no address of the VPC.

const families = [
  {
    family: 'IPv4',
    eip: (host: number) => `203.0.113.${host}`,
    web: '10.0.0.5',
    behind: '10.0.1.5',
    prefixes: ['10.0.0.0/24', '10.0.1.0/24'],
    far: '198.51.100.66',
    outward: ['10.0.0.1', '100.64.0.1'],
    upstream: '198.51.100.65',
    echo: 8,
    exceeded: 11,
  },
  {
    family: 'IPv6',
    eip: (host: number) => `2001:db8:e::${host}`,
    web: 'fd00:a::5',
    behind: 'fd00:a:1::5',
    prefixes: ['fd00:a::/64', 'fd00:a:1::/64'],
    far: '2001:db8:f::2',
    outward: ['fd00:a::1', '2001:db8:ffff::1'],
    upstream: '2001:db8:f::1',
    echo: 128,
    exceeded: 3,
  },
];

describe('traceroute', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app'], router: true }],
    farMtu: 1500,
    // web is bound 1:1, so is the host behind the router; all others leave by SNAT, and DNAT leads behind the router too.
    documents: (tenant) => [
      gateway(tenant, { prefixes: prefixesBehindRouter }),
      ...families.flatMap(({ eip, web, behind, prefixes }, family) => [
        elasticIp(`web${family}`, eip(10), { target: web }),
        elasticIp(`behind${family}`, eip(11), { target: behind }),
        elasticIp(`nat${family}`, eip(20)),
        snatRule(`all${family}`, prefixes, [`nat${family}`]),
        dnatRule(`ping${family}`, { elasticIP: `nat${family}`, protocol: 'ICMP', target: behind }),
        dnatRule(`dns${family}`, { elasticIP: `nat${family}`, protocol: 'UDP', port: ports.udp, target: behind }),
      ]),
    ],
  });
  beforeAll(() => serve(lab.topology.far, lab.tenant.vm('behind')));

  describe.each(families)('$family', ({ eip, behind, far, outward, upstream, echo, exceeded }) => {
    it.each(['web', 'app'])('shows %s the way out', async (name) => {
      const { namespace } = lab.tenant.vm(name);
      for (const [hop, from] of outward.entries()) {
        const report = await ping(namespace, { to: far, ttl: hop + 1 });
        expect(report.errors.map((error) => error.from)).toEqual([from]);
      }
      expect(await ping(namespace, { to: far, ttl: outward.length + 1 })).toEqual({ received: 1, errors: [] });
    });

    it('tells the VM which packet it was, with the VM’s own address', async () => {
      for (const [name, address] of [
        ['web', lab.tenant.vm('web').addresses],
        ['app', lab.tenant.vm('app').addresses],
      ] as const) {
        const capture = await Capture.start(lab.tenant.vm(name).namespace, {
          interface: 'eth0',
          filter: 'icmp or icmp6',
        });
        const socket = await (await lab.vm(name)).udpOpen({ to: far, port: ports.udp, ttl: 2 });
        await socket.send({ payload: 'who' });
        const packet = await capture.waitFor(({ icmp }) => icmp?.type === exceeded);
        await capture.stop();
        expect(packet.src).toBe(outward[1]);
        expect(address).toContain(packet.icmp?.about?.src);
        expect(packet.icmp?.about).toMatchObject({ dst: far, sport: socket.local.port, dport: ports.udp });
      }
    });

    it.each([
      { what: 'a 1:1 address', host: 10, hops: 2 },
      { what: 'a 1:1 address behind the VPC router', host: 11, hops: 3 },
      { what: 'a forwarded ping behind the VPC router', host: 20, hops: 3 },
    ])('shows the outside the way to $what', async ({ host, hops }) => {
      const { namespace } = lab.topology.far;
      const to = eip(host);
      const capture = await Capture.start(namespace, { interface: 'eth0', filter: 'icmp or icmp6' });
      // The gateway and the VPC router speak as the elastic IP: their own addresses are nobody's business.
      const expected = [upstream, to, to].slice(0, hops);
      for (const [hop, from] of expected.entries()) {
        const report = await ping(namespace, { to, ttl: hop + 1 });
        expect(report.errors.map((error) => error.from)).toEqual([from]);
      }
      expect(await ping(namespace, { to, ttl: hops + 1 })).toEqual({ received: 1, errors: [] });
      const packets = await capture.stop();
      expect(packets.filter(({ icmp }) => icmp?.type === echo)).toHaveLength(hops + 1);
      expect(packets.filter(({ src }) => isOfVpc(src))).toEqual([]);
      const about = packets.flatMap(({ icmp }) => (icmp?.type === exceeded ? icmp.about?.dst : []));
      expect(about).toEqual(expected.map(() => to));
    });

    it('names the public address and port of a forwarded port', async () => {
      const capture = await Capture.start(lab.topology.far.namespace, { interface: 'eth0', filter: 'icmp or icmp6' });
      const agent = await lab.topology.far.agent();
      const socket = await agent.udpOpen({ to: eip(20), port: ports.udp, ttl: 3 });
      await socket.send({ payload: 'who' });
      const packet = await capture.waitFor(({ icmp }) => icmp?.type === exceeded);
      await capture.stop();
      expect(packet.src).toBe(eip(20));
      expect(packet.icmp?.about).toMatchObject({ protocol: 'udp', src: far, dst: eip(20), dport: ports.udp });
      const answered = await agent.udpExchange({ to: eip(20), port: ports.udp, ttl: 4, payload: 'who' });
      expect(answered.greeting).toMatchObject({ server: 'blue-behind', local: { address: behind } });
    });
  });
});

function isOfVpc(address: string): boolean {
  return address.startsWith('10.') || address.startsWith('fd00:');
}
