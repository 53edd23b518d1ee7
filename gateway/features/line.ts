/**
 * Dedicated lines: the link, the gateway's address on it, and its way to the other end. What the gateway itself sends
 * from that address goes by the line whatever else leads to a network, so that a line which carries nothing can be asked.
 */
import type { Link, Line } from '../kernel/state.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { bitsOf, type Family, hostCidr } from '../model/ip.js';
import { type DedicatedLine, peerOf } from '../model/line.js';
import { BFD_PORTS, lineParent, ROUTE_PROTOCOL, RULE_PREF, tableOfLine } from '../model/ownership.js';
import { type CompileContext, type Contribution, type Feature, ofFamily, scope } from './feature.js';
import { LINE_SYSCTLS } from './network-sysctls.js';
import { linkedSites, type PlacedLink } from './sites.js';

interface Placed {
  readonly line: DedicatedLine;
  readonly number: number;
  readonly link: PlacedLink;
}

export const placedLines = (model: GatewayModel, context: CompileContext): Placed[] =>
  linkedSites(model, context).flatMap(({ link, number }) => (link.line ? [{ line: link.line, number, link }] : []));

export const dedicatedLine: Feature = {
  name: 'dedicated line',
  compile(model, context): Contribution {
    if (model.dedicatedLines.length === 0) return {};
    const placed = placedLines(model, context);
    return {
      sysctls: LINE_SYSCTLS,
      lines: placed.map(linkOf),
      addresses: placed.flatMap(({ line }) =>
        line.addresses.map(({ text }) => ({ parent: lineParent(line.port, line.vlan), text, origin: line.origin })),
      ),
      routes: placed.flatMap(ownRoutes),
      rules: placed.flatMap(({ line, number }) =>
        line.addresses.map(({ address }) => ({
          family: address.family,
          text: `${RULE_PREF.fromLineAddress}: from ${address.text} lookup ${tableOfLine(number)}`,
        })),
      ),
    };
  },
};

function linkOf({ line: { port, vlan }, link: { name, mtu } }: Placed): Link {
  const common = { name, parent: port, up: true, mtu };
  return vlan === undefined ? { ...common, kind: 'macvlan' } : { ...common, kind: 'vlan', vlan };
}

function ownRoutes({ line, number, link }: Placed): NonNullable<Contribution['routes']>[number][] {
  const { origin, site } = line;
  const tail = `dev ${link.name} table ${tableOfLine(number)} proto ${ROUTE_PROTOCOL}`;
  // The routing program's ways name the next hop alone, and the kernel asks the main table where that is.
  const neighbours = (line.bgp ? line.peers : []).map(({ family, text }) => ({
    family,
    text: `${text}/${bitsOf(family)} dev ${link.name} table main proto ${ROUTE_PROTOCOL}${scope(family, 'link')}`,
    origin,
  }));
  const subnets = line.addresses.map(({ address: { family, text }, network }) => ({
    family,
    text: `${network.text} ${tail}${scope(family, 'link')} src ${text}`,
    origin,
  }));
  const behind = site.remote.map(({ family, text }) => ({
    family,
    text: `${text} via ${peerOf(line, family)?.text} ${tail} src ${ofFamily(line.addresses, family)?.address.text}`,
    origin,
  }));
  return [...neighbours, ...subnets, ...behind];
}

/** What arrives at the gateway's own end: from its neighbour before all else, from the networks behind it afterwards. */
export function meetsLine(line: DedicatedLine, family: Family): { readonly before: Line[]; readonly after: Line[] } {
  const { origin } = line;
  const own = ofFamily(line.addresses, family)?.address;
  const peer = peerOf(line, family);
  const before = [
    ...(family === 6 ? DISCOVERY.map((text) => ({ text: `${text} -j RETURN` })) : []),
    ...(own && peer ? [{ text: `-s ${hostCidr(peer).text} -d ${hostCidr(own).text} -j RETURN`, origin }] : []),
  ];
  return { before, after: own ? [{ text: `-d ${hostCidr(own).text} -j RETURN`, origin }] : [] };
}

const DISCOVERY = [135, 136].map((type) => `-p ipv6-icmp -m icmp6 --icmpv6-type ${type}`);

const BGP = '-p tcp -m tcp --dport 179';
const BFD = `-p udp -m udp --dport ${BFD_PORTS.direct}`;

/** Of what is for the gateway itself: a ping of its end, by who may ask; and of a session, from the other end alone. */
export function heardOnLine({ line, link }: Placed, family: Family): string[] {
  const own = ofFamily(line.addresses, family)?.address;
  const echo = family === 4 ? '-p icmp -m icmp --icmp-type 8' : '-p ipv6-icmp -m icmp6 --icmpv6-type 128';
  if (!own) return [];
  const peer = peerOf(line, family);
  const session = line.bgp && peer ? [BGP, ...(line.bgp.bfd ? [BFD] : [])] : [];
  return [
    `-d ${hostCidr(own).text} -i ${link.name} ${echo} -j ACCEPT`,
    ...session.map(
      (what) => `-s ${hostCidr(peer ?? own).text} -d ${hostCidr(own).text} -i ${link.name} ${what} -j ACCEPT`,
    ),
  ];
}
