/**
 * The ways to sites' networks, all in the VPC's table. Guarantees:
 * 1. Below every way stands a refusal, so that there is never a moment in which the internet is the way.
 * 2. All ways to a network stand there at once, told apart by their metrics: when one goes, the next is there already.
 * 3. Ways of one metric share a network's connections.
 */
import type { InternalSide } from '../model/gateway-model.js';
import type { Cidr } from '../model/ip.js';
import { peerOf } from '../model/line.js';
import { DOUBTFUL_METRIC, REFUSED_METRIC, ROUTE_PROTOCOL, TABLE_VPC } from '../model/ownership.js';
import { type Contribution, ofFamily, scope } from './feature.js';
import type { PlacedLink, PlacedSite } from './sites.js';

type Route = NonNullable<Contribution['routes']>[number];
type Way = PlacedSite & { readonly link: PlacedLink };

/** `doubtful`: documents of what does not carry. */
export function siteRoutes(
  sites: readonly PlacedSite[],
  internal: InternalSide,
  doubtful: ReadonlySet<string>,
): Route[] {
  const routes: Route[] = [];
  const ways = new Map<string, { readonly network: Cidr; readonly metric: number; readonly sharing: Way[] }>();
  for (const placed of sites)
    for (const network of placed.site.remote) {
      const { origin } = placed.site;
      const metric = placed.site.metric + (doubtful.has(origin.id) ? DOUBTFUL_METRIC : 0);
      const text = `unreachable ${network.text} table ${TABLE_VPC} proto ${ROUTE_PROTOCOL} metric ${REFUSED_METRIC}`;
      routes.push({ family: network.family, text, origin });
      // What is learnt is led by whoever learns it.
      if (!placed.link || placed.link.line?.bgp) continue;
      const key = `${network.text} ${metric}`;
      const entry = ways.get(key) ?? { network, metric, sharing: [] };
      entry.sharing.push({ ...placed, link: placed.link });
      ways.set(key, entry);
    }
  for (const { network, metric, sharing } of ways.values()) routes.push(routeBy(network, metric, sharing, internal));
  return routes;
}

function routeBy(network: Cidr, metric: number, sharing: readonly Way[], internal: InternalSide): Route {
  const { text, family } = network;
  const own = ofFamily(internal.addresses, family);
  const tail = `table ${TABLE_VPC} proto ${ROUTE_PROTOCOL}`;
  const source = own ? ` src ${own.address.text}` : '';
  const [first, ...others] = sharing as readonly [Way, ...Way[]];
  const { origin } = first.site;
  const hops = sharing.map(({ link }) => ({
    via: link.line ? ` via ${peerOf(link.line, family)?.text}` : '',
    dev: ` dev ${link.name}`,
    // Who is next is reached by the link's own table, which the kernel does not ask here.
    onlink: link.line ? ' onlink' : '',
  }));
  if (others.length > 0) {
    const nexthops = hops.map(({ via, dev, onlink }) => ` nexthop${via}${dev} weight 1${onlink}`).join('');
    return { family, text: `${text} ${tail}${source} metric ${metric}${nexthops}`, origin };
  }
  const [{ via, dev, onlink }] = hops as [(typeof hops)[number]];
  const near = via === '' ? scope(family, 'link') : '';
  return { family, text: `${text}${via}${dev} ${tail}${near}${source} metric ${metric}${onlink}`, origin };
}
