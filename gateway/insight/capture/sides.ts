/** What to capture of an elastic IP: on each side of the gateway by the addresses that it has there. Pure. */
import type { ElasticIp, GatewayModel } from '../../model/gateway-model.js';
import { type Cidr, hostCidr } from '../../model/ip.js';
import { roleLink } from '../../model/ownership.js';

export interface Side {
  readonly link: string;
  /** In tcpdump's language. */
  readonly filter: string;
}

/** Outside by its address; inside by those of its targets and members, and of the sources that leave by it. */
export function sidesOf(model: GatewayModel, eip: ElasticIp, filter: string | undefined): Side[] {
  const external = model.externals.find(({ name }) => name === eip.external);
  const inside: Cidr[] = [
    ...(eip.target ? [hostCidr(eip.target)] : []),
    ...model.dnatRules.filter((rule) => rule.elasticIp.name === eip.name).map(({ target }) => hostCidr(target)),
    ...model.loadBalancers
      .filter(({ elasticIp }) => elasticIp?.name === eip.name)
      .flatMap(({ pools }) => pools.flatMap(({ members }) => members))
      .filter(({ address }) => address.family === eip.address.family)
      .map(({ address }) => hostCidr(address)),
    ...model.snatRules
      .filter(({ pool }) => pool.some(({ name }) => name === eip.name))
      .flatMap(({ sources }) => sources.filter(({ family }) => family === eip.address.family)),
  ];
  const side = (link: string, prefixes: readonly Cidr[]): Side => ({ link, filter: both(prefixes, filter) });
  return [
    ...(external ? [side(roleLink(external.interface), [hostCidr(eip.address)])] : []),
    ...(inside.length > 0 ? [side(roleLink(model.internal.interface), inside)] : []),
  ];
}

const both = (prefixes: readonly Cidr[], filter: string | undefined): string => {
  const own = `(${[...new Set(prefixes.map(({ text }) => `net ${text}`))].join(' or ')})`;
  return filter === undefined ? own : `${own} and (${filter})`;
};
