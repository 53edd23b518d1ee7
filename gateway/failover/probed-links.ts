/** Whom a member asks behind each of its interfaces whether the way is open. IPv4, by ARP. Pure. */
import type { ExternalNetwork, GatewayModel } from '../model/gateway-model.js';
import { contains, type InterfaceAddress, type IpAddress } from '../model/ip.js';

export interface ProbedLink {
  /** The interface of the platform: role links are silent where they are not active. */
  readonly link: string;
  /** The pair's own address there, which only the active member answers for. */
  readonly watched: string | undefined;
  /** One that answers is enough. */
  readonly neighbours: readonly string[];
}

const MAX_NEIGHBOURS = 8;

export const probedLinks = (model: GatewayModel): ProbedLink[] => [
  {
    link: model.internal.interface,
    watched: firstOf(model.internal.addresses),
    neighbours: onLink(model.internal.addresses, insiders(model)),
  },
  ...model.externals.map((external: ExternalNetwork) => ({
    link: external.interface,
    watched: firstOf(external.addresses),
    neighbours: onLink(external.addresses, external.gateways),
  })),
];

/** Routers first, since they stay; then VMs that documents name. */
function insiders({ internal, elasticIps, dnatRules }: GatewayModel): IpAddress[] {
  return [
    ...internal.routed.map(({ via }) => via),
    ...[...elasticIps.values()].flatMap(({ target }) => target ?? []),
    ...dnatRules.map(({ target }) => target),
  ];
}

function onLink(own: readonly InterfaceAddress[], neighbours: readonly IpAddress[]): string[] {
  const found = new Set<string>();
  for (const address of neighbours) {
    if (found.size >= MAX_NEIGHBOURS) break;
    if (address.family === 4 && own.some(({ network }) => contains(network, address))) found.add(address.text);
  }
  return [...found];
}

const firstOf = (own: readonly InterfaceAddress[]): string | undefined =>
  own.find(({ address }) => address.family === 4)?.address.text;
