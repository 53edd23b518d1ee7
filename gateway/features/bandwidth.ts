/**
 * Limits of bandwidth: a tree of classes on each external network, one for what goes out and one for what comes in.
 *
 *   1:  1:1 the gateway's ceiling ── package's ceiling ── elastic IP
 *                                 ├─ elastic IP
 *                                 └─ 1:2 the rest, only under a gateway's ceiling
 *
 * HTB lets a class send its own `rate` whatever the ceilings around it, and lets it borrow up to its own. So below a
 * ceiling a class's rate is what it is guaranteed, next to nothing for most, and all the rest is borrowed.
 */
import {
  addressEntry,
  bankEntries,
  bankOf,
  ceilingEntries,
  classEntry,
  type Entry,
  LEAST_BANKS,
  leafText,
  quantumOf,
  redirectEntries,
  rootEntry,
} from '../kernel/shaping/entry.js';
import {
  type BandwidthPackage,
  classNameOf,
  classNameOfPackage,
  type Direction,
  DIRECTIONS,
  type Limit,
  limitOf,
  promisedBy,
  type Shared,
} from '../model/bandwidth.js';
import type { ElasticIp, ExternalNetwork, GatewayModel } from '../model/gateway-model.js';
import { type Family, hostCidr } from '../model/ip.js';
import { ifbOf, roleLink, SHAPING, shapingClass } from '../model/ownership.js';
import { type CompileContext, FAMILIES, type Feature, type ShapingEntry } from './feature.js';

/** The most that a scalar `rate` takes: no ceiling. */
const UNLIMITED = 400e9;
/** All of 5,000 elastic IPs together are not worth a ceiling's while. */
const LEAST = 1_000;
const FLOWS_OF_ONE = 32;
const FLOWS_OF_ALL = 1024;

export const bandwidth: Feature = {
  name: 'bandwidth',
  compile(model, context) {
    if (context.facts.shaper?.lacking !== undefined) return {};
    const trees = model.externals.flatMap((external) =>
      DIRECTIONS.map((direction) => ({
        external,
        direction,
        entries: compileTree(model, external, direction, context),
      })),
    );
    const incoming = trees.filter(({ direction, entries }) => direction === 'ingress' && entries.length > 0);
    return {
      ifbs: incoming.map(({ external }) => ({ parent: external.interface })),
      shaping: [
        ...trees.flatMap(({ entries }) => entries),
        ...[...model.elasticIps.values()].flatMap((eip) => compileLimits(eip, model, context)),
      ],
    };
  },
};

/** What goes out is queued on the role link, what comes in on the IFB that it is led through. */
export const deviceOf = (parent: string, direction: Direction): string =>
  direction === 'egress' ? roleLink(parent) : ifbOf(parent);

/** All but the elastic IPs' own classes; nothing where nothing is limited. */
function compileTree(
  model: GatewayModel,
  external: ExternalNetwork,
  direction: Direction,
  context: CompileContext,
): ShapingEntry[] {
  const ceiling = model.bandwidth[direction];
  const limited = [...model.elasticIps.values()].filter(
    (eip) => eip.external === external.name && limitOf(eip, model, direction),
  );
  if (ceiling === undefined && limited.length === 0) return [];
  const device = deviceOf(external.interface, direction);
  const own = external.addresses.map(({ address }) => hostCidr(address));
  const rate = ceiling ?? UNLIMITED;
  const entries = [
    ...(direction === 'ingress' ? redirectEntries(roleLink(external.interface), device) : []),
    rootEntry(device),
    classEntry(device, { minor: SHAPING.gateway, parent: undefined, rate, ceiling: rate }),
    ...(ceiling === undefined ? [] : [restClass(device, ceiling, context), ...ceilingEntries(device, direction, own)]),
    ...banksOf(limited, model, context).flatMap(({ family, bank }) => bankEntries(device, direction, family, bank)),
  ];
  const packages = model.packages.filter((pack) => pack.external === external.name);
  return [
    ...entries.map(([key, text]): ShapingEntry => [key, { text }]),
    ...packages.flatMap((pack) => packageClass(device, pack, direction, model, context)),
  ];
}

