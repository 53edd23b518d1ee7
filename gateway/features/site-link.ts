/**
 * Sites on the network, whatever their links are made of. Guarantees:
 * 1. What is meant for a site goes by its link or nowhere; it is translated by nothing but the site's own translations.
 * 2. A site sends from its own networks, and reaches what it is offered: nothing else of the VPC, no elastic IP, not the
 *    management side, no other site.
 * 3. Its answers go back by the link that the question came by.
 */
import {
  ceilingEntries,
  classEntry,
  leafText,
  quantumOf,
  redirectEntries,
  rootEntry,
} from '../kernel/shaping/entry.js';
import type { Line } from '../kernel/state.js';
import { DIRECTIONS } from '../model/bandwidth.js';
import { closes, rulesOf } from '../model/firewall.js';
import type { GatewayModel } from '../model/gateway-model.js';
import type { Family } from '../model/ip.js';
import {
  dropChain,
  ifbOf,
  lineParent,
  LISTENER_CHAIN,
  MARK,
  markBit,
  roleLink,
  SHAPING,
  SITE_CHAINS,
  siteSet,
} from '../model/ownership.js';
import { offeredBy, sitesOf } from '../model/site-link.js';
import { type CompileContext, type Contribution, FAMILIES, type Feature, INBOUND_RANK } from './feature.js';
import { meetsLine } from './line.js';
import { forwardLines, peerSets, rejectChain } from './firewall-rules.js';
import { siteRoutes } from './site-routes.js';
import { linkedSites, placedSites } from './sites.js';

type Linked = ReturnType<typeof linkedSites>[number];
type Chain = NonNullable<Contribution['chains']>[number];

export const siteLink: Feature = {
  name: 'site-link',
  compile(model, context): Contribution {
    const linked = linkedSites(model, context);
    if (sitesOf(model).length === 0) return {};
    const shaped = context.facts.shaper?.lacking === undefined ? linked : [];
    return {
      routes: siteRoutes(placedSites(model, context), model.internal, context.pressure.doubtful),
      sets: linked.flatMap(setsOf),
      inbound: linked.flatMap(translationsIn),
      hooks: linked.flatMap(translationHooks),
      chains: [
        ...FAMILIES.map(rejectChain),
        ...FAMILIES.flatMap((family) => linked.flatMap((site) => chainsOf(site, family, model))),
      ],
      ifbs: shaped.flatMap(({ site, link }) =>
        site.bandwidth.ingress === undefined ? [] : [{ parent: parentOf(link) }],
      ),
      shaping: shaped.flatMap((site) => shapingOf(site, context)),
    };
  },
};

function setsOf({ site, number }: Linked): NonNullable<Contribution['sets']>[number][] {
  const { remote, local, policy } = site;
  return FAMILIES.flatMap((family) => [
    ...(['remote', 'offered', 'local'] as const).map((what) => ({
      family,
      name: siteSet(what, number),
      prefixes: { remote, local, offered: offeredBy(site) }[what].filter((cidr) => cidr.family === family),
    })),
    ...(policy?.rules.flatMap((rule) => peerSets(policy, rule, family)) ?? []).map((set) => ({ family, ...set })),
  ]);
}

const translationsIn = ({ site, link }: Linked): NonNullable<Contribution['inbound']>[number][] =>
  site.translate.map(({ network, as }) => ({
    prefix: as,
    rank: INBOUND_RANK.localClaim,
    rules: [{ text: `-i ${link.name} -j NETMAP --to ${network.text}`, origin: site.origin }],
  }));

/** The gateway's own questions are translated too. */
const translationHooks = ({ site, number, link }: Linked): NonNullable<Contribution['hooks']>[number][] =>
  site.translate.length === 0
    ? []
    : FAMILIES.map((family) => ({
        family,
        table: 'nat' as const,
        chain: 'POSTROUTING',
        line: { text: `-o ${link.name} -j ${SITE_CHAINS.translates}${number}` },
      }));

