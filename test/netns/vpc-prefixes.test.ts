import { beforeAll, describe, expect, it } from 'vitest';
import { dnatRule, elasticIp, gateway, prefixesBehindRouter, snatRule } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { ping } from '../support/ping.js';
import { overTcp, overUdp, silenceMs } from '../support/reach.js';

// Prefixes of the VPC that stand behind the tenant's own router are reached, and leave, like the gateway's own subnet.

const families = [
  {
    family: 'IPv4',
    eip: (host: number) => `203.0.113.${host}`,
    behind: '10.0.1.5',
    prefix: '10.0.1.0/24',
    nextHop: '10.0.0.1',
    client: '198.51.100.1',
  },
  {
    family: 'IPv6',
    eip: (host: number) => `2001:db8:e::${host}`,
    behind: 'fd00:a:1::5',
    prefix: 'fd00:a:1::/64',
    nextHop: 'fd00:a::1',
    client: '2001:db8:1::1',
  },
];

describe('a prefix behind the VPC router', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web'], router: true }],
    documents: (tenant) => documents(true)(tenant),
  });

  /** The host behind with an elastic IP of its own, or by SNAT. */
  function documents(bound: boolean) {
    return (tenant: Parameters<typeof gateway>[0]) => [
      gateway(tenant, { prefixes: prefixesBehindRouter }),
      ...families.flatMap(({ eip, behind, prefix }, family) => [
        elasticIp(`behind${family}`, eip(10), bound ? { target: behind } : {}),
        elasticIp(`nat${family}`, eip(20)),
        snatRule(`nat${family}`, [prefix], [`nat${family}`]),
        dnatRule(`port${family}`, {
          elasticIP: `nat${family}`,
          protocol: 'TCP',
          port: 8080,
          target: behind,
          targetPort: ports.tcp,
        }),
      ]),
    ];
  }

  beforeAll(() => serve(lab.topology.inet, lab.tenant.vm('web'), lab.tenant.vm('behind')));

  it.each(families)('has elastic IPs, both ways ($family)', async ({ eip, client }) => {
    const [inet, behind] = [await lab.inet(), await lab.vm('behind')];
    for (const over of [overTcp, overUdp]) {
      expect(await over(inet, { to: eip(10), from: client })).toEqual({ server: 'blue-behind', client });
      expect(await over(behind, { to: client })).toEqual({ server: 'inet', client: eip(10) });
    }
    expect(await ping(lab.topology.inet.namespace, { to: eip(10), from: client })).toEqual({ received: 1, errors: [] });
  });

  it.each(families)('has forwarded ports ($family)', async ({ eip, client }) => {
    const reached = await overTcp(await lab.inet(), { to: eip(20), port: 8080, from: client });
    expect(reached).toEqual({ server: 'blue-behind', client });
  });

  it.each(families)('is reached by its public address from the subnet ($family)', async ({ eip, nextHop }) => {
    const reached = await overTcp(await lab.vm('web'), { to: eip(10) });
    // Nothing translates web's source otherwise: the gateway lends its own, so that the answer comes back to it.
    expect(reached).toEqual({ server: 'blue-behind', client: nextHop });
  });

  it('leaves by SNAT, and the router by none of its own', async () => {
    await lab.apply(documents(false)(lab.tenant));
    for (const { eip, client } of families) {
      for (const over of [overTcp, overUdp]) {
        expect(await over(await lab.vm('behind'), { to: client })).toEqual({ server: 'inet', client: eip(20) });
      }
      // The router's own addresses are in the subnet, which no rule names.
      expect(await overTcp(await lab.vm('router'), { to: client, timeoutMs: silenceMs })).toHaveProperty('error');
    }
  });

  it('is led by another next hop as soon as a document says so', async () => {
    const internalAddresses = ['10.0.0.254/24', 'fd00:a::1/64'];
    await lab.apply([gateway(lab.tenant, { prefixes: prefixesBehindRouter, internalAddresses })]);
    const { stdout } = await lab.tenant.gateway.exec(['ip', '-o', '-4', 'address', 'show', 'dev', 'vg-vpc0']);
    expect(stdout).toContain('10.0.0.254/24');
    expect(stdout).not.toContain('10.0.0.1/24');
  });
});
