/**
 * Limits of bandwidth: what the documents say, and what an elastic IP gets of it. Rates are in bits a second; ingress is
 * from outside to the VPC.
 */
import type { ElasticIp, GatewayModel, Origin } from './gateway-model.js';
import { remember } from './remember.js';
import { type Sites, sitesOf } from './site-link.js';

export const DIRECTIONS = ['ingress', 'egress'] as const;
export type Direction = (typeof DIRECTIONS)[number];
export type Bandwidth = { readonly [D in Direction]?: number | undefined };

export const NO_LIMIT: Bandwidth = {};

export const RATE_UNITS = { k: 1_000, M: 1_000_000, G: 1_000_000_000 } as const;

/** As somebody would write it: in the largest unit that leaves a whole number. */
export function formatRate(bitsPerSecond: number): string {
  const [unit, size] = Object.entries(RATE_UNITS).findLast(([, candidate]) => bitsPerSecond % candidate === 0) ?? [
    '',
    1,
  ];
  return `${bitsPerSecond / size}${unit}`;
}

export interface BandwidthPackage {
  readonly name: string;
  readonly external: string;
  readonly bandwidth: Bandwidth;
  readonly members: readonly PackageMember[];
  readonly origin: Origin;
}

export interface PackageMember {
  readonly elasticIp: ElasticIp;
  readonly guaranteed: Bandwidth;
  readonly max: Bandwidth;
}

/** The part of a gateway that limits are judged by. */
export interface Shared {
  readonly bandwidth: Bandwidth;
  readonly packages: readonly BandwidthPackage[];
}

/** What one elastic IP gets in one direction. */
export interface Limit {
  readonly ceiling: number;
  readonly guaranteed: number;
  /** Whose ceiling it shares. */
  readonly package: BandwidthPackage | undefined;
}

interface Membership {
  readonly package: BandwidthPackage;
  readonly member: PackageMember;
}

/** By the elastic IP's name. */
export const membershipsOf = remember(
  (packages: readonly BandwidthPackage[]): ReadonlyMap<string, Membership> =>
    new Map(
      packages.flatMap((pack) =>
        pack.members.map((member): [string, Membership] => [member.elasticIp.name, { package: pack, member }]),
      ),
    ),
);

/** What a package guarantees to its members together. */
export const promisedBy = remember(({ members }: BandwidthPackage): Readonly<Record<Direction, number>> => {
  const sum = (direction: Direction): number =>
    members.reduce((total, { guaranteed }) => total + (guaranteed[direction] ?? 0), 0);
  return { ingress: sum('ingress'), egress: sum('egress') };
});

/** `undefined` when nothing limits it but the gateway's own ceiling. */
export function limitOf(eip: ElasticIp, { bandwidth, packages }: Shared, direction: Direction): Limit | undefined {
  const membership = membershipsOf(packages).get(eip.name);
  const ceiling = membership?.package.bandwidth[direction];
  const bounds = [eip.bandwidth[direction], membership?.member.max[direction], ceiling].filter(
    (bound) => bound !== undefined,
  );
  if (bounds.length === 0) return undefined;
  const most = Math.min(...bounds, bandwidth[direction] ?? Infinity);
  return {
    ceiling: most,
    guaranteed: Math.min(membership?.member.guaranteed[direction] ?? 0, most),
    package: ceiling === undefined ? undefined : membership?.package,
  };
}

const asks = ({ ingress, egress }: Bandwidth): boolean => ingress !== undefined || egress !== undefined;

/** Names the class of an elastic IP; another one in another package or below another of its ceilings: a class cannot move. */
export function classNameOf(eip: ElasticIp, { packages }: Shared): string | undefined {
  const pack = membershipsOf(packages).get(eip.name)?.package;
  if (pack) {
    const { ingress, egress } = pack.bandwidth;
    const shared = [ingress === undefined ? '' : 'i', egress === undefined ? '' : 'e'].join('');
    return `${eip.name}@${pack.name}${shared === 'ie' ? '' : `:${shared}`}`;
  }
  return asks(eip.bandwidth) ? eip.name : undefined;
}

/** An elastic IP's name has no `@`. */
export const classNameOfPackage = (pack: BandwidthPackage): string => `@${pack.name}`;

export function asksForBandwidth(model: Shared & Pick<GatewayModel, 'elasticIps'> & Sites): boolean {
  if (asks(model.bandwidth) || model.packages.length > 0) return true;
  if (sitesOf(model).some((site) => asks(site.bandwidth))) return true;
  for (const eip of model.elasticIps.values()) if (asks(eip.bandwidth)) return true;
  return false;
}
