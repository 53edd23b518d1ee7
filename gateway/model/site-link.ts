/**
 * A way to a site: what a VPN connection or a dedicated line is to the network. Routes, translation, policies and limits
 * ask this, and never what the link is made of. Pure.
 */
import type { Bandwidth } from './bandwidth.js';
import { matches, type Opening, type Policy, rulesOf } from './firewall.js';
import type { Frame, Origin } from './gateway-model.js';
import { type Cidr, contains, type Family, type IpAddress, ipFromValue, networkOf } from './ip.js';

export interface SiteLink {
  /** In the terms of the VPC. */
  readonly local: readonly Cidr[];
  readonly remote: readonly Cidr[];
  /** Of those it may lead to all else, for whoever of the VPC has no way out of their own. */
  readonly elsewhere: readonly Family[];
  readonly translate: readonly Translation[];
  /** Of two ways to one network the lower is taken. */
  readonly metric: number;
  /** Ingress: from the site to the VPC. */
  readonly bandwidth: Bandwidth;
  readonly policy: Policy | undefined;
  readonly origin: Origin;
}

/** A network of the VPC, and what the site sees in its place. */
export interface Translation {
  readonly network: Cidr;
  readonly as: Cidr;
}

export type Sites = Pick<Frame, 'vpnConnections' | 'dedicatedLines'>;

export const sitesOf = ({ vpnConnections, dedicatedLines }: Sites): SiteLink[] =>
  [...dedicatedLines, ...vpnConnections].map(({ site }) => site);

export const policiesOfSites = (model: Parameters<typeof sitesOf>[0]): Policy[] =>
  sitesOf(model).flatMap(({ policy }) => policy ?? []);

/** What the site reaches, in its own terms. */
export const offeredBy = ({ local, translate }: Pick<SiteLink, 'local' | 'translate'>): Cidr[] =>
  local.map((network) => translate.find((each) => each.network.text === network.text)?.as ?? network);

export function sameTranslation(a: SiteLink, b: SiteLink): boolean {
  const textOf = ({ translate }: SiteLink): string =>
    translate
      .map(({ network, as }) => `${network.text} ${as.text}`)
      .sort()
      .join();
  return textOf(a) === textOf(b);
}

/** The same host in another network. */
function movedTo({ family, value }: IpAddress, { base, length }: Cidr): IpAddress {
  const host = value - networkOf({ family, value, text: '' }, length).base;
  return ipFromValue(family, base + host);
}

/** How the site sees an address of the VPC. */
export function seenAs({ translate }: SiteLink, address: IpAddress): IpAddress {
  const found = translate.find(({ network }) => contains(network, address));
  return found ? movedTo(address, found.as) : address;
}

/** Which address of the VPC the site means. */
export function meantBy({ translate }: SiteLink, address: IpAddress): IpAddress {
  const found = translate.find(({ as }) => contains(as, address));
  return found ? movedTo(address, found.network) : address;
}

/** The ways that an address of a site is reached by: of the most specific network, those of the lowest metric first. */
export function waysTo(sites: readonly SiteLink[], address: IpAddress): SiteLink[] {
  let most = -1;
  let found: SiteLink[] = [];
  for (const site of sites)
    for (const cidr of site.remote) {
      if (cidr.length < most || !contains(cidr, address)) continue;
      if (cidr.length > most) found = [];
      most = cidr.length;
      if (!found.includes(site)) found.push(site);
    }
  return found.sort((a, b) => a.metric - b.metric);
}

/** Those that may lead to an address which nothing else leads to. */
export const waysElsewhere = (sites: readonly SiteLink[], { family }: IpAddress): SiteLink[] =>
  sites.filter(({ elsewhere }) => elsewhere.includes(family)).sort((a, b) => a.metric - b.metric);

/** The way that is taken while all of them carry. */
export const siteOf = (sites: readonly SiteLink[], address: IpAddress): SiteLink | undefined =>
  waysTo(sites, address)[0];

/** Whether its rules let a connection be opened; the same as the kernel's chains, which are compiled of them. */
export function permits({ policy }: SiteLink, opening: Opening): boolean {
  const rules = policy ? rulesOf([policy], opening.direction) : [];
  const found = rules.find(({ rule }) => matches(rule, opening));
  return found ? found.rule.action === 'Allow' : rules.length === 0;
}
