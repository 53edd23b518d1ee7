/** What must hold between objects, beyond each one's own schema. Every check names both sides and where they stand. */
import type { DocumentOf } from '../documents/document.js';
import { checkBalancers } from './check-balancer.js';
import { checkBandwidth } from './check-bandwidth.js';
import { checkLines } from './check-line.js';
import { checkVpn } from './check-vpn.js';
import { ownAddresses } from './own-addresses.js';
import { clashOf, claimsOf } from './claims.js';
import type { ElasticIp, ExternalNetwork, GatewayModel, InternalSide, Sides, SnatRule } from './gateway-model.js';
import { bitsOf, type Cidr, contains, containsCidr, type IpAddress, isLinkLocal, overlaps } from './ip.js';
import { rememberWithin } from './remember.js';
import type { Complaints } from './complaints.js';
import { blockBits } from './snat-ports.js';

export function checkModel(model: GatewayModel, gateway: DocumentOf<'VpcGateway'>, complaints: Complaints): void {
  checkInternal(model, gateway, complaints);
  checkExternals(model, gateway, complaints);
  checkSnatRules(model, complaints);
  checkDnatRules(model, complaints);
  checkIpv6Prefixes(model, complaints);
  checkBandwidth(model, complaints);
  checkBalancers(model, complaints);
  checkVpn(model, complaints);
  checkLines(model, complaints);
  checkClaims(model, complaints);
}

const list = (cidrs: readonly Cidr[]): string => cidrs.map((cidr) => cidr.text).join(', ');

function checkInternal(model: GatewayModel, gateway: DocumentOf<'VpcGateway'>, complaints: Complaints): void {
  const { addresses, routed } = model.internal;
  const at = (path: PropertyKey[], message: string): void =>
    complaints.at(gateway, ['spec', 'internal', ...path], message);
  const families = new Set<number>();
  addresses.forEach(({ address }, i) => {
    if (families.has(address.family))
      at(['addresses', i], `a second IPv${address.family} address; the next hop is one per family`);
    families.add(address.family);
  });
  routed.forEach(({ cidr, via }, i) => {
    if (cidr.family !== via.family)
      return at(['prefixes', i, 'via'], `${via.text} is not of the family of ${cidr.text}`);
    if (!addresses.some(({ network }) => contains(network, via)))
      at(
        ['prefixes', i, 'via'],
        `${via.text} is in none of the gateway's own subnets (${list(addresses.map((a) => a.network))})`,
      );
    const known = [...addresses.map(({ network }) => network), ...routed.slice(0, i).map((prefix) => prefix.cidr)];
    const twin = known.find((other) => other.text === cidr.text);
    if (twin) return at(['prefixes', i, 'cidr'], `${cidr.text} is a prefix of the VPC already`);
    const part = model.internal.prefixes.find((other) => other.length > cidr.length && containsCidr(cidr, other));
    if (part) at(['prefixes', i, 'cidr'], `${cidr.text} takes in ${part.text}, which the VPC has already`);
  });
}

function checkExternals(model: GatewayModel, gateway: DocumentOf<'VpcGateway'>, complaints: Complaints): void {
  const interfaces = new Map<string, string>([[model.internal.interface, 'spec.internal']]);
  if (model.management !== undefined) {
    if (interfaces.has(model.management))
      complaints.at(gateway, ['spec', 'management', 'interface'], `${model.management} is the internal interface`);
    interfaces.set(model.management, 'spec.management');
  }
  const names = new Set<string>();
  model.externals.forEach((external, i) => {
    const at = (path: PropertyKey[], message: string): void =>
      complaints.at(gateway, ['spec', 'externals', i, ...path], message);
    if (names.has(external.name)) at(['name'], `a second external network ${external.name}`);
    names.add(external.name);
    const user = interfaces.get(external.interface);
    if (user !== undefined) at(['interface'], `${external.interface} is in use by ${user} already`);
    interfaces.set(external.interface, `spec.externals[${i}]`);
    checkExternalAddresses(model, external, at);
  });
}

