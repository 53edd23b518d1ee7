/** What must hold between load balancers, the VPC's addresses and their own pools. */
import { addressesOf, type Listener, type LoadBalancer, type Member, type Pool } from './balancer.js';
import type { Complaints } from './complaints.js';
import type { GatewayModel } from './gateway-model.js';
import { contains } from './ip.js';

export function checkBalancers(model: GatewayModel, complaints: Complaints): void {
  const members = new Set(model.loadBalancers.flatMap(({ pools }) => pools.flatMap(textsOf)));
  for (const balancer of model.loadBalancers) {
    checkAddress(balancer, members, model, complaints);
    balancer.pools.forEach((pool, i) => checkMembers(balancer, pool, i, model, complaints));
    balancer.listeners.forEach((listener, i) => checkListener(balancer, listener, i, complaints));
  }
}

const textsOf = ({ members }: Pool): string[] => members.map(({ address }) => address.text);

function checkAddress(
  { address, origin }: LoadBalancer,
  members: ReadonlySet<string>,
  { internal, byTarget }: GatewayModel,
  complaints: Complaints,
): void {
  if (!address) return;
  const at = (message: string): void => complaints.of(origin.id, ['spec', 'address'], message);
  const { addresses, routed } = internal;
  const subnets = addresses.map(({ network }) => network);
  const bound = byTarget.get(address.text);
  if (addresses.some((own) => own.address.text === address.text)) at(`${address.text} is the VPC's next hop`);
  else if (!subnets.some((subnet) => contains(subnet, address)))
    at(
      `${address.text} is in none of the gateway's own subnets (${subnets.map(({ text }) => text).join(', ')}), where it has to answer for it`,
    );
  else if (routed.some(({ via }) => via.text === address.text)) at(`${address.text} is a router of the VPC`);
  else if (bound) at(`${address.text} is the 1:1 target of ${complaints.where(bound.origin.id)}`);
  else if (members.has(address.text)) at(`${address.text} is a member of a pool`);
}

function checkMembers(
  { origin }: LoadBalancer,
  pool: Pool,
  index: number,
  { internal }: GatewayModel,
  complaints: Complaints,
): void {
  const seen = new Set<string>();
  pool.members.forEach(({ address, port }, i) => {
    const at = (message: string): void =>
      complaints.of(origin.id, ['spec', 'pools', index, 'members', i, 'address'], message);
    const key = `${address.text} ${port ?? ''}`;
    if (seen.has(key)) at(`${address.text}${port === undefined ? '' : ` port ${port}`} stands twice in ${pool.name}`);
    seen.add(key);
    if (internal.addresses.some((own) => own.address.text === address.text))
      at(`${address.text} is the gateway's own address`);
    else if (!internal.prefixes.some((prefix) => contains(prefix, address)))
      at(`${address.text} is outside the VPC's prefixes (${internal.prefixes.map(({ text }) => text).join(', ')})`);
  });
}

function checkListener(balancer: LoadBalancer, listener: Listener, index: number, complaints: Complaints): void {
  const { ports, pool } = listener;
  const at = (field: string, message: string): void =>
    complaints.of(balancer.origin.id, ['spec', 'listeners', index, field], message);
  const moved = pool.members.find((member: Member) => member.port !== undefined);
  if (ports.last > ports.first && moved)
    at('endPort', `a range keeps its ports, and ${moved.address.text} of pool ${pool.name} has port ${moved.port}`);
  // With the port written out, and without.
  const spelled = new Map<string, number | undefined>();
  for (const { address, port } of pool.members) {
    const end = `${address.text} port ${port ?? ports.first}`;
    if (spelled.has(end) && spelled.get(end) !== port) at('pool', `${end} stands twice in ${pool.name}`);
    spelled.set(end, port);
  }
  for (const address of addressesOf(balancer))
    if (!pool.members.some((member) => member.address.family === address.family))
      at('pool', `${address.text} is IPv${address.family}, and no member of ${pool.name} is`);
}
