import type { Namespace } from './namespace.js';
import type { Tenant } from './topology.js';

/** On `mgmt0` both members of a pair reach an address of this place, by a network that fails apart from their others. */
export async function layManagement(place: Namespace, { name, gateways }: Tenant, address: string): Promise<void> {
  await place.ip(['link set lo up', `address add ${address}/32 dev lo`]);
  for (const [index, member] of gateways.entries()) {
    const [here, there] = [`172.30.0.${4 * index + 1}`, `172.30.0.${4 * index + 2}`];
    const port = `mgmt-${name}-${index}`;
    await place.ip([`link add ${port} type veth peer name mgmt0 netns ${member.path}`, `link set ${port} up`]);
    await place.ip([`address add ${here}/30 dev ${port}`]);
    await member.ip([`address add ${there}/30 dev mgmt0`, 'link set mgmt0 up', `route add ${address} via ${here}`]);
  }
}
