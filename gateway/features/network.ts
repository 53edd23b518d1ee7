/**
 * The gateway itself: role links above the platform's interfaces, the next hop, a routing table for each side, and
 * the chains that every packet passes. Nothing here depends on how many elastic IPs there are.
 */
import type { Line, Table } from '../kernel/state.js';
import type { ExternalNetwork, GatewayModel } from '../model/gateway-model.js';
import { givenWay, isPair } from '../model/high-availability.js';
import { type Family, hostCidr, isLinkLocal } from '../model/ip.js';
import { judges, rejects } from '../model/firewall.js';
import {
  DROP_REASONS,
  dropChain,
  EGRESS_CHAIN,
  HELD_SET,
  INGRESS_CHAIN,
  LIMIT_CHAIN,
  LINK_PREFIX,
  LISTENER_CHAIN,
  MARK,
  markBit,
  markOfExternal,
  REJECT_CHAIN,
  roleLink,
  ROUTE_PROTOCOL,
  RULE_PREF,
  SITE_CHAINS,
  SOURCE_LIMIT_CHAIN,
  TABLE_VPC,
  tableOfExternal,
  TUNNEL_PREFIX,
} from '../model/ownership.js';
import { limitsInbound, limitsSources } from '../model/limits.js';
import { portsOf } from '../model/line.js';
import { sitesOf } from '../model/site-link.js';
import { endMatches } from '../model/vpn.js';
import { byIpvs, type CompileContext, type Contribution, FAMILIES, type Feature, ofFamily, scope } from './feature.js';
import { networkSysctls } from './network-sysctls.js';
import { heardOnLine, placedLines } from './line.js';
import { linkedSites } from './sites.js';

const hex = (n: number): string => `0x${n.toString(16)}`;
/** A connection that a policy rejects is not translated: its answer comes from the address that it was opened to. */
const TRANSLATED_MARK = `${hex(MARK.gateway)}/${hex(MARK.gateway | MARK.rejected)}`;
const REJECTED_MARK = markBit(MARK.rejected);
const BALANCED_MARK = markBit(MARK.balanced);
const GATEWAY_MARK = markBit(MARK.gateway);
const FROM_VPC_MARK = markBit(MARK.fromVpc);
const OWN_BITS = hex(MARK.ownMask);
/** Of a connection that the VPC opened, and that no external network is named for. */
const NO_WAY_MARK = `${hex(MARK.gateway | MARK.fromVpc)}/${OWN_BITS}`;
const ESTABLISHED = '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT';
/** Answered, and for TCP past its handshake: nothing is left to clamp or to reject. */
const ASSURED = '-m conntrack --ctstate RELATED,ESTABLISHED --ctstatus ASSURED -j ACCEPT';
/** Said by the caller, which spares all others the chain, and by each rule: the legacy variant takes TCPMSS only with it. */
const OPENS_TCP = '-p tcp -m tcp --tcp-flags SYN,RST SYN';
const DEFAULT_MTU = 1500;

export const network: Feature = {
  name: 'network',
  compile(model, context) {
    return {
      sysctls: networkSysctls(model),
      links: [
        { parent: model.internal.interface },
        ...model.externals.map((external) => ({ parent: external.interface })),
      ],
      addresses: [
        ...model.internal.addresses.map(({ text }) => ({ parent: model.internal.interface, text })),
        ...model.externals.flatMap((external) =>
          external.addresses.map(({ text }) => ({ parent: external.interface, text })),
        ),
      ],
      routes: [...vpcRoutes(model), ...model.externals.flatMap((external) => externalRoutes(external, context))],
      rules: FAMILIES.flatMap((family) => routingRules(family, model, context).map((text) => ({ family, text }))),
      chains: FAMILIES.flatMap((family) => baseChains(family, model, context).map((chain) => ({ family, ...chain }))),
      hooks: FAMILIES.flatMap((family) => hooks().map((hook) => ({ family, ...hook }))),
    };
  },
};

function vpcRoutes(model: GatewayModel): NonNullable<Contribution['routes']>[number][] {
  const dev = roleLink(model.internal.interface);
  const direct = model.internal.addresses.map(({ address, network }) => ({
    family: address.family,
    text: `${network.text} dev ${dev} table ${TABLE_VPC} proto ${ROUTE_PROTOCOL}${scope(address.family, 'link')} src ${address.text}`,
  }));
  const routed = model.internal.routed.map(({ cidr, via }) => ({
    family: cidr.family,
    text: `${cidr.text} via ${via.text} dev ${dev} table ${TABLE_VPC} proto ${ROUTE_PROTOCOL}${sourceOf(model.internal.addresses, cidr.family)}`,
  }));
  return [...direct, ...routed];
}

