/** Routed public IPv6: the VPC's own prefix without translation, or another prefix translated one to one (NAT66). */
import type { GatewayModel, Ipv6Prefix } from '../model/gateway-model.js';
import { roleLink } from '../model/ownership.js';
import { type Feature, INBOUND_RANK, type NatEntry, ofFamily, OUTBOUND_RANK } from './feature.js';

export const ipv6Prefix: Feature = {
  name: 'ipv6-prefix',
  compile(model) {
    const prefixes = model.ipv6Prefixes;
    return {
      sources: prefixes.map((prefix) => ({
        prefix: prefix.internalPrefix ?? prefix.prefix,
        external: prefix.external,
        origin: prefix.origin,
      })),
      inbound: prefixes.flatMap((prefix) => inbound(prefix)),
      outbound: prefixes.map((prefix) => outbound(prefix, model)),
      publicPrefixes: prefixes
        .filter((prefix) => !prefix.internalPrefix)
        .map(({ prefix, mode, origin }) => ({ prefix, open: mode === 'Full', origin })),
    };
  },
};

function inbound({ prefix, internalPrefix, mode, origin }: Ipv6Prefix): NatEntry[] {
  if (!internalPrefix || mode === 'EgressOnly') return [];
  return [
    { prefix, rank: INBOUND_RANK.wholeAddress, rules: [{ text: `-j NETMAP --to ${internalPrefix.text}`, origin }] },
  ];
}

function outbound({ prefix, internalPrefix, origin }: Ipv6Prefix, { internal }: GatewayModel): NatEntry {
  if (internalPrefix)
    return {
      prefix: internalPrefix,
      rank: OUTBOUND_RANK.shared,
      rules: [{ text: `-j NETMAP --to ${prefix.text}`, origin }],
    };
  const own = ofFamily(internal.addresses, 6);
  // What comes back into the VPC by an elastic IP is answered through the gateway, too.
  const back = own
    ? [`-o ${roleLink(internal.interface)} -m conntrack --ctstate DNAT -j SNAT --to-source ${own.address.text}`]
    : [];
  return {
    prefix,
    rank: OUTBOUND_RANK.untranslated,
    rules: [...back, '-j ACCEPT'].map((text) => ({ text, origin })),
  };
}
