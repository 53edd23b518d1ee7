import { beforeAll, describe, expect, it } from 'vitest';
import { Capture } from '../support/capture.js';
import type { Packet } from '../support/capture.js';
import { elasticIp, gateway } from '../support/documents.js';
import { serve, useGatewayLab } from '../support/gateway-lab.js';
import { overTcp } from '../support/reach.js';
import type { Tenant } from '../support/topology.js';

// An address that comes to a gateway which is up already: its neighbours learn so at once, without asking.

const addresses = [
  { family: 'IPv4', added: '203.0.113.30', moved: '203.0.113.40', target: '10.0.0.5', client: '198.51.100.1' },
  { family: 'IPv6', added: '2001:db8:e::30', moved: '2001:db8:e::40', target: 'fd00:a::5', client: '2001:db8:1::1' },
];

describe('the neighbours of an elastic IP', () => {
  const lab = useGatewayLab({
    tenants: [
      { name: 'blue', vms: ['web'] },
      { name: 'green', vms: ['web'] },
    ],
    documents: (tenant) => [gateway(tenant), ...(tenant.name === 'green' ? moved() : [])],
  });
  const tenants = (): [Tenant, Tenant] => [lab.topology.tenant('blue'), lab.topology.tenant('green')];
  const externalMac = async ({ gateway: namespace }: Tenant): Promise<string> => {
    const { stdout } = await namespace.exec(['ip', '-j', 'link', 'show', 'vg-ext0']);
    return (JSON.parse(stdout) as [{ address: string }])[0].address;
  };

  beforeAll(() => serve(...tenants().map((tenant) => tenant.vm('web'))));

  it('hear of one that is added', async () => {
    const [blue] = tenants();
    const capture = await Capture.start(lab.topology.inet.namespace, { interface: 'ext', filter: 'arp or icmp6' });
    await lab.apply(
      [gateway(blue), ...addresses.map(({ family, added }) => elasticIp(family.toLowerCase(), added))],
      blue,
    );
    const mac = await externalMac(blue);
    for (const { added } of addresses) {
      expect(await capture.waitFor((packet) => announces(packet, added))).toMatchObject({ sourceMac: mac });
    }
    await capture.stop();
  });

  it('turn to the gateway that an address has moved to, though they knew the former one', async () => {
    const [blue, green] = tenants();
    const inet = await lab.inet();
    for (const { moved: to, client } of addresses) {
      expect(await overTcp(inet, { to, from: client })).toEqual({ server: 'green-web', client });
    }
    const formerMac = await externalMac(green);
    expect(await neighbours()).toEqual(addresses.map(() => formerMac));
    await lab.apply([gateway(green)], green);
    const capture = await Capture.start(lab.topology.inet.namespace, { interface: 'ext', filter: 'arp or icmp6' });
    await lab.apply([gateway(blue), ...moved()], blue);
    for (const { moved: to } of addresses) await capture.waitFor((packet) => announces(packet, to));
    // Nobody has asked for it meanwhile: what is known now was announced.
    const mac = await externalMac(blue);
    expect(await neighbours()).toEqual(addresses.map(() => mac));
    for (const { moved: to, client } of addresses) {
      expect(await overTcp(inet, { to, from: client })).toEqual({ server: 'blue-web', client });
    }
    await capture.stop();
  });

  /** Whom `inet` takes for the owner of each address that moves. */
  async function neighbours(): Promise<(string | undefined)[]> {
    const { stdout } = await lab.topology.inet.namespace.exec(['ip', '-j', 'neigh', 'show', 'dev', 'ext']);
    const entries = JSON.parse(stdout) as { dst: string; lladdr?: string }[];
    return addresses.map(({ moved: address }) => entries.find(({ dst }) => dst === address)?.lladdr);
  }
});

function moved() {
  return addresses.map(({ family, moved: address, target }) =>
    elasticIp(`moved-${family.toLowerCase()}`, address, { target }),
  );
}

/** Unasked: gratuitous ARP, or a neighbour advertisement to all. */
function announces({ arp, src, dst, icmp, destinationMac }: Packet, address: string): boolean {
  if (arp !== undefined) return src === address && dst === address;
  return icmp?.type === 136 && icmp.target === address && destinationMac === '33:33:00:00:00:01';
}
