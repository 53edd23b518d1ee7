/** What becomes of a packet's addresses, and the guard behind that. Pure. */
import { ofFamily } from '../../features/feature.js';
import { slotOf } from '../../features/snat-rule.js';
import { moved, type WayOut } from '../../model/flow.js';
import { contains, type IpAddress, parseIp } from '../../model/ip.js';
import { GUARD_TABLE } from '../../model/ownership.js';
import { conntrackProtocol, endText } from './packet.js';
import { endAt } from '../../model/vpn.js';
import { documentOf } from './steps-mark.js';
import { translatedForSite } from './steps-site.js';
import { type Step, type Traveller, VPC } from './traveller.js';

/** By destination. What a policy rejects stays as it is, so that its answer comes from whom it was sent to. */
export const led: Step = (traveller) => {
  const { elasticIp, judge, model, packet, opening } = traveller;
  if (opening === 'Reject' || traveller.led) return undefined;
  const [protocol, asked] = [conntrackProtocol(packet), packet.port];
  const end = endAt(model, packet.destination.text, protocol, asked);
  if (end) return traveller.pass('VG-D', `stays: ${end.origin.id} ends here`, end.origin);
  const way = judge.destinationOf(packet.destination.text, protocol, asked);
  if (!way) return traveller.pass('VG-D', `nothing leads ${packet.destination.text} elsewhere`);
  if (elasticIp && opening !== 'Allow' && !judge.isOpenByDefault(elasticIp, protocol, asked))
    return traveller.pass('VG-D', "the gateway's defaultIngress is Deny, and no policy allows it: not led on", way.by);
  const to = parseIp(way.address);
  if (!to) return undefined;
  traveller.destination = to;
  traveller.port = way.port ?? asked;
  traveller.led = true;
  return traveller.pass('VG-D', `to ${endText(to, traveller.port)}`, way.by);
};

/** By source, of what the VPC opens. Inside the VPC nothing is translated, but for a hairpin. */
export const translated: Step = (traveller) => {
  const { fromVpc, route, judge, source, model } = traveller;
  if (!fromVpc || !route) return undefined;
  if (route.site) return translatedForSite(traveller, route.site);
  if (route.side === VPC && !traveller.led) return traveller.pass('VG-SNAT', 'inside the VPC nothing is translated');
  const way = judge.wayOut(source.text);
  const isPublic = way?.kind === 'Prefix' && !way.prefix.internalPrefix;
  if (way && !(isPublic && route.side === VPC)) return sourceBecomes(traveller, way);
  const own = ofFamily(model.internal.addresses, source.family);
  if (route.side !== VPC || !own) return undefined;
  traveller.source = own.address;
  return traveller.pass('VG-SNAT', `from ${own.address.text}, so that the answer comes back through the gateway`);
};

function sourceBecomes(traveller: Traveller, way: WayOut): undefined {
  const { source } = traveller;
  const by = documentOf(way);
  const to = addressOf(traveller, way);
  if (!to) return traveller.pass('VG-S', `${source.text} is public, and leaves as it is`, by);
  traveller.source = to.address;
  return traveller.pass('VG-S', `from ${to.address.text}${to.ports}`, by);
}

function addressOf({ source, context }: Traveller, way: WayOut): { address: IpAddress; ports: string } | undefined {
  if (way.kind === 'Bound') return { address: way.elasticIp.address, ports: '' };
  if (way.kind === 'Prefix') {
    const address = way.prefix.internalPrefix && parseIp(moved(source, way.prefix.prefix));
    return address && { address, ports: '' };
  }
  const slot = slotOf(way.rule, source, context);
  const ports = slot?.ports ? `, of its ports ${slot.ports.first}-${slot.ports.last}` : '';
  return slot && { address: slot.elasticIp.address, ports };
}

export const guarded: Step = (traveller) => {
  const { route, source, model } = traveller;
  if (!route || route.side === VPC || route.site) return undefined;
  const open = model.ipv6Prefixes.some(({ prefix, internalPrefix }) => !internalPrefix && contains(prefix, source));
  if (traveller.isOfVpc(source) && !open)
    return traveller.drop(GUARD_TABLE, `${source.text} is the VPC's and must not be seen outside`, 'LeakGuard');
  return traveller.pass(GUARD_TABLE, `${source.text} may be seen outside`);
};
