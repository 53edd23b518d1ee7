import { beforeAll, describe, expect, it } from 'vitest';
import { Capture } from '../support/capture.js';
import { dnatRule, elasticIp, gateway, ipv6Prefix, snatRule } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { ping } from '../support/ping.js';
import { overTcp, overUdp } from '../support/reach.js';

// A VM reaches a VM of its own subnet, or itself, by a public address: through the gateway both ways, and as whom.

const families = [
  {
    family: 'IPv4',
    eip: (host: number) => `203.0.113.${host}`,
    vm: (host: number) => `10.0.0.${host}`,
    host: 32,
    nextHop: '10.0.0.1',
  },
  {
    family: 'IPv6',
    eip: (host: number) => `2001:db8:e::${host}`,
    vm: (host: number) => `fd00:a::${host}`,
    host: 128,
    nextHop: 'fd00:a::1',
  },
];

describe('hairpin of a dual-stack tenant', () => {
  const lab = useGatewayLab({
    // web has an elastic IP, app leaves by SNAT, bare has neither.
    tenants: [{ name: 'blue', vms: ['web', 'app', 'bare'] }],
    documents: (tenant) => [
      gateway(tenant),
      ...families.flatMap(({ eip, vm, host }, family) => [
        elasticIp(`web${family}`, eip(10), { target: vm(5) }),
        elasticIp(`nat${family}`, eip(20)),
        snatRule(`app${family}`, [`${vm(6)}/${host}`], [`nat${family}`]),
        dnatRule(`tcp${family}`, {
          elasticIP: `nat${family}`,
          protocol: 'TCP',
          port: 8080,
          target: vm(6),
          targetPort: ports.tcp,
        }),
        dnatRule(`udp${family}`, {
          elasticIP: `nat${family}`,
          protocol: 'UDP',
          port: 8053,
          target: vm(6),
          targetPort: ports.udp,
        }),
      ]),
    ],
  });

  beforeAll(() => serve(...['web', 'app', 'bare'].map((name) => lab.tenant.vm(name))));

  describe.each(families)('$family', ({ eip, vm, nextHop }) => {
    const seenAs = { web: eip(10), app: eip(20), bare: nextHop };

    it.each(['web', 'app', 'bare'] as const)('%s reaches a 1:1 elastic IP', async (name) => {
      const agent = await lab.vm(name);
      for (const over of [overTcp, overUdp]) {
        expect(await over(agent, { to: eip(10) })).toEqual({ server: 'blue-web', client: seenAs[name] });
      }
      expect(await ping(lab.tenant.vm(name).namespace, { to: eip(10) })).toEqual({ received: 1, errors: [] });
    });

    it.each(['web', 'app', 'bare'] as const)('%s reaches a forwarded port', async (name) => {
      const agent = await lab.vm(name);
      const answer = { server: 'blue-app', client: seenAs[name] };
      expect(await overTcp(agent, { to: eip(20), port: 8080 })).toEqual(answer);
      expect(await overUdp(agent, { to: eip(20), port: 8053 })).toEqual(answer);
    });

    it('carries a connection that goes on, and never over the external link', async () => {
      const outside = await Capture.start(lab.topology.inet.namespace, { interface: 'ext', filter: 'tcp' });
      const inside = await Capture.start(lab.tenant.vm('web').namespace, { interface: 'eth0', filter: 'tcp' });
      const report = await (await lab.vm('app')).transfer({ to: eip(10), port: ports.tcp, bytes: 1_000_000 });
      expect(report.intact).toBe(true);
      const connection = await (await lab.vm('bare')).tcpConnect({ to: eip(10), port: ports.tcp });
      expect(await connection.isAlive()).toBe(true);
      expect(await outside.stop()).toEqual([]);
      // The server sees no VM's own address: an answer to one would go past the gateway.
      const clients = (await inside.stop()).filter(({ dst }) => dst === vm(5)).map(({ src }) => src);
      expect(new Set(clients)).toEqual(new Set([eip(20), nextHop]));
    });

    it('leaves traffic inside the VPC alone', async () => {
      expect(await overTcp(await lab.vm('app'), { to: vm(5) })).toEqual({ server: 'blue-web', client: vm(6) });
    });
  });
});

describe('hairpin of a tenant whose IPv6 is public', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'bare'] }],
    documents: (tenant) => [
      gateway(tenant),
      elasticIp('web', '2001:db8:e::10', { target: 'fd00:a::5' }),
      ipv6Prefix('own', 'fd00:a::/64'),
    ],
  });
  beforeAll(() => serve(...['web', 'bare'].map((name) => lab.tenant.vm(name))));

  it('comes back through the gateway', async () => {
    expect(await overTcp(await lab.vm('bare'), { to: '2001:db8:e::10' })).toMatchObject({
      server: 'blue-web',
      client: 'fd00:a::1',
    });
  });
});