const restClass = (device: string, ceiling: number, context: CompileContext): Entry =>
  classEntry(device, {
    minor: SHAPING.rest,
    parent: SHAPING.gateway,
    rate: LEAST,
    ceiling,
    leaf: { quantum: quantumOf(ceiling), queue: queueOf(context, ceiling, FLOWS_OF_ALL) },
  });

const queueOf = ({ facts }: CompileContext, ceiling: number, flows: number): string =>
  leafText(facts.shaper?.leaf ?? 'bfifo', ceiling, flows);

function banksOf(eips: readonly ElasticIp[], shared: Shared, { classNumber }: CompileContext) {
  const banks = new Map<string, { family: Family; bank: number }>();
  for (const family of FAMILIES)
    for (let bank = 0; bank < LEAST_BANKS; bank++) banks.set(`${family} ${bank}`, { family, bank });
  for (const eip of eips) {
    const { family } = eip.address;
    const bank = bankOf(classNumber(classNameOf(eip, shared) ?? ''));
    banks.set(`${family} ${bank}`, { family, bank });
  }
  return [...banks.values()];
}

function packageClass(
  device: string,
  pack: BandwidthPackage,
  direction: Direction,
  { bandwidth: outer }: Shared,
  { classNumber }: CompileContext,
): ShapingEntry[] {
  const own = pack.bandwidth[direction];
  if (own === undefined) return [];
  const above = outer[direction];
  const ceiling = Math.min(own, above ?? Infinity);
  const rate = above === undefined ? ceiling : Math.max(promisedBy(pack)[direction], LEAST);
  const minor = shapingClass(classNumber(classNameOfPackage(pack)));
  const [key, text] = classEntry(device, { minor, parent: SHAPING.gateway, rate, ceiling });
  return [[key, { text, origin: pack.origin }]];
}

/**
 * What a member of a package may send without borrowing: as much as all could at once in a part of what is not promised.
 * The more the better, since a class pays for each packet at its rate: one of 1 kbit owes a minute after a single large
 * one, and would have to pay that first when it is guaranteed more. The count is rounded, so that it seldom changes.
 */
function leastOf(limit: Limit, shared: Shared, direction: Direction): number {
  const pack = limit.package;
  if (!pack) return LEAST;
  const above = shared.bandwidth[direction];
  // Below a gateway's ceiling, the members of all packages have to fit into it together.
  const packs = above === undefined ? [pack] : shared.packages.filter(({ external }) => external === pack.external);
  const promised = packs.reduce((sum, each) => sum + promisedBy(each)[direction], 0);
  const members = packs.reduce((sum, each) => sum + each.members.length, 0);
  const spare = Math.min(pack.bandwidth[direction] ?? Infinity, above ?? Infinity) - promised;
  // What is not in a package borrows there too, and would be left behind.
  const part = above === undefined ? 1 / 2 : 1 / 64;
  return Math.max((spare * part) / 2 ** Math.ceil(Math.log2(members)), LEAST);
}

/** The classes of one elastic IP, and the filters that lead to them: independent of all others. */
export function compileLimits(eip: ElasticIp, shared: Shared, context: CompileContext): ShapingEntry[] {
  const name = classNameOf(eip, shared);
  if (name === undefined || context.facts.shaper?.lacking !== undefined) return [];
  const number = context.classNumber(name);
  const minor = shapingClass(number);
  return DIRECTIONS.flatMap((direction): ShapingEntry[] => {
    const limit = limitOf(eip, shared, direction);
    if (!limit) return [];
    const device = deviceOf(context.external(eip.external).interface, direction);
    const around = Math.min(limit.package?.bandwidth[direction] ?? Infinity, shared.bandwidth[direction] ?? Infinity);
    const alone = around === Infinity;
    const own = classEntry(device, {
      minor,
      parent: limit.package ? shapingClass(context.classNumber(classNameOfPackage(limit.package))) : SHAPING.gateway,
      rate: alone
        ? limit.ceiling
        : Math.min(Math.max(limit.guaranteed, leastOf(limit, shared, direction)), limit.ceiling),
      ceiling: limit.ceiling,
      leaf: {
        quantum: quantumOf(alone ? limit.ceiling : around),
        queue: queueOf(context, limit.ceiling, FLOWS_OF_ONE),
      },
    });
    const lookUp = addressEntry(device, direction, eip.address, number, minor);
    return [own, lookUp].map(([key, text]): ShapingEntry => [key, { text, origin: eip.origin }]);
  });
}
