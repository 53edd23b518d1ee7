/** Elastic IPs: the address on its external network and, where it is bound, 1:1 translation both ways. */
import type { ElasticIp, Frame, GatewayModel } from '../model/gateway-model.js';
import { type Cidr, type Family, hostCidr, type IpAddress } from '../model/ip.js';
import { HELD_SET, MARK, markBit, ROUTE_PROTOCOL } from '../model/ownership.js';
import { remember, rememberWithin } from '../model/remember.js';
import {
  type Contribution,
  FAMILIES,
  type Feature,
  INBOUND_RANK,
  type NatEntry,
  OUTBOUND_RANK,
  scope,
} from './feature.js';

const ALLOWED = `-m mark --mark ${markBit(MARK.allowed)} `;

/** What one elastic IP asks of the kernel: independent of all others, so that an edit of one is compiled alone. */
export interface ElasticIpPart {
  readonly address?: NonNullable<Contribution['addresses']>[number];
  readonly route?: NonNullable<Contribution['routes']>[number];
  readonly inbound?: NatEntry;
  readonly outbound?: NatEntry;
  readonly source?: NonNullable<Contribution['sources']>[number];
}

/** By what the gateway's `defaultIngress` is: where that denies, a bound address leads in only what a policy allows. */
export const compileElasticIp = { Allow: compilerOf(''), Deny: compilerOf(ALLOWED) };

function compilerOf(condition: string) {
  return rememberWithin((eip: ElasticIp, parent: string): ElasticIpPart => {
    const way = eip.announced ? { address: announcedAddress(eip, parent) } : { route: routedAddress(eip) };
    return eip.target ? { ...way, ...oneToOne(eip, eip.target, condition) } : way;
  });
}

export const elasticIp: Feature = {
  name: 'elastic-ip',
  compile(model, context) {
    const parts = [...model.elasticIps.values()].map((eip) =>
      compileElasticIp[model.firewall.defaultIngress](eip, context.external(eip.external).interface),
    );
    const all = <K extends keyof ElasticIpPart>(key: K) => parts.flatMap((part) => part[key] ?? []);
    return {
      addresses: all('address'),
      routes: all('route'),
      inbound: all('inbound'),
      outbound: all('outbound'),
      sources: all('source'),
      sets: FAMILIES.map((family) => ({ family, name: HELD_SET, prefixes: heldOf(model, family) })),
    };
  },
};

/** Kept, and leading nowhere: what comes for them is dropped for another reason than what no rule of a used one takes. */
function heldOf({ elasticIps, frame }: GatewayModel, family: Family): Cidr[] {
  return [...elasticIps.values()]
    .filter((eip) => eip.address.family === family && isHeld(eip, frame))
    .map((eip) => hostCidr(eip.address));
}

export const isHeld = (eip: ElasticIp, frame: Frame): boolean => !eip.target && !usedByRules(frame).has(eip.name);

const usedByRules = remember(
  ({ snatRules, dnatRules, loadBalancers, vpnConnections }: Frame): ReadonlySet<string> =>
    new Set(
      [
        ...snatRules.flatMap((rule) => rule.pool),
        ...dnatRules.map((rule) => rule.elasticIp),
        ...loadBalancers.flatMap(({ elasticIp }) => elasticIp ?? []),
        ...vpnConnections.map(({ elasticIp }) => elasticIp),
      ].map(({ name }) => name),
    ),
);

const announcedAddress = (eip: ElasticIp, parent: string): NonNullable<Contribution['addresses']>[number] => ({
  parent,
  text: hostCidr(eip.address).text,
  origin: eip.origin,
});

/** Local without standing on a link, so that no ARP or neighbour discovery answers for it. */
function routedAddress({ address, origin }: ElasticIp): NonNullable<Contribution['routes']>[number] {
  return {
    family: address.family,
    text: `local ${address.text} dev lo table local proto ${ROUTE_PROTOCOL}${scope(address.family, 'host')}`,
    origin,
  };
}

const oneToOne = ({ address, external, origin }: ElasticIp, target: IpAddress, condition: string) => ({
  inbound: {
    prefix: hostCidr(address),
    rank: INBOUND_RANK.wholeAddress,
    rules: [{ text: `${condition}-j DNAT --to-destination ${target.text}`, origin }],
  },
  outbound: {
    prefix: hostCidr(target),
    rank: OUTBOUND_RANK.oneToOne,
    rules: [{ text: `-j SNAT --to-source ${address.text}`, origin }],
  },
  source: { prefix: hostCidr(target), external, origin },
});