function sourceOf(addresses: Parameters<typeof ofFamily>[0], family: Family): string {
  const own = ofFamily(addresses, family);
  return own ? ` src ${own.address.text}` : '';
}

function externalRoutes(
  external: ExternalNetwork,
  context: CompileContext,
): NonNullable<Contribution['routes']>[number][] {
  const dev = roleLink(external.interface);
  const table = tableOfExternal(context.externalIndex(external.name));
  const tail = `table ${table} proto ${ROUTE_PROTOCOL}`;
  const direct = external.addresses.map(({ address, network }) => ({
    family: address.family,
    text: `${network.text} dev ${dev} ${tail}${scope(address.family, 'link')} src ${address.text}`,
  }));
  const hops = external.gateways.map((hop) => ({
    family: hop.family,
    text: `default via ${hop.text} dev ${dev} ${tail}${sourceOf(external.addresses, hop.family)}${isLinkLocal(hop) && hop.family === 4 ? ' onlink' : ''}`,
  }));
  return [...direct, ...hops];
}

/** What a packet's mark and source say about where it may go; what nothing matches is refused, never sent by the main table. */
function routingRules(family: Family, model: GatewayModel, context: CompileContext): string[] {
  // A default route that a line has learnt is none of whoever has a way out of their own.
  const vpc = `lookup ${TABLE_VPC} suppress_prefixlength 0`;
  const rules = [`${RULE_PREF.vpc}: from all fwmark ${GATEWAY_MARK} ${vpc}`];
  const own = ofFamily(model.internal.addresses, family);
  for (const external of model.externals) {
    const index = context.externalIndex(external.name);
    const address = ofFamily(external.addresses, family);
    rules.push(
      `${RULE_PREF.external + index}: from all fwmark ${hex(markOfExternal(index))}/${hex(MARK.externalMask | MARK.gateway)} lookup ${tableOfExternal(index)}`,
    );
    if (address)
      rules.push(`${RULE_PREF.fromExternalAddress}: from ${address.address.text} lookup ${tableOfExternal(index)}`);
  }
  if (own) rules.push(`${RULE_PREF.fromVpcAddress}: from ${own.address.text} ${vpc}`);
  if (model.dedicatedLines.some(({ site }) => site.elsewhere.includes(family)))
    rules.push(`${RULE_PREF.elsewhere}: from all fwmark ${NO_WAY_MARK} lookup ${TABLE_VPC}`);
  rules.push(`${RULE_PREF.refuse}: from all fwmark ${GATEWAY_MARK} unreachable`);
  for (const parent of [model.internal.interface, ...model.externals.map((external) => external.interface)])
    rules.push(`${RULE_PREF.refuse}: from all iif ${roleLink(parent)} unreachable`);
  for (const { line, link } of placedLines(model, context))
    for (const name of [link.name, line.port]) rules.push(`${RULE_PREF.refuse}: from all iif ${name} unreachable`);
  return rules;
}

function hooks(): { table: Table; chain: string; line: Line }[] {
  const hook = (table: Table, chain: string, text: string): { table: Table; chain: string; line: Line } => ({
    table,
    chain,
    line: { text },
  });
  return [
    hook('mangle', 'PREROUTING', '-j VG-MARK'),
    hook('nat', 'PREROUTING', `-m mark --mark ${TRANSLATED_MARK} -j VG-D`),
    hook('nat', 'POSTROUTING', `-m mark --mark ${FROM_VPC_MARK} -j VG-SNAT`),
    hook('filter', 'INPUT', '-j VG-IN'),
    hook('filter', 'FORWARD', '-j VG-FWD'),
  ];
}