function chainsOf({ site, number, link }: Linked, family: Family, model: GatewayModel): Chain[] {
  const { origin, policy, translate, elsewhere } = site;
  const vpc = roleLink(model.internal.interface);
  const chain = (table: Chain['table'], name: string, lines: readonly Line[]): Chain => ({
    family,
    table,
    chain: `${name}${number}`,
    lines,
  });
  const judged = (direction: 'Ingress' | 'Egress'): Line[] => {
    const policies = policy ? [policy] : [];
    const closing = closes(policies, direction) ? [{ text: `-j ${dropChain('Firewall')}`, origin }] : [];
    return [...forwardLines(rulesOf(policies, direction), family), ...closing];
  };
  const set = (what: Parameters<typeof siteSet>[0]): string => `${siteSet(what, number)}${family}`;
  const meets = link.line ? meetsLine(link.line, family) : { before: [], after: [] };
  const own = `0x${MARK.gateway.toString(16)}/0x${MARK.ownMask.toString(16)}`;
  return [
    chain('mangle', SITE_CHAINS.arrives, [
      ...meets.before,
      // An error belongs to the connection that it is about, whichever router on the way tells it.
      // And where all else may be behind it, answers come from anywhere.
      {
        text: `-m set ! --match-set ${set('remote')} src -m conntrack ! --ctstate RELATED${elsewhere.includes(family) ? ',ESTABLISHED' : ''} -j ${dropChain('Spoof')}`,
        origin,
      },
      ...meets.after,
      { text: `-j MARK --set-xmark ${own}` },
      { text: `-m conntrack --ctstate NEW -j CONNMARK --set-xmark ${own}` },
      ...(model.loadBalancers.length > 0 ? [{ text: `-m conntrack --ctstate NEW -j ${LISTENER_CHAIN}` }] : []),
      { text: `-m set ! --match-set ${set('offered')} dst -j MARK --set-xmark ${markBit(MARK.rejected)}` },
    ]),
    chain('filter', SITE_CHAINS.enters, [
      { text: `! -o ${vpc} -j ${dropChain('NoRule')}` },
      { text: '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT' },
      { text: '-m conntrack --ctstate INVALID -j DROP' },
      ...judged('Ingress'),
      { text: '-j ACCEPT', origin },
    ]),
    chain('filter', SITE_CHAINS.leaves, [
      { text: `-m set ! --match-set ${set('local')} src -j ${dropChain('NoRule')}` },
      ...judged('Egress'),
      { text: '-j ACCEPT', origin },
    ]),
    ...(translate.length === 0
      ? []
      : [
          chain(
            'nat',
            SITE_CHAINS.translates,
            translate
              .filter(({ network }) => network.family === family)
              .map(({ network, as }) => ({ text: `-s ${network.text} -j NETMAP --to ${as.text}`, origin })),
          ),
        ]),
  ];
}

/** By which its IFB is named. */
const parentOf = ({ name, line }: Linked['link']): string => (line ? lineParent(line.port, line.vlan) : name);

const FLOWS = 1024;

/** One class each way, that all of the link shares. */
function shapingOf({ site, link }: Linked, { facts }: CompileContext): NonNullable<Contribution['shaping']>[number][] {
  return DIRECTIONS.flatMap((direction) => {
    const rate = site.bandwidth[direction];
    if (rate === undefined) return [];
    const device = direction === 'egress' ? link.name : ifbOf(parentOf(link));
    const leaf = { quantum: quantumOf(rate), queue: leafText(facts.shaper?.leaf ?? 'bfifo', rate, FLOWS) };
    return [
      ...(direction === 'ingress' ? redirectEntries(link.name, device) : []),
      rootEntry(device),
      classEntry(device, { minor: SHAPING.gateway, parent: undefined, rate, ceiling: rate }),
      classEntry(device, { minor: SHAPING.rest, parent: SHAPING.gateway, rate, ceiling: rate, leaf }),
      ...ceilingEntries(device, direction, []),
    ].map(([key, text]) => {
      // What its meter reads is the class that packets wait in.
      const isMetered = key.endsWith(` class 1:${SHAPING.rest}`);
      return [key, isMetered ? { text, origin: site.origin } : { text }] as const;
    });
  });
}
