/** Sites, whatever their links are made of: where their packets come in, what they reach, and what is sent to them. Pure. */
import { placedSites } from '../../features/sites.js';
import { type Direction, matches, rulesOf } from '../../model/firewall.js';
import { contains } from '../../model/ip.js';
import { SITE_CHAINS } from '../../model/ownership.js';
import { peerOf } from '../../model/line.js';
import { meantBy, offeredBy, seenAs, type SiteLink } from '../../model/site-link.js';
import { conntrackProtocol, endText } from './packet.js';
import { saidBy } from './steps-opening.js';
import type { Outcome, Step, Traveller } from './traveller.js';

/** Of a site: its link, if there is one here, and its number in the names of chains. */
export const placeOf = ({ model, context }: Traveller, site: SiteLink) =>
  placedSites(model, context).find((placed) => placed.site === site);

export const arrivesFromSite: Step = (traveller) => {
  const { packet, site } = traveller;
  if (!site) return undefined;
  const { id } = site.origin;
  const link = placeOf(traveller, site)?.link;
  const what = `${packet.source.text} to ${endText(packet.destination, packet.port)}/${packet.protocol}`;
  if (link) return traveller.pass(link.name, `comes in from ${id}: ${what}`, site.origin);
  return traveller.end(id, 'has no link here: nothing comes in', { kind: 'Unroutable' }, site.origin);
};

export const knownToSite: Step = (traveller) => {
  const { packet, site, met } = traveller;
  if (!site) return undefined;
  const at = chainOf(traveller, site, 'arrives');
  if (met && peerOf(met, packet.source.family)?.text === packet.source.text)
    return traveller.pass(at, `${packet.source.text} is the other end of ${site.origin.id}`, site.origin);
  if (site.remote.some((network) => contains(network, packet.source)))
    return traveller.pass(at, `${packet.source.text} is in a network of ${site.origin.id}`, site.origin);
  return traveller.drop(at, `${packet.source.text} is in no network of ${site.origin.id}`, 'Spoof', site.origin);
};

/** What is not is answered further on; but for the gateway's own end of a line, which is heard. */
export const offeredToSite: Step = (traveller) => {
  const { packet, site, met } = traveller;
  if (!site || met || offeredBy(site).some((network) => contains(network, packet.destination))) return undefined;
  traveller.opening = 'Reject';
  const what = `${packet.destination.text} is not offered to ${site.origin.id}: it is answered further on`;
  return traveller.pass(chainOf(traveller, site, 'arrives'), what, site.origin);
};

/** The address that the site means, where it sees the VPC's networks as others. */
export const meantBySite: Step = (traveller) => {
  const { site, met, destination, opening } = traveller;
  if (!site || met || opening === 'Reject' || traveller.led) return undefined;
  const meant = meantBy(site, destination);
  if (meant.text === destination.text) return traveller.pass('VG-D', 'the site means it as it is');
  traveller.destination = meant;
  traveller.led = true;
  return traveller.pass('VG-D', `to ${endText(meant, traveller.port)}`, site.origin);
};

/** Both ways; what its rules say is the last word. */
export function judgedBySite(traveller: Traveller, site: SiteLink, direction: Direction): Outcome | undefined {
  const { source, destination, packet, port, route } = traveller;
  const at = chainOf(traveller, site, direction === 'Ingress' ? 'enters' : 'leaves');
  if (direction === 'Ingress' && route?.site)
    return traveller.drop(at, 'sites reach the VPC alone, and not each other', 'NoRule', site.origin);
  if (direction === 'Egress' && !site.local.some((network) => contains(network, source)))
    return traveller.drop(at, `${source.text} is in no local network of ${site.origin.id}`, 'NoRule', site.origin);
  const rules = site.policy ? rulesOf([site.policy], direction) : [];
  if (rules.length === 0) return traveller.pass(at, 'it has no rules for that: all may pass', site.origin);
  const peer = direction === 'Ingress' ? source : destination;
  const opening = { direction, peer, protocol: conntrackProtocol(packet), port };
  const rule = rules.find((each) => matches(each.rule, opening))?.rule;
  const action = rule?.action ?? 'Deny';
  const said = rule ? saidBy({ action, rule }) : 'none of its rules matches, so that it is denied';
  const by = { ...site.origin, rule: rule?.index };
  if (action === 'Allow') return traveller.pass(at, said, by);
  if (action === 'Deny') return traveller.drop(at, said, 'Firewall', by);
  return traveller.end(at, said, { kind: 'Rejected', reason: 'Firewall' }, by);
}

/** The VPC is seen by a site as it was told, and translated by nothing else. */
export function translatedForSite(traveller: Traveller, site: SiteLink): undefined {
  traveller.pass('VG-SNAT', 'to a site nothing but its own translations counts');
  if (site.translate.length === 0) return;
  const seen = seenAs(site, traveller.source);
  const what = seen.text === traveller.source.text ? 'as it is' : `from ${seen.text}`;
  traveller.source = seen;
  return traveller.pass(chainOf(traveller, site, 'translates'), what, site.origin);
}

const chainOf = (traveller: Traveller, site: SiteLink, what: keyof typeof SITE_CHAINS): string =>
  `${SITE_CHAINS[what]}${placeOf(traveller, site)?.number ?? ''}`;
