/** Elastic IPs: the address on its external network and, where it is bound, 1:1 translation both ways. */
import type { ElasticIp } from '../model/gateway-model.js';
import { type Cidr, hostCidr } from '../model/ip.js';
import { ROUTE_PROTOCOL } from '../model/ownership.js';
import { remember, rememberWithin } from '../model/remember.js';
import { type Contribution, type Feature, INBOUND_RANK, type NatEntry, OUTBOUND_RANK, scope } from './feature.js';

interface OneToOne {
  readonly inbound: NatEntry;
  readonly outbound: NatEntry;
  readonly source: { readonly prefix: Cidr; readonly external: string; readonly origin: ElasticIp['origin'] };
}

export const elasticIp: Feature = {
  name: 'elastic-ip',
  compile(model, context) {
    const eips = [...model.elasticIps.values()];
    const bound = eips.flatMap((eip) => (eip.target ? [oneToOne(eip)] : []));
    return {
      addresses: eips
        .filter((eip) => eip.announced)
        .map((eip) => announcedAddress(eip, context.external(eip.external).interface)),
      routes: eips.filter((eip) => !eip.announced).map(routedAddress),
      inbound: bound.map((entry) => entry.inbound),
      outbound: bound.map((entry) => entry.outbound),
      sources: bound.map((entry) => entry.source),
    };
  },
};

const announcedAddress = rememberWithin(
  (eip: ElasticIp, parent: string): NonNullable<Contribution['addresses']>[number] => ({
    parent,
    text: hostCidr(eip.address).text,
    origin: eip.origin,
  }),
);

/** Local without standing on a link, so that no ARP or neighbour discovery answers for it. */
function routedAddress({ address, origin }: ElasticIp): NonNullable<Contribution['routes']>[number] {
  return {
    family: address.family,
    text: `local ${address.text} dev lo table local proto ${ROUTE_PROTOCOL}${scope(address.family, 'host')}`,
    origin,
  };
}

const oneToOne = remember(({ address, target = address, external, origin }: ElasticIp): OneToOne => ({
  inbound: {
    prefix: hostCidr(address),
    rank: INBOUND_RANK.wholeAddress,
    rules: [{ text: `-j DNAT --to-destination ${target.text}`, origin }],
  },
  outbound: {
    prefix: hostCidr(target),
    rank: OUTBOUND_RANK.oneToOne,
    rules: [{ text: `-j SNAT --to-source ${address.text}`, origin }],
  },
  source: { prefix: hostCidr(target), external, origin },
}));
