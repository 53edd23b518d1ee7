/**
 * The walk of a connection's first packet through the model: every hop that the kernel's chains would take it by, who
 * decided there, and how it ends. It decides nothing by itself: the evaluators that the kernel is compiled from, and that
 * end flows, are asked. Pure. Limits on rates and counts depend on the moment, so that a walk names them and goes on.
 */
import type { CompileContext } from '../../features/feature.js';
import type { GatewayModel } from '../../model/gateway-model.js';
import { contains } from '../../model/ip.js';
import { roleLink, TABLE_VPC, tableOfExternal } from '../../model/ownership.js';
import { endText, type Packet } from './packet.js';
import { siteOf, sitesOf } from '../../model/site-link.js';
import { arrives, leaves, routed, shapedIn } from './steps-link.js';
import { chosenNetwork, markedFromOutside, ownSource } from './steps-mark.js';
import { inputOrForward } from './steps-forward.js';
import { admitted, balanced } from './steps-listener.js';
import { limited, opened, sourceLimited } from './steps-opening.js';
import { arrivesFromSite, knownToSite, meantBySite, offeredToSite, placeOf } from './steps-site.js';
import { guarded, led, translated } from './steps-translation.js';
import { type Hop, type Outcome, type Side, type Step, Traveller, VPC } from './traveller.js';

export interface Walk {
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  readonly enters: Side;
  readonly hops: readonly Hop[];
  readonly outcome: Outcome;
  /** The answer's way; empty where nothing answers. */
  readonly back: readonly Hop[];
}

const OPENING: readonly Step[] = [admitted, opened, limited, balanced, led, routed];
const FROM_OUTSIDE: readonly Step[] = [arrives, shapedIn, markedFromOutside, ...OPENING];
const FROM_VPC: readonly Step[] = [arrives, ownSource, chosenNetwork, sourceLimited, ...OPENING];
const FROM_SITE: readonly Step[] = [
  arrivesFromSite,
  knownToSite,
  admitted,
  offeredToSite,
  balanced,
  meantBySite,
  routed,
];
const ONWARD: readonly Step[] = [inputOrForward, translated, guarded, leaves];

export function walk(model: GatewayModel, context: CompileContext, packet: Packet, enters?: Side): Walk {
  const side = enters ?? sideOf(model, packet);
  const traveller = new Traveller(model, context, packet, side);
  let outcome: Outcome | undefined;
  const incoming = traveller.fromVpc ? FROM_VPC : traveller.site ? FROM_SITE : FROM_OUTSIDE;
  for (const step of [...incoming, ...ONWARD]) if ((outcome ??= step(traveller))) break;
  return {
    from: packet.source.text,
    to: endText(packet.destination, packet.port),
    protocol: packet.protocol,
    enters: side,
    hops: traveller.hops,
    outcome: outcome ?? { kind: 'Dropped', reason: 'NoRule' },
    back: outcome?.kind === 'Delivered' ? wayBack(traveller) : [],
  };
}

/** A source of the VPC's comes from the VPC, a site's by its link; all others by the network of what they are on the way to. */
export function sideOf(model: GatewayModel, packet: Packet): Side {
  const { internal, externals, byAddress, ipv6Prefixes } = model;
  const { source, destination } = packet;
  if (internal.prefixes.some((prefix) => contains(prefix, source))) return VPC;
  const site = siteOf(sitesOf(model), source);
  if (site) return site.origin.id;
  const prefix = ipv6Prefixes.find((each) => contains(each.prefix, destination));
  return byAddress.get(destination.text)?.external ?? prefix?.external ?? externals[0]?.name ?? VPC;
}

/** The answer undoes what was translated, and goes out by the side that the question came from. */
function wayBack(traveller: Traveller): Hop[] {
  const { packet, model, context, route, side, external, site } = traveller;
  const pass = (at: string, what: string): Hop => ({ at, what, verdict: 'Passes' });
  const answer = `${endText(traveller.destination, traveller.port)} to ${traveller.source.text}`;
  const asked = endText(packet.destination, packet.port);
  const translatedBack = traveller.led || traveller.source !== packet.source;
  const parent = traveller.fromVpc ? model.internal.interface : (external?.interface ?? '');
  const link = site ? (placeOf(traveller, site)?.link?.name ?? '') : roleLink(parent);
  const outside = !traveller.fromVpc && !site;
  const table = outside ? tableOfExternal(context.externalIndex(side)) : TABLE_VPC;
  return [
    pass(route?.link ?? '', `the answer comes in, from ${answer}`),
    pass(
      'conntrack',
      translatedBack ? `its translation is undone: from ${asked} to ${packet.source.text}` : 'nothing is to be undone',
    ),
    pass(
      `table ${table}`,
      outside ? `the connection's mark leads it to external network ${side}` : `leads to ${site ? side : 'the VPC'}`,
    ),
    { ...pass(link, `leaves to ${packet.source.text}`), verdict: 'Delivered' },
  ];
}