function baseChains(
  family: Family,
  model: GatewayModel,
  context: CompileContext,
): { table: Table; chain: string; lines: Line[] }[] {
  const chain = (
    table: Table,
    name: string,
    texts: readonly string[],
  ): { table: Table; chain: string; lines: Line[] } => ({
    table,
    chain: name,
    lines: texts.map((text) => ({ text })),
  });
  const vpc = roleLink(model.internal.interface);
  const sites = linkedSites(model, context);
  return [
    chain('mangle', 'VG-MARK', [...markRules(vpc, model, context), ...sites.map(arrivesFrom)]),
    chain('mangle', 'VG-VPC', [
      '-m conntrack --ctstate NEW -j VG-NEW',
      `-j CONNMARK --restore-mark --nfmask ${OWN_BITS} --ctmask ${OWN_BITS}`,
    ]),
    chain('mangle', 'VG-NEW', newConnectionRules(family, model)),
    ...model.externals.flatMap((external) => {
      const index = context.externalIndex(external.name);
      const mark = `${hex(markOfExternal(index))}/${OWN_BITS}`;
      return [
        chain('mangle', `VG-EXT-${index}`, [
          ...claimedSources(family, model).map((sources) => `${sources} -j ${dropChain('Spoof')}`),
          `-j MARK --set-xmark ${mark}`,
          `-m conntrack --ctstate NEW -j VG-OPEN-${index}`,
        ]),
        chain('mangle', `VG-OPEN-${index}`, [
          ownSource(family),
          `-j CONNMARK --set-xmark ${mark}`,
          ...openingRules(family, model),
        ]),
      ];
    }),
    ...dropChains().map(({ table, name }) => chain(table, name, ['-j DROP'])),
    chain('filter', 'VG-MSS', mssRules(family, vpc, model, context)),
    chain('nat', 'VG-SNAT', [
      ...sites.map(({ link }) => `-o ${link.name} -j RETURN`),
      ...sourceNatRules(family, vpc, model, context),
    ]),
    chain('filter', 'VG-FWD', forwardRules(vpc, model, sites)),
    chain('filter', 'VG-FWD-VPC', fromVpcRules(family, vpc, model, sites)),
    chain('filter', 'VG-IN', [
      ...rejectRules(model),
      ...fromPeer(model, context),
      ...toBalancer(model, context),
      ...inputRules(vpc, model),
      ...placedLines(model, context).flatMap((placed) => heardOnLine(placed, family)),
      ...portsOf(model.dedicatedLines).map((port) => `-i ${port} -j ${dropChain('NoRule')}`),
      // A site is heard as the VPC is: a ping of the next hop.
      ...sites.map(({ link }) => `-i ${link.name} -j VG-IN-VPC`),
    ]),
    chain('filter', 'VG-IN-VPC', ownServices(family, model.internal.addresses)),
    chain(
      'filter',
      'VG-IN-EXT',
      ownServices(
        family,
        model.externals.flatMap((external) => external.addresses),
        tunnelEnds(family, model),
      ),
    ),
  ];
}

function markRules(vpc: string, model: GatewayModel, context: CompileContext): string[] {
  return [
    `-i ${vpc} -j VG-VPC`,
    ...model.externals.map(
      (external) => `-i ${roleLink(external.interface)} -j VG-EXT-${context.externalIndex(external.name)}`,
    ),
  ];
}

/** Nobody opens a connection with an address of the gateway's own. Asked here, the kernel need not look up every source. */
const ownSource = (family: Family): string =>
  `-m addrtype --src-type ${family === 4 ? 'LOCAL,BROADCAST' : 'LOCAL'} -j ${dropChain('Spoof')}`;

/** Every packet from outside is asked whether it claims to be the VPC's: ten comparisons cost less than one look-up. */
const COMPARED_SOURCES = 10;

function claimedSources(family: Family, model: GatewayModel): string[] {
  const own = model.internal.prefixes.filter((prefix) => prefix.family === family);
  return own.length > COMPARED_SOURCES
    ? [`-m set --match-set vg-vpc${family} src`]
    : own.map((prefix) => `-s ${prefix.text}`);
}

/** What somebody opens to an elastic IP or a public prefix passes policies and limits; the gateway's own addresses do not. */
function openingRules(family: Family, model: GatewayModel, condition = ''): string[] {
  const asked = model.loadBalancers.length > 0 ? [`-j ${LISTENER_CHAIN}`] : [];
  const chains = [
    ...(judges(model.firewall, 'Ingress') ? [INGRESS_CHAIN] : []),
    ...(limitsInbound(model) ? [LIMIT_CHAIN] : []),
  ];
  if (chains.length === 0) return asked;
  return [
    ...asked,
    ...ownAddresses(family, model).map((address) => `-d ${address} -j RETURN`),
    ...chains.map((chain) => `${condition}-j ${chain}`),
  ];
}

