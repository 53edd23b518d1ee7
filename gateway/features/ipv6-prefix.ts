/** Routed public IPv6: the VPC's own prefix without translation, or another prefix translated one to one (NAT66). */
import type { Ipv6Prefix } from '../model/gateway-model.js';
import { type Feature, INBOUND_RANK, type NatEntry, OUTBOUND_RANK } from './feature.js';

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
      outbound: prefixes.map(outbound),
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

function outbound({ prefix, internalPrefix, origin }: Ipv6Prefix): NatEntry {
  const rank = internalPrefix ? OUTBOUND_RANK.shared : OUTBOUND_RANK.untranslated;
  const text = internalPrefix ? `-j NETMAP --to ${prefix.text}` : '-j ACCEPT';
  return { prefix: internalPrefix ?? prefix, rank, rules: [{ text, origin }] };
}
