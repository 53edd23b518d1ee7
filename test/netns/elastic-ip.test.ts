import { beforeAll, describe, expect, it } from 'vitest';
import { Capture } from '../support/capture.js';
import { elasticIp, gateway } from '../support/documents.js';
import { serve, useGatewayLab } from '../support/gateway-lab.js';
import type { GatewayLab } from '../support/gateway-lab.js';
import { ping } from '../support/ping.js';
import { overTcp, overUdp, silence, silenceMs } from '../support/reach.js';

// An elastic IP in its three states: bound 1:1, held without a target, routed to the gateway.

const families = [
  {
    family: 'IPv4',
    bound: '203.0.113.10',
    held: '203.0.113.20',
    routed: '203.0.113.30',
    web: '10.0.0.5',
    app: '10.0.0.6',
    client: '198.51.100.1',
    own: '100.64.0.11',
  },
  {
    family: 'IPv6',
    bound: '2001:db8:e::10',
    held: '2001:db8:e::20',
    routed: '2001:db8:e::30',
    web: 'fd00:a::5',
    app: 'fd00:a::6',
    client: '2001:db8:1::1',
    own: '2001:db8:ffff::11',
  },
];

describe('an elastic IP of a dual-stack tenant', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app'] }],
    documents: (tenant) => [
      gateway(tenant),
      ...families.flatMap(({ family, bound, held, routed, web, app }) => [
        elasticIp(`bound-${family.toLowerCase()}`, bound, { target: web }),
        elasticIp(`held-${family.toLowerCase()}`, held),
        elasticIp(`routed-${family.toLowerCase()}`, routed, { announcement: 'Routed', target: app }),
      ]),
    ],
  });
  beforeAll(() => serve(lab.topology.inet, lab.tenant.vm('web'), lab.tenant.vm('app')));
  describe.each(families)('$family', (addresses) => tests(lab, addresses));
});

function tests(lab: GatewayLab, { bound, held, routed, web: vm, client, own }: (typeof families)[number]): void {
  it('is the one public address of its VM, inward and outward, over TCP and UDP', async () => {
    const [inet, web] = [await lab.inet(), await lab.vm('web')];
    for (const over of [overTcp, overUdp]) {
      expect(await over(inet, { to: bound, from: client })).toEqual({ server: 'blue-web', client });
      expect(await over(web, { to: client })).toEqual({ server: 'inet', client: bound });
    }
  });

  it('is the one public address of its VM for ping too', async () => {
    const [inet, web] = [lab.topology.inet.namespace, lab.tenant.vm('web').namespace];
    const [outside, inside] = await Promise.all([
      Capture.start(inet, { interface: 'ext', filter: 'icmp or icmp6' }),
      Capture.start(web, { interface: 'eth0', filter: 'icmp or icmp6' }),
    ]);
    expect(await ping(inet, { to: bound, from: client })).toEqual({ received: 1, errors: [] });
    expect(await ping(web, { to: client })).toEqual({ received: 1, errors: [] });
    const echoes = ({ icmp }: { icmp?: { type: number } }) => icmp !== undefined && [8, 128].includes(icmp.type);
    expect((await inside.stop()).filter(echoes)).toMatchObject([
      { src: client, dst: vm },
      { src: vm, dst: client },
    ]);
    expect((await outside.stop()).filter(echoes)).toMatchObject([
      { src: client, dst: bound },
      { src: bound, dst: client },
    ]);
  });

  it('passes on that its VM refuses a port', async () => {
    const inet = await lab.inet();
    expect(await overTcp(inet, { to: bound, port: 81 })).toEqual({ error: 'ECONNREFUSED' });
    expect(await overUdp(inet, { to: bound, port: 81 })).toEqual({ error: 'ECONNREFUSED' });
  });

  it('without a target is found by its neighbours and answers nothing', async () => {
    const inet = await lab.inet();
    const capture = await Capture.start(lab.topology.inet.namespace, { interface: 'ext' });
    const timeoutMs = silenceMs;
    const attempts = [80, 9].flatMap((port) =>
      [overTcp, overUdp].map((over) => over(inet, { to: held, port, timeoutMs })),
    );
    const pings = ping(lab.topology.inet.namespace, { to: held, timeoutMs });
    expect(await Promise.all(attempts)).toEqual([silence, silence, silence, silence]);
    expect(await pings).toEqual({ received: 0, errors: [] });
    const packets = await capture.stop();
    expect(packets.some((packet) => announces(packet, held))).toBe(true);
    expect(packets.some(({ dst, flags }) => dst === held && flags === 'S')).toBe(true);
    const answers = packets.filter((packet) => packet.src === held && !announces(packet, held));
    expect(answers).toEqual([]);
    expect(packets.filter(({ src, icmp }) => src === own && icmp?.about !== undefined)).toEqual([]);
  });

  it('routed is not announced, and is reached by a route to the gateway', async () => {
    const inet = lab.topology.inet.namespace;
    const capture = await Capture.start(inet, { interface: 'ext', filter: 'arp or icmp6' });
    expect(await ping(inet, { to: routed, timeoutMs: silenceMs })).toMatchObject({ received: 0 });
    await inet.ip([`route add ${routed} via ${own}`]);
    const reached = { server: 'blue-app', client };
    expect(await overTcp(await lab.inet(), { to: routed, from: client })).toEqual(reached);
    expect(await overUdp(await lab.inet(), { to: routed, from: client })).toEqual(reached);
    expect(await overTcp(await lab.vm('app'), { to: client })).toEqual({ server: 'inet', client: routed });
    const packets = await capture.stop();
    expect(packets.some((packet) => asksFor(packet, routed))).toBe(true);
    expect(packets.filter((packet) => announces(packet, routed))).toEqual([]);
  });
}

type Captured = Capture['packets'][number];

function announces({ arp, src, icmp }: Captured, address: string): boolean {
  return (arp === 'reply' && src === address) || (icmp?.type === 136 && icmp.target === address);
}

function asksFor({ arp, dst, icmp }: Captured, address: string): boolean {
  return (arp === 'request' && dst === address) || (icmp?.type === 135 && icmp.target === address);
}