function checkExternalAddresses(
  model: GatewayModel,
  external: ExternalNetwork,
  at: (path: PropertyKey[], message: string) => void,
): void {
  const families = new Set<number>();
  external.addresses.forEach(({ address, network }, k) => {
    if (families.has(address.family))
      at(['addresses', k], `a second IPv${address.family} address; one per family is enough`);
    families.add(address.family);
    const inside = model.internal.prefixes.find((prefix) => overlaps(prefix, network));
    if (inside) at(['addresses', k], `${network.text} overlaps the VPC's ${inside.text}; the two sides must differ`);
  });
  const hops = new Set<number>();
  external.gateways.forEach((hop, k) => {
    if (hops.has(hop.family)) at(['gateways', k], `a second IPv${hop.family} next hop; one per family`);
    hops.add(hop.family);
    const own = external.addresses.filter(({ address }) => address.family === hop.family);
    if (own.length === 0)
      return at(['gateways', k], `${hop.text} needs an address of the gateway of the same family in addresses`);
    if (own.some(({ address }) => address.value === hop.value))
      return at(['gateways', k], `${hop.text} is the gateway's own address`);
    if (!isLinkLocal(hop) && !own.some(({ network }) => contains(network, hop)))
      at(['gateways', k], `${hop.text} is not in ${list(own.map((address) => address.network))}`);
  });
}

/** Checks an elastic IP against all that were added before, and adds it. */
export function addElasticIp(
  eip: ElasticIp,
  byAddress: Map<string, ElasticIp>,
  byTarget: Map<string, ElasticIp>,
  sides: Sides,
  complaints: Complaints,
): void {
  const { id } = eip.origin;
  const at = (path: readonly string[], message: string): void => complaints.of(id, ['spec', ...path], message);
  const twin = byAddress.get(eip.address.text);
  const owner = twin
    ? `the address of ${complaints.where(twin.origin.id)} too`
    : ownAddresses(sides).get(eip.address.text);
  if (owner !== undefined) at(['address'], `${eip.address.text} is ${owner}`);
  else byAddress.set(eip.address.text, eip);
  for (const { path, message } of ownProblems(eip, sides)) complaints.of(id, path, message);
  if (!eip.target) return;
  const other = byTarget.get(eip.target.text);
  if (!other) byTarget.set(eip.target.text, eip);
  else
    at(
      ['target', 'address'],
      `${eip.target.text} is the 1:1 target of ${complaints.where(other.origin.id)} already; it could leave by one of them only`,
    );
}

interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** What is wrong with an elastic IP by itself; asked again only when it or the gateway's own sides have changed. */
const ownProblems = rememberWithin((eip: ElasticIp, { internal, externals }: Sides): readonly Problem[] => {
  const problems: Problem[] = [];
  const at = (message: string): unknown => problems.push({ path: ['spec', 'address'], message });
  const prefix = internal.prefixes.find((candidate) => contains(candidate, eip.address));
  if (prefix) at(`${eip.address.text} is inside the VPC's own ${prefix.text}`);
  const external = externals.find(({ name }) => name === eip.external);
  if (external && !external.addresses.some(({ address }) => address.family === eip.address.family))
    at(
      `external network ${eip.external} has no IPv${eip.address.family} address of the gateway, so ${eip.address.text} cannot be reached there`,
    );
  if (eip.target) problems.push(...targetProblems(internal, eip.target, eip.address));
  return problems;
});

function targetProblems({ prefixes, addresses }: InternalSide, target: IpAddress, eip: IpAddress): Problem[] {
  const at = (message: string): Problem[] => [{ path: ['spec', 'target', 'address'], message }];
  if (target.family !== eip.family)
    return at(
      `${target.text} is not of the family of ${eip.text}; an elastic IP and its target are both IPv4 or both IPv6`,
    );
  if (!prefixes.some((prefix) => contains(prefix, target)))
    return at(`${target.text} is outside the VPC's prefixes (${list(prefixes)})`);
  const own = addresses.some(({ address }) => address.text === target.text);
  return own ? at(`${target.text} is the gateway's own address`) : [];
}

function checkSnatRules(model: GatewayModel, complaints: Complaints): void {
  const sources = new Map<string, string>();
  for (const rule of model.snatRules) {
    const { id } = rule.origin;
    const seen = new Set<string>();
    rule.pool.forEach((eip, i) => {
      if (seen.has(eip.name)) complaints.of(id, ['spec', 'elasticIPs', i], `${eip.name} stands twice in the pool`);
      seen.add(eip.name);
      if (eip.target)
        complaints.of(
          id,
          ['spec', 'elasticIPs', i],
          `${complaints.where(eip.origin.id)} is bound 1:1 to ${eip.target.text}; others cannot leave by it`,
        );
    });
    if (new Set(rule.pool.map((eip) => eip.external)).size > 1)
      complaints.of(id, ['spec', 'elasticIPs'], 'the pool spans several external networks; write a rule for each');
    warnOfSharedBlocks(rule, complaints);
    rule.sources.forEach((source, i) => {
      const path = ['spec', 'sources', i, 'cidr'];
      const owner = sources.get(source.text);
      if (owner !== undefined)
        complaints.of(id, path, `${source.text} is a source of ${complaints.where(owner)} already`);
      else sources.set(source.text, id);
      if (!model.internal.prefixes.some((prefix) => overlaps(prefix, source)))
        complaints.of(id, path, `${source.text} is outside the VPC's prefixes (${list(model.internal.prefixes)})`);
      if (rule.pool.length > 0 && !rule.pool.some((eip) => eip.address.family === source.family))
        complaints.of(id, path, `${source.text} is IPv${source.family}, and no elastic IP of the pool is`);
    });
  }
}

