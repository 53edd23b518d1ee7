/**
 * Whom a member asks behind each of its interfaces whether the way is open. One family each: IPv4 where there is somebody to
 * ask by it, since that costs nothing; to hear answers of IPv6 the kernel looks at every packet of it. Pure.
 */
import type { GatewayModel } from '../model/gateway-model.js';
import { contains, type Family, type InterfaceAddress, type IpAddress } from '../model/ip.js';

export interface ProbedLink {
  /** The interface of the platform: role links are silent where they are not active. */
  readonly link: string;
  /** The pair's own address there, which only the active member answers for. */
  readonly watched: IpAddress | undefined;
  /** Of the family of `watched`. One that answers is enough. */
  readonly neighbours: readonly IpAddress[];
}

const MAX_NEIGHBOURS = 8;

export const probedLinks = (model: GatewayModel): ProbedLink[] => [
  probedLink(model.internal.interface, model.internal.addresses, insiders(model)),
  ...model.externals.map((external) => probedLink(external.interface, external.addresses, external.gateways)),
];

function probedLink(link: string, own: readonly InterfaceAddress[], known: readonly IpAddress[]): ProbedLink {
  const families = ([4, 6] as const).map((family) => ofFamily(family, link, own, known));
  const asked = families.find(({ neighbours }) => neighbours.length > 0) ?? families.find(({ watched }) => watched);
  return asked ?? { link, watched: undefined, neighbours: [] };
}

/** Routers first, since they stay; then VMs that documents name. */
function insiders({ internal, elasticIps, dnatRules }: GatewayModel): IpAddress[] {
  return [
    ...internal.routed.map(({ via }) => via),
    ...[...elasticIps.values()].flatMap(({ target }) => target ?? []),
    ...dnatRules.map(({ target }) => target),
  ];
}

function ofFamily(
  family: Family,
  link: string,
  own: readonly InterfaceAddress[],
  known: readonly IpAddress[],
): ProbedLink {
  const found = new Map<string, IpAddress>();
  for (const address of known) {
    if (found.size >= MAX_NEIGHBOURS) break;
    if (address.family === family && own.some(({ network }) => contains(network, address)))
      found.set(address.text, address);
  }
  const watched = own.find(({ address }) => address.family === family)?.address;
  return { link, watched, neighbours: [...found.values()] };
}
