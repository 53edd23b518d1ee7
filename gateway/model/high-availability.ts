/**
 * What a pair is: how it elects, what its links are called on the wire, and how long a member may speak without having
 * said that it lives. Numbers that both members have to agree on come from the documents alone.
 */
import type { DocumentOf } from '../documents/document.js';
import type { GatewayModel } from './gateway-model.js';
import { fnv1a64 } from './hash.js';
import type { IpAddress } from './ip.js';
import { MAC_PREFIX } from './ownership.js';

export type MacMode = 'Own' | 'Virtual';

export interface HighAvailability {
  readonly mode: 'None' | 'SameNode' | 'AcrossNodes';
  readonly advertIntervalMs: number;
  /** 1-255. */
  readonly virtualRouterId: number;
}

/** A way between the members. */
export interface MemberPath {
  readonly interface: string;
  readonly address: IpAddress;
  readonly peer: IpAddress;
}

/** Which member of a pair this is: a fact of the node. */
export interface Member {
  readonly name: string;
  /** The members' network, and the second path where there is one. */
  readonly paths: readonly [MemberPath, ...MemberPath[]];
  /** Of what both members know, and nobody else. */
  readonly secretFile?: string | undefined;
}

export const isPair = (model: Pick<GatewayModel, 'highAvailability'>): boolean =>
  model.highAvailability.mode !== 'None';

export function highAvailabilityOf({ metadata, spec }: DocumentOf<'VpcGateway'>): HighAvailability {
  const { mode, advertInterval, virtualRouterId } = spec.highAvailability;
  const fromName = 1 + Number(BigInt(`0x${fnv1a64(metadata.name)}`) % 255n);
  return { mode, advertIntervalMs: advertInterval, virtualRouterId: virtualRouterId ?? fromName };
}

/** Adverts unheard until a standby takes over: VRRP's own. */
const UNHEARD_ADVERTS = 3;
/** What kernels of 50 to 1000 ticks a second all keep exactly. */
const KEPT_EXACTLY_MS = 20;

/**
 * For how long one advert lets a member speak: never longer than the other waits before it takes over, so that a frozen
 * member is silent when the other begins.
 */
export const leaseMs = ({ advertIntervalMs }: HighAvailability): number =>
  Math.floor((UNHEARD_ADVERTS * advertIntervalMs) / KEPT_EXACTLY_MS) * KEPT_EXACTLY_MS;

/** For how long the other member counts as heard: over before a standby begins, whose first advert must pass. */
export const heardMs = (highAvailability: HighAvailability): number =>
  Math.max(KEPT_EXACTLY_MS, leaseMs(highAvailability) - KEPT_EXACTLY_MS);

/** Of a role link: the pair's, or the member's own. Known beforehand, for networks that want to be told. */
export function roleMac(
  { name, highAvailability }: Pick<GatewayModel, 'name' | 'highAvailability'>,
  parent: string,
  macMode: MacMode,
  member: Pick<Member, 'name'>,
): string {
  const owner = macMode === 'Virtual' ? [] : [member.name];
  const digits = fnv1a64([name, highAvailability.virtualRouterId, parent, ...owner].join('/')).slice(0, 6);
  return [MAC_PREFIX, ...(digits.match(/../g) ?? [])].join(':');
}

/** The interfaces of the platform that carry tenants' traffic, each with its MAC mode. */
export const sidesWithMac = ({ internal, externals }: Pick<GatewayModel, 'internal' | 'externals'>) =>
  [internal, ...externals].map(({ interface: parent, macMode }) => ({ parent, macMode }));