/** Said at the rule, since nothing is wrong: the blocks are fewer than the sources that may come. */
function warnOfSharedBlocks({ sources, pool, portsPerSource, origin }: SnatRule, complaints: Complaints): void {
  if (portsPerSource === undefined) return;
  for (const family of [4, 6] as const) {
    const own = sources.filter((source) => source.family === family);
    const addresses = pool.filter((eip) => eip.address.family === family).length;
    if (own.length === 0 || addresses === 0) continue;
    const sourceBits = bitsOf(family) - Math.min(...own.map((source) => source.length));
    const bits = blockBits(portsPerSource, addresses, sourceBits);
    if (bits < sourceBits)
      complaints.of(
        origin.id,
        ['spec', 'portsPerSource'],
        `${addresses} elastic IP${addresses === 1 ? '' : 's'} give ${1 << bits} blocks of ${portsPerSource} ports, fewer than the sources may be; those whose addresses are equal in the last ${bits} bits share one`,
        'Warning',
      );
  }
}

function checkDnatRules(model: GatewayModel, complaints: Complaints): void {
  for (const rule of model.dnatRules)
    for (const { path, message } of targetProblems(model.internal, rule.target, rule.elasticIp.address))
      complaints.of(rule.origin.id, path, message);
}

function checkIpv6Prefixes(model: GatewayModel, complaints: Complaints): void {
  for (const prefix of model.ipv6Prefixes) {
    const { id } = prefix.origin;
    const at = (path: PropertyKey[], message: string): void => complaints.of(id, ['spec', ...path], message);
    const twin = model.ipv6Prefixes.find(
      (other) => other !== prefix && other.name < prefix.name && overlaps(other.prefix, prefix.prefix),
    );
    if (twin)
      at(['prefix'], `${prefix.prefix.text} overlaps ${twin.prefix.text} of ${complaints.where(twin.origin.id)}`);
    const external = model.externals.find(({ name }) => name === prefix.external);
    if (external && !external.gateways.some((hop) => hop.family === 6))
      at(['external'], `external network ${external.name} has no IPv6 next hop`);
    const inside = prefix.internalPrefix ?? prefix.prefix;
    if (!model.internal.prefixes.some((vpc) => overlaps(vpc, inside)))
      at(
        [prefix.internalPrefix ? 'translate' : 'prefix'],
        `${inside.text} is outside the VPC's prefixes (${list(model.internal.prefixes)})`,
      );
    if (!prefix.internalPrefix) continue;
    if (prefix.internalPrefix.family !== 6 || prefix.internalPrefix.length !== prefix.prefix.length)
      at(
        ['translate', 'internal'],
        `${prefix.internalPrefix.text} must be an IPv6 prefix of length ${prefix.prefix.length}, like ${prefix.prefix.text}`,
      );
    const vpc = model.internal.prefixes.find((candidate) => overlaps(candidate, prefix.prefix));
    if (vpc) at(['prefix'], `${prefix.prefix.text} is translated, yet overlaps the VPC's ${vpc.text}`);
  }
}

/** Two objects that want the same address, protocol and port; and a whole address beside others' SNAT. */
function checkClaims(model: GatewayModel, complaints: Complaints): void {
  const claims = claimsOf(model);
  for (const [first, second] of clashOf(claims))
    complaints.of(
      second.origin.id,
      second.path,
      `${second.what} overlaps ${first.what} of ${complaints.where(first.origin.id)}`,
    );
  const whole = new Map(
    model.dnatRules.filter((rule) => rule.protocol === 'Any').map((rule) => [rule.elasticIp.name, rule]),
  );
  for (const rule of model.snatRules)
    rule.pool.forEach((eip, i) => {
      const all = whole.get(eip.name);
      if (all)
        complaints.of(
          rule.origin.id,
          ['spec', 'elasticIPs', i],
          `${complaints.where(all.origin.id)} takes all of ${eip.address.text}; others cannot leave by it`,
        );
    });
}
