import { beforeAll, describe, expect, it } from 'vitest';
import { Capture } from '../support/capture.js';
import type { Packet } from '../support/capture.js';
import { elasticIp, gateway, snatRule } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { ping } from '../support/ping.js';
import { overTcp, overUdp, silenceMs } from '../support/reach.js';

// Many sources leave by shared elastic IPs: which source by which, from which ports, and none without a rule.

const families = [
  {
    family: 'IPv4',
    eip: (host: number) => `203.0.113.${host}`,
    vpc: { whole: '10.0.0.0/24', part: '10.0.0.64/26', host: '10.0.0.70/32' },
    vm: (host: number) => `10.0.0.${host}`,
    nextHop: '10.0.0.1',
    internet: '198.51.100.1',
    unreachable: 'Destination Net Unreachable',
  },
  {
    family: 'IPv6',
    eip: (host: number) => `2001:db8:e::${host}`,
    // The host part in decimal digits too: ::64 is in ::60/124.
    vpc: { whole: 'fd00:a::/64', part: 'fd00:a::60/123', host: 'fd00:a::70/128' },
    vm: (host: number) => `fd00:a::${host}`,
    nextHop: 'fd00:a::1',
    internet: '2001:db8:1::1',
    unreachable: 'Destination unreachable: No route',
  },
];

describe('SNAT of a dual-stack tenant', () => {
  const lab = useGatewayLab({
    tenants: [
      {
        name: 'blue',
        vms: [
          'web',
          'app',
          {
            name: 'several',
            addresses: families.flatMap(({ vm, family }) =>
              [64, 70].map((host) => `${vm(host)}/${family === 'IPv4' ? 24 : 64}`),
            ),
          },
        ],
      },
    ],
    documents: (tenant) => [
      gateway(tenant),
      ...families.flatMap(({ eip, vpc }, index) => [
        elasticIp(`whole${index}`, eip(20)),
        elasticIp(`part${index}`, eip(21)),
        elasticIp(`host${index}`, eip(22)),
        snatRule(`whole${index}`, [vpc.whole], [`whole${index}`]),
        snatRule(`host${index}`, [vpc.host], [`host${index}`]),
        snatRule(`part${index}`, [vpc.part], [`part${index}`]),
      ]),
    ],
  });

  beforeAll(() => serve(lab.topology.inet));

  describe.each(families)('$family', ({ eip, vm, internet }) => {
    it('lets several VMs leave by one elastic IP, over TCP and UDP, and ping', async () => {
      const capture = await Capture.start(lab.topology.inet.namespace, { interface: 'ext', filter: 'icmp or icmp6' });
      for (const name of ['web', 'app']) {
        for (const over of [overTcp, overUdp]) {
          expect(await over(await lab.vm(name), { to: internet })).toEqual({ server: 'inet', client: eip(20) });
        }
        expect(await ping(lab.tenant.vm(name).namespace, { to: internet })).toEqual({ received: 1, errors: [] });
      }
      const requests = (await capture.stop()).filter(({ icmp }) => icmp?.type === 8 || icmp?.type === 128);
      expect(requests.map(({ src }) => src)).toEqual([eip(20), eip(20)]);
    });

    it('chooses by the most specific source, whatever the order of the rules', async () => {
      const several = await lab.vm('several');
      for (const over of [overTcp, overUdp]) {
        expect(await over(several, { to: internet, from: vm(64) })).toEqual({ server: 'inet', client: eip(21) });
        expect(await over(several, { to: internet, from: vm(70) })).toEqual({ server: 'inet', client: eip(22) });
      }
    });

    it('takes random ports', async () => {
      const web = await lab.vm('web');
      const connections = await web.tcpConnectMany({ targets: [{ to: internet, port: ports.tcp }], count: 64 });
      expect(connections.errors).toEqual([]);
      const opened = connections.outcomes.map((outcome) => {
        if (outcome.error) throw new Error(outcome.error.message);
        return { inside: outcome.local.port, outside: outcome.greeting?.remote.port ?? 0 };
      });
      await connections.close({ reset: true });
      const outside = opened.map((each) => each.outside).sort((a, b) => a - b);
      // Of 64 ports drawn from all, no quarter stays without one (but once in 10^7), and few are neighbours or kept.
      expect(new Set(outside.map((port) => port >> 14)).size).toBe(4);
      expect(outside.filter((port, index) => port - (outside[index - 1] ?? 0) <= 2).length).toBeLessThan(6);
      expect(opened.filter((each) => each.inside === each.outside).length).toBeLessThan(6);
    });
  });

  it('refuses a VM that no rule names, and lets nothing of it out', async () => {
    await lab.apply([
      gateway(lab.tenant),
      ...families.flatMap(({ eip, vpc }, index) => [
        elasticIp(`host${index}`, eip(22)),
        snatRule(`host${index}`, [vpc.host], [`host${index}`]),
      ]),
    ]);
    const capture = await Capture.start(lab.topology.inet.namespace, { interface: 'ext' });
    const app = await lab.vm('app');
    for (const { internet: to, nextHop: from, unreachable: text } of families) {
      expect(await overTcp(app, { to })).toEqual({ error: 'ENETUNREACH' });
      // The kernel grants two such errors at once, then one every two seconds.
      expect(await ping(lab.tenant.vm('app').namespace, { to })).toEqual({ received: 0, errors: [{ from, text }] });
      expect(await overUdp(app, { to, timeoutMs: silenceMs })).toHaveProperty('error');
      expect(await overTcp(await lab.vm('several'), { to, from: familyHost(to) })).toMatchObject({ server: 'inet' });
    }
    const packets = (await capture.stop()).filter((packet) => !isNeighbourhood(packet));
    const allowed = families.flatMap(({ eip, internet }) => [eip(22), internet]);
    expect(packets.length).toBeGreaterThan(0);
    expect(packets.filter(({ src }) => !allowed.includes(src))).toEqual([]);
  });
});

const familyHost = (to: string): string => (to.includes(':') ? 'fd00:a::70' : '10.0.0.70');

/** ARP, neighbour and router discovery, and multicast membership: the links' own. */
function isNeighbourhood({ protocol, icmp }: Packet): boolean {
  return (
    protocol === 'arp' || (protocol === 'icmp6' && icmp !== undefined && [133, 134, 135, 136, 143].includes(icmp.type))
  );
}