const ownAddresses = (family: Family, model: GatewayModel): string[] =>
  [
    ...[...model.internal.addresses, ...model.externals.flatMap((external) => external.addresses)].map(
      ({ address }) => address,
    ),
    // Reached by the VPC alone: no policy of what is public concerns it.
    ...model.loadBalancers.flatMap((balancer) => balancer.address ?? []),
  ]
    .filter((address) => address.family === family)
    .map((address) => hostCidr(address).text);

/** A hairpin is opened to an elastic IP too: these, and the gateway's own addresses, are all that is local here. */
const HAIRPIN = '-m addrtype --dst-type LOCAL ';

const rejectRules = (model: GatewayModel): string[] =>
  rejects(model.firewall, 'Ingress') || model.loadBalancers.length + sitesOf(model).length > 0
    ? [`-m mark --mark ${REJECTED_MARK} -j ${REJECT_CHAIN}`]
    : [];

/** A connection that the VPC opens: a source that is not the VPC's is dropped; the source names the external network. */
function newConnectionRules(family: Family, model: GatewayModel): string[] {
  return [
    `-m set ! --match-set vg-vpc${family} src -j ${dropChain('Spoof')}`,
    ownSource(family),
    `-j MARK --set-xmark ${hex(MARK.gateway | MARK.fromVpc)}/${OWN_BITS}`,
    `-j SET --map-set vg-src${family} src --map-mark`,
    `-j CONNMARK --save-mark --nfmask ${OWN_BITS} --ctmask ${OWN_BITS}`,
    ...(limitsSources(model) ? [`-j ${SOURCE_LIMIT_CHAIN}`] : []),
    ...openingRules(family, model, HAIRPIN),
  ];
}

const dropChains = (): { table: Table; name: string }[] =>
  (['mangle', 'filter'] as const).flatMap((table) =>
    DROP_REASONS[table].map((reason) => ({ table, name: dropChain(reason) })),
  );

/** Both directions by the smaller of the two links, as the far side's answer crosses both. */
function mssRules(family: Family, vpc: string, model: GatewayModel, context: CompileContext): string[] {
  const headers = family === 4 ? 40 : 60;
  const mtuOf = (name: string): number => context.facts.mtu.get(name) ?? DEFAULT_MTU;
  const sides = [
    ...model.externals.map(({ interface: parent }) => ({ link: roleLink(parent), mtu: mtuOf(parent) })),
    ...linkedSites(model, context).map(({ link: { name, mtu } }) => ({ link: name, mtu })),
  ];
  return sides.flatMap(({ link, mtu }) => {
    const mss = Math.min(mtuOf(model.internal.interface), mtu) - headers;
    return [
      `-i ${vpc} -o ${link} ${OPENS_TCP} -j TCPMSS --set-mss ${mss}`,
      `-i ${link} -o ${vpc} ${OPENS_TCP} -j TCPMSS --set-mss ${mss}`,
    ];
  });
}

/** Inside the VPC nothing is translated, but for a hairpin: its answer must come back through the gateway. */
function sourceNatRules(family: Family, vpc: string, model: GatewayModel, context: CompileContext): string[] {
  const own = ofFamily(model.internal.addresses, family);
  return [
    // What IPVS leads to a member is not translated in the eyes of connection tracking.
    ...(own && byIpvs(model, context)
      ? [`-o ${vpc} -m mark --mark ${BALANCED_MARK} -j SNAT --to-source ${own.address.text}`]
      : []),
    `-o ${vpc} -m conntrack ! --ctstate DNAT -j ACCEPT`,
    '-j VG-S',
    ...(own ? [`-o ${vpc} -m conntrack --ctstate DNAT -j SNAT --to-source ${own.address.text}`] : []),
  ];
}

type Sites = ReturnType<typeof linkedSites>;

const arrivesFrom = ({ link, number }: Sites[number]): string => `-i ${link.name} -j ${SITE_CHAINS.arrives}${number}`;

