/**
 * What lines have learnt, as the active member of a pair tells it to the other, and the ways that the other puts beside its
 * own: the same that a routing program which was killed would have left there, so that the next one confirms them or takes
 * them away. Pure.
 */
import type { IpRoute } from '../kernel/ip.js';
import type { GatewayModel, InternalSide } from '../model/gateway-model.js';
import { bitsOf, containsCidr, type Family, parseCidr } from '../model/ip.js';
import { type DedicatedLine, peerOf } from '../model/line.js';
import { TABLE_VPC } from '../model/ownership.js';
import { linkOfLine } from '../features/sites.js';
import { everything, type LearningLine } from './bird.js';

/** By the name of a line, the networks that the kernel leads by it. */
export type Learnt = Readonly<Record<string, readonly string[]>>;

/** Of the routing program, as `ip` spells it. */
export const LEARNT_ROUTES = `route show table ${TABLE_VPC} proto bird`;

/** As `ip -j` lists them, each with its network in full: a host is shown without a length, and all addresses as a word. */
export const routesOf = (family: Family, list: readonly IpRoute[]): IpRoute[] =>
  list.map((route) => ({ ...route, dst: networkOf(family, route.dst) }));

const networkOf = (family: Family, dst: string): string =>
  dst === 'default' ? everything(family) : dst.includes('/') ? dst : `${dst}/${bitsOf(family)}`;

export function learntIn(routes: readonly IpRoute[], lines: readonly LearningLine[]): Learnt {
  const names = new Map(lines.map(({ line }) => [linkOfLine(line), line.name]));
  const found = new Map<string, string[]>();
  for (const { dst, dev, nexthops = [] } of routes)
    for (const link of new Set([...(dev === undefined ? [] : [dev]), ...nexthops.map((hop) => hop.dev)])) {
      const name = names.get(link);
      if (name !== undefined) found.set(name, [...(found.get(name) ?? []), dst]);
    }
  return Object.fromEntries([...found].sort().map(([name, networks]) => [name, networks.sort()]));
}

/** What has to be done for the kernel to have what was told, in the words of `ip -batch`, by family. */
export function changesFor(
  told: Learnt,
  present: readonly IpRoute[],
  { internal }: Pick<GatewayModel, 'internal'>,
  lines: readonly LearningLine[],
): ReadonlyMap<Family, readonly string[]> {
  const wanted = new Map(waysOf(told, lines).map((way) => [placeOf(way), way]));
  const there = new Map(present.map(wayOf).map((way) => [placeOf(way), way]));
  const missing = [...wanted].filter(([place, { hops }]) => there.get(place)?.hops.join() !== hops.join());
  const left = [...there].filter(([place]) => !wanted.has(place));
  const changes = [
    ...missing.map(
      ([place, way]) => [way, `route replace ${place}${sourceOf(way, internal)}${hopsText(way)}`] as const,
    ),
    ...left.map(([place, way]) => [way, `route delete ${place}`] as const),
  ];
  const ofFamily = (family: Family): string[] =>
    changes.flatMap(([way, text]) => (familyOf(way) === family ? [text] : []));
  return new Map(([4, 6] as const).map((family) => [family, ofFamily(family)]));
}

interface Way {
  readonly network: string;
  readonly metric: number;
  /** Such as `via 169.254.100.2 dev vg-line0`, sorted. */
  readonly hops: readonly string[];
}

const familyOf = ({ network }: Way): Family => (network.includes(':') ? 6 : 4);
const placeOf = ({ network, metric }: Way): string => `${network} table ${TABLE_VPC} proto bird metric ${metric}`;
const hopsText = ({ hops }: Way): string => hops.map((hop) => ` ${hops.length > 1 ? 'nexthop ' : ''}${hop}`).join('');

function sourceOf(way: Way, internal: InternalSide): string {
  const own = internal.addresses.find(({ address }) => address.family === familyOf(way))?.address.text;
  return own === undefined ? '' : ` src ${own}`;
}

function wayOf({ dst, metric = 0, gateway, dev, nexthops }: IpRoute): Way {
  const hops = nexthops ?? [{ gateway, dev }];
  return {
    network: dst,
    metric,
    hops: hops.map((hop) => `via ${hop.gateway} dev ${hop.dev}`).sort(),
  };
}

/** Of what was told that which this member's own documents accept. */
function waysOf(told: Learnt, lines: readonly LearningLine[]): Way[] {
  const ways = new Map<string, Way>();
  for (const { line, bgp } of lines)
    for (const network of bgp.gracefulRestart ? (told[line.name] ?? []) : []) {
      const hop = accepts(line, network);
      if (hop === undefined) continue;
      const way = { network, metric: line.site.metric, hops: [hop] };
      const sharing = ways.get(placeOf(way))?.hops ?? [];
      ways.set(placeOf(way), { ...way, hops: [...sharing, hop].sort() });
    }
  return [...ways.values()];
}

function accepts(line: DedicatedLine, text: string): string | undefined {
  const network = parseCidr(text);
  const peer = network && peerOf(line, network.family);
  const accepted =
    network?.length === 0
      ? line.site.elsewhere.includes(network.family)
      : line.bgp?.accept.some(({ cidr, upTo }) => network && network.length <= upTo && containsCidr(cidr, network));
  return peer && accepted ? `via ${peer.text} dev ${linkOfLine(line)}` : undefined;
}
