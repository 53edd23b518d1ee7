/** Where a packet comes in, where it is routed to and where it goes out; and the bandwidth that it shares there. Pure. */
import { deviceOf } from '../../features/bandwidth.js';
import { classNameOf, type Direction, formatRate, limitOf } from '../../model/bandwidth.js';
import type { ElasticIp, ExternalNetwork } from '../../model/gateway-model.js';
import { contains } from '../../model/ip.js';
import { roleLink, SHAPING, shapingClass, TABLE_VPC, tableOfExternal } from '../../model/ownership.js';
import { type SiteLink, sitesOf, waysElsewhere, waysTo } from '../../model/site-link.js';
import { endText } from './packet.js';
import { placeOf } from './steps-site.js';
import { type Outcome, type Route, type Step, type Traveller, VPC } from './traveller.js';

export const arrives: Step = (traveller) => {
  const { model, packet, side, external, fromVpc } = traveller;
  const link = roleLink(external?.interface ?? model.internal.interface);
  const where = fromVpc ? 'the VPC' : `external network ${side}`;
  const to = `${endText(packet.destination, packet.port)}/${packet.protocol}`;
  return traveller.pass(link, `comes in from ${where}: ${packet.source.text} to ${to}`);
};

/** Before everything else: what comes in is queued ahead of its translation. */
export const shapedIn: Step = (traveller) => shaped(traveller, traveller.elasticIp, 'ingress');

function shaped(traveller: Traveller, eip: ElasticIp | undefined, direction: Direction): undefined {
  const { model, context, external } = traveller;
  if (!external || context.facts.shaper?.lacking !== undefined) return;
  const limit = eip && limitOf(eip, model, direction);
  const ceiling = model.bandwidth[direction];
  const at = (minor: number): string => `class ${SHAPING.root}${minor.toString(16)}`;
  const on = deviceOf(external.interface, direction);
  if (limit) {
    const minor = shapingClass(context.classNumber(classNameOf(eip, model) ?? ''));
    return traveller.pass(at(minor), `of ${on}: at most ${formatRate(limit.ceiling)}bit/s`, eip.origin);
  }
  if (ceiling === undefined) return;
  const own = model.externals.some(({ addresses }) =>
    addresses.some(
      ({ address }) => address.text === traveller[direction === 'ingress' ? 'destination' : 'source'].text,
    ),
  );
  if (own) return;
  return traveller.pass(at(SHAPING.rest), `of ${on}: shares the gateway's ${formatRate(ceiling)}bit/s`);
}

/** What is local to the gateway has no route further; what no table has a route for is refused. */
export const routed: Step = (traveller) => {
  const { model, judge, destination } = traveller;
  if (traveller.route) return undefined;
  const ofBalancer = model.loadBalancers.some(({ address }) => address?.text === destination.text);
  const isOwn = judge.isOwn(destination.text) || traveller.lineAt(destination) !== undefined;
  if (ofBalancer || isOwn || model.byAddress.has(destination.text))
    return traveller.pass('table local', `${destination.text} is an address of the gateway's`);
  const to = wayToSite(traveller);
  const toSite = to && placeOf(traveller, to)?.link;
  if (to && !toSite)
    return traveller.end(
      `table ${TABLE_VPC}`,
      `${destination.text} is behind ${to.origin.id}, which has no link here; refused as unreachable`,
      { kind: 'Unroutable' },
      to.origin,
    );
  const route =
    to && toSite
      ? { side: to.origin.id, link: toSite.name, table: TABLE_VPC, via: undefined, site: to }
      : (routeInto(traveller) ?? (traveller.external && routeOut(traveller, traveller.external)));
  if (!route) return unroutable(traveller);
  traveller.route = route;
  const hop = route.via ? `by way of ${route.via.text}` : 'on the link';
  return traveller.pass(`table ${route.table}`, `${destination.text} is ${hop}, ${route.link}`);
};

/** The first that has a link and carries; what is doubtful comes after all others. */
function wayToSite(traveller: Traveller): SiteLink | undefined {
  const { model, context, destination, source, fromVpc, judge } = traveller;
  const known = waysTo(sitesOf(model), destination);
  const elsewhere = fromVpc && known.length === 0 && judge.goesElsewhere(source.text, destination.text);
  const ways = elsewhere ? waysElsewhere(sitesOf(model), destination) : known;
  const linked = ways.filter((site) => placeOf(traveller, site)?.link);
  return linked.find(({ origin }) => !context.pressure.doubtful.has(origin.id)) ?? linked[0] ?? ways[0];
}

function routeInto({ model: { internal }, destination }: Traveller): Route | undefined {
  const link = roleLink(internal.interface);
  const networks = [
    ...internal.addresses.map(({ network }) => ({ cidr: network, via: undefined })),
    ...internal.routed,
  ].filter(({ cidr }) => contains(cidr, destination));
  const [best] = networks.sort((a, b) => b.cidr.length - a.cidr.length);
  return best && { side: VPC, link, table: TABLE_VPC, via: best.via };
}

function routeOut({ context, destination }: Traveller, external: ExternalNetwork): Route | undefined {
  const direct = external.addresses.some(({ network }) => contains(network, destination));
  const via = external.gateways.find(({ family }) => family === destination.family);
  if (!direct && !via) return undefined;
  return {
    side: external.name,
    link: roleLink(external.interface),
    table: tableOfExternal(context.externalIndex(external.name)),
    via: direct ? undefined : via,
  };
}

function unroutable(traveller: Traveller): Outcome {
  const { external, destination, source } = traveller;
  const why = external
    ? `external network ${external.name} has no next hop for ${destination.text}`
    : `${source.text} has no way out: no elastic IP is bound to it, and no SnatRule or Ipv6Prefix has it`;
  return traveller.end('rule 1999', `${why}; refused as unreachable`, { kind: 'Unroutable' });
}

export const leaves: Step = (traveller) => {
  const { model, route, source, destination, port } = traveller;
  if (!route) return undefined;
  if (route.side !== VPC && !route.site) shaped(traveller, model.byAddress.get(source.text), 'egress');
  const what = `leaves to ${(route.via ?? destination).text}: ${source.text} to ${endText(destination, port)}`;
  const end = { source: source.text, destination: destination.text, port, link: route.link };
  return traveller.end(route.link, what, { kind: 'Delivered', ...end });
};