function forwardRules(vpc: string, model: GatewayModel, sites: Sites): string[] {
  const externals = model.externals.map((external) => roleLink(external.interface));
  const parents = [
    model.internal.interface,
    ...model.externals.map((external) => external.interface),
    ...portsOf(model.dedicatedLines),
  ];
  return [
    // First of all what is nearly all of the traffic.
    `-i ${LINK_PREFIX}+ ${ASSURED}`,
    ...(sites.some(({ link }) => !link.line) ? [`-i ${TUNNEL_PREFIX}+ -o ${vpc} ${ASSURED}`] : []),
    ...rejectRules(model),
    `${OPENS_TCP} -j VG-MSS`,
    `-i ${LINK_PREFIX}+ ${ESTABLISHED}`,
    `-i ${vpc} -j VG-FWD-VPC`,
    ...externals.map((link) => `-i ${link} -j VG-FWD-EXT`),
    ...sites.map(({ link, number }) => `-i ${link.name} -j ${SITE_CHAINS.enters}${number}`),
    ...[vpc, ...externals, ...sites.map(({ link }) => link.name)].map((link) => `-o ${link} -j DROP`),
    ...parents.map((link) => `-i ${link} -j DROP`),
  ];
}

function fromVpcRules(family: Family, vpc: string, model: GatewayModel, sites: Sites): string[] {
  const limit = model.limits.connectionsPerSource;
  const judged = judges(model.firewall, 'Egress');
  return [
    '-m conntrack --ctstate INVALID -j DROP',
    ...(limit === undefined
      ? []
      : [
          `-m connlimit --connlimit-above ${limit} --connlimit-mask ${family === 4 ? 32 : 128} --connlimit-saddr -j ${dropChain('ConnectionLimit')}`,
        ]),
    `-o ${vpc} -j ACCEPT`,
    ...sites.map(({ link, number }) => `-o ${link.name} -j ${SITE_CHAINS.leaves}${number}`),
    ...model.externals.flatMap((external) => {
      const out = `-o ${roleLink(external.interface)}`;
      return [...(judged ? [`${out} -j ${EGRESS_CHAIN}`] : []), `${out} -j ACCEPT`];
    }),
    `-j ${dropChain('NoRule')}`,
  ];
}

/** Where a pair's second path is an external interface: what its table of members has let in from the peer. */
function fromPeer(model: GatewayModel, { facts: { member } }: CompileContext): string[] {
  const ways = isPair(model) ? (member?.paths ?? []).map(givenWay) : [];
  return ways
    .filter((way) => model.externals.some((external) => external.interface === way.interface))
    .map((way) => `-i ${way.interface} -m conntrack --ctstate UNTRACKED -j ACCEPT`);
}

/** New connections to listeners: whoever may not open one was told so by now. */
const toBalancer = (model: GatewayModel, context: CompileContext): string[] =>
  byIpvs(model, context) ? [`-m mark --mark ${BALANCED_MARK} -j ACCEPT`] : [];

function inputRules(vpc: string, model: GatewayModel): string[] {
  return [
    `-i ${vpc} -j VG-IN-VPC`,
    `-i ${model.internal.interface} -j VG-IN-VPC`,
    ...model.externals.flatMap((external) => [
      `-i ${roleLink(external.interface)} -j VG-IN-EXT`,
      `-i ${external.interface} -j VG-IN-EXT`,
    ]),
  ];
}

/** What the gateway answers itself: neighbour discovery, and ping at its own addresses; never at an elastic IP. */
function ownServices(
  family: Family,
  addresses: Parameters<typeof ofFamily>[0],
  services: readonly string[] = [],
): string[] {
  const mine = addresses.filter(({ address }) => address.family === family).map(({ address }) => address.text);
  const echo =
    family === 4 ? '-p icmp -m icmp --icmp-type 8 -j ACCEPT' : '-p ipv6-icmp -m icmp6 --icmpv6-type 128 -j ACCEPT';
  const discovery =
    family === 4 ? [] : [135, 136].map((type) => `-p ipv6-icmp -m icmp6 --icmpv6-type ${type} -j ACCEPT`);
  return [
    ESTABLISHED,
    ...discovery,
    ...mine.map((address) => `-d ${address}/${family === 4 ? 32 : 128} ${echo}`),
    ...services.map((service) => `${service} -j ACCEPT`),
    `-m set --match-set ${HELD_SET}${family} dst -j ${dropChain('Hold')}`,
    `-j ${dropChain('NoRule')}`,
  ];
}

/** At elastic IPs, where the tunnels end. */
const tunnelEnds = (family: Family, { vpnConnections }: GatewayModel): string[] =>
  vpnConnections
    .filter(({ elasticIp }) => elasticIp.address.family === family)
    .flatMap((connection) =>
      endMatches(connection).map((match) => `-d ${hostCidr(connection.elasticIp.address).text} ${match}`),
    )
    // Tunnels of IPsec share theirs.
    .filter((match, i, all) => all.indexOf(match) === i);
