/**
 * Where a tunnel's packets arrive and how they leave, whatever it is made of: at its elastic IP, and from it. What is sent
 * carries a mark, by which it finds a table of the tunnel's own. Pure.
 */
import type { ExternalNetwork } from '../model/gateway-model.js';
import { hostCidr, isLinkLocal } from '../model/ip.js';
import { MARK, markOfTunnel, roleLink, ROUTE_PROTOCOL, RULE_PREF, tableOfTunnel } from '../model/ownership.js';
import { endMatches, type VpnConnection } from '../model/vpn.js';
import { type CompileContext, type Contribution, INBOUND_RANK, type NatEntry, scope } from './feature.js';

/** A packet that is balanced by a range of ports has that in bits of a tunnel's number. */
const TUNNEL_BITS = MARK.tunnelMask | MARK.range;

export const endOf = (connection: VpnConnection): NatEntry => ({
  prefix: hostCidr(connection.elasticIp.address),
  rank: INBOUND_RANK.localClaim,
  rules: endMatches(connection).map((match) => ({ text: `${match} -j ACCEPT`, origin: connection.origin })),
});

export const waysOut = (
  connections: readonly VpnConnection[],
  context: CompileContext,
): Required<Pick<Contribution, 'routes' | 'rules'>> => ({
  routes: connections.flatMap((connection) =>
    wayOut(connection, context.external(connection.elasticIp.external), context),
  ),
  rules: connections.map(({ elasticIp, site }) => {
    const number = context.siteNumber(site.origin.id);
    const mark = `0x${markOfTunnel(number).toString(16)}/0x${TUNNEL_BITS.toString(16)}`;
    return {
      family: elasticIp.address.family,
      text: `${RULE_PREF.tunnel + number}: from all fwmark ${mark} lookup ${tableOfTunnel(number)}`,
    };
  }),
});

function wayOut(
  { elasticIp, site, origin }: VpnConnection,
  external: ExternalNetwork,
  { siteNumber }: CompileContext,
): NonNullable<Contribution['routes']>[number][] {
  const { address } = elasticIp;
  const { family } = address;
  const dev = roleLink(external.interface);
  const tail = `table ${tableOfTunnel(siteNumber(site.origin.id))} proto ${ROUTE_PROTOCOL}`;
  const networks = external.addresses.filter((own) => own.address.family === family);
  const hops = external.gateways.filter((hop) => hop.family === family);
  return [
    ...networks.map(({ network }) => `${network.text} dev ${dev} ${tail}${scope(family, 'link')} src ${address.text}`),
    ...hops.map((hop) => {
      const onlink = isLinkLocal(hop) && family === 4 ? ' onlink' : '';
      return `default via ${hop.text} dev ${dev} ${tail} src ${address.text}${onlink}`;
    }),
  ].map((text) => ({ family, text, origin }));
}
