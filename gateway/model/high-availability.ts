/**
 * What a pair is: how it elects, what its links are called on the wire, and how long a member may speak without having
 * said that it lives. Numbers that both members have to agree on come from the documents alone.
 */
import type { DocumentOf } from '../documents/document.js';
import type { GatewayModel } from './gateway-model.js';
import { fnv1a64 } from './hash.js';
import type { IpAddress } from './ip.js';
import { MAC_PREFIX } from './ownership.js';
import type { Secret } from './secret.js';

export type MacMode = 'Own' | 'Virtual';

export interface HighAvailability {
  readonly mode: 'None' | 'SameNode' | 'AcrossNodes';
  readonly advertIntervalMs: number;
  /** 1-255. */
  readonly virtualRouterId: number;
  /** The third voter of a `Strict` pair; `undefined`: the pair is `Fast`. */
  readonly vote?: Vote | undefined;
}

/** A record that one of two may write, in a store that answers both alike. */
export interface Vote {
  readonly engine: 'Etcd' | 'Kubernetes';
  /** Base URLs, asked in turn. */
  readonly servers: readonly string[];
  /** Of Kubernetes alone. */
  readonly namespace?: string | undefined;
  /** Of the record. */
  readonly name: string;
}

/** Files of the node. */
export interface VoteCredentials {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly tokenFile?: string | undefined;
}

/** A way between the members. */
export interface MemberPath {
  readonly interface: string;
  readonly address: IpAddress;
  readonly peer: IpAddress;
  /** What carries it, where it is a link of WireGuard. */
  readonly under?: MemberTunnel | undefined;
}

/** A link of WireGuard between the members: the way that it goes by, and what it is told. */
export interface MemberTunnel {
  readonly way: MemberPath;
  readonly engine: 'wireguard' | 'wireguard-go';
  readonly network: string;
  /** Of both ends. */
  readonly port: number;
  readonly keys: MemberKeys;
}

export interface MemberKeys {
  readonly own: Secret;
  readonly preshared: Secret;
  /** The other end's public one. */
  readonly peer: string;
}

/** The way that the platform gave. */
export const givenWay = (path: MemberPath): MemberPath => path.under?.way ?? path;

/** Which member of a pair this is: a fact of the node. */
export interface Member {
  readonly name: string;
  /** The members' network, and the second path where there is one. */
  readonly paths: readonly [MemberPath, ...MemberPath[]];
  /** Of what both members know, and nobody else. */
  readonly secretFile?: string | undefined;
  readonly encryption?: 'WireGuard' | undefined;
  /** With what a third voter is asked. */
  readonly vote?: VoteCredentials | undefined;
}

export const isPair = (model: Pick<GatewayModel, 'highAvailability'>): boolean =>
  model.highAvailability.mode !== 'None';

export function highAvailabilityOf({ metadata, spec }: DocumentOf<'VpcGateway'>): HighAvailability {
  const { mode, advertInterval, vote, virtualRouterId } = spec.highAvailability;
  const fromName = 1 + Number(BigInt(`0x${fnv1a64(metadata.name)}`) % 255n);
  const id = virtualRouterId ?? fromName;
  const third = vote && { vote: { ...vote, name: `vpcgw-${metadata.name}-${id}` } };
  return { mode, advertIntervalMs: advertInterval, virtualRouterId: id, ...third };
}

/** Adverts unheard until a standby takes over: VRRP's own. */
const UNHEARD_ADVERTS = 3;
/** What kernels of 50 to 1000 ticks a second all keep exactly. */
const KEPT_EXACTLY_MS = 20;

/** In a `Strict` pair: until an answer came to a question, or it counts for nothing. */
export const ANSWERED_WITHIN_MS = 60;
/** From a question to the third voter until its answer is taken, and from then on for how long it is a grant. */
export const GRANTED_WITHIN_MS = 1_000;
export const GRANTED_FOR_MS = 4_000;
/** So much longer is a `Strict` lease, in which an unanswered question is seen and the third voter asked. */
const TO_ASK_MS = 40;

/**
 * For how long one advert lets a member speak. Of a `Fast` pair never longer than the other waits before it takes over, so
 * that a frozen member is silent when the other begins; of a `Strict` one what the other promised sees to that.
 */
export const leaseMs = ({ advertIntervalMs, vote }: HighAvailability): number =>
  Math.floor((UNHEARD_ADVERTS * advertIntervalMs) / KEPT_EXACTLY_MS) * KEPT_EXACTLY_MS + (vote ? TO_ASK_MS : 0);

/**
 * For how long the other member counts as heard. `Fast`: over before a standby begins, whose first advert must pass.
 * `Strict`: a promise, which ends after whatever the answer to the other let it do.
 */
export const heardMs = (highAvailability: HighAvailability): number => {
  const lease = leaseMs(highAvailability);
  return highAvailability.vote
    ? lease + ANSWERED_WITHIN_MS + KEPT_EXACTLY_MS
    : Math.max(KEPT_EXACTLY_MS, lease - KEPT_EXACTLY_MS);
};

/** Clocks that do not run alike. */
const SPARE_MS = 1_000;

/** The third voter's record may be taken from who has not renewed it for so long: whatever it allowed is over then. */
export const voteEndsAfterMs = (highAvailability: HighAvailability): number =>
  GRANTED_WITHIN_MS + GRANTED_FOR_MS + leaseMs(highAvailability) + SPARE_MS;

/**
 * After so many adverts unheard a standby takes over: in a `Strict` pair when its promise is over, so that it may speak at
 * once, and what announces it is let through.
 */
export const unheardAdverts = (highAvailability: HighAvailability): number =>
  highAvailability.vote
    ? Math.floor(heardMs(highAvailability) / highAvailability.advertIntervalMs) + 1
    : UNHEARD_ADVERTS;

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
