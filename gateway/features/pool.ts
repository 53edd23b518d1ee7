/**
 * Paired pooling: which elastic IP of a pool, and which block of its ports, a source uses. Sources fall into buckets by
 * the low bits of their address (neighbours in a subnet never share one while there are enough), and buckets are given
 * to elastic IPs by highest random weight with a bounded load. Guarantees:
 * 1. A source keeps its elastic IP for as long as the pool is the same, over restarts and on every member.
 * 2. No two elastic IPs' shares of the buckets differ by more than one.
 * 3. When one joins or leaves, about 1/N of the buckets move (at most 1.6/N of a pool of up to 8, 2.5/N above).
 * 4. An exhausted elastic IP's buckets go to the next in their own order; all others stay.
 */
import { blockBits, blocksPerAddress, SNAT_PORTS } from '../model/snat-ports.js';

const BUCKET_BITS = 8;

export interface Slot {
  readonly member: number;
  /** Inclusive; absent: any port. */
  readonly ports: { readonly first: number; readonly last: number } | undefined;
}

export interface PoolPlan {
  /** The number of low address bits that choose the bucket; `slots` has 2^bits entries. */
  readonly bits: number;
  readonly slots: readonly Slot[];
}

export interface PoolInput {
  /** Stable names of the pool's elastic IPs: their addresses. */
  readonly members: readonly string[];
  readonly exhausted: ReadonlySet<string>;
  readonly portsPerSource: number | undefined;
  /** Free address bits of the widest source prefix. */
  readonly sourceBits: number;
}

export function planPool({ members, exhausted, portsPerSource, sourceBits }: PoolInput): PoolPlan {
  const blocks = portsPerSource === undefined ? 0 : blocksPerAddress(portsPerSource);
  const shared = members.length === 1 ? 0 : BUCKET_BITS;
  const bits = portsPerSource === undefined ? shared : blockBits(portsPerSource, members.length, sourceBits);
  const home = assign(1 << bits, members);
  const owners = home.map((member, bucket) =>
    exhausted.has(members[member] ?? '') ? nextChoice(bucket, member, members, exhausted) : member,
  );
  if (portsPerSource === undefined) return { bits, slots: owners.map((member) => ({ member, ports: undefined })) };
  const numbers = numbered(owners, home);
  const slots = owners.map((member, bucket): Slot => {
    const first = SNAT_PORTS.first + ((numbers[bucket] ?? 0) % blocks) * portsPerSource;
    return { member, ports: { first, last: first + portsPerSource - 1 } };
  });
  return { bits, slots };
}

/** Of each owner's buckets, one after the other: first those that are its own always, so that what spills moves none. */
function numbered(owners: readonly number[], home: readonly number[]): number[] {
  const used = new Map<number, number>();
  const numbers = new Array<number>(owners.length).fill(0);
  for (const stays of [true, false])
    owners.forEach((member, bucket) => {
      if ((home[bucket] === member) !== stays) return;
      const number = used.get(member) ?? 0;
      numbers[bucket] = number;
      used.set(member, number + 1);
    });
  return numbers;
}

function assign(buckets: number, members: readonly string[]): number[] {
  const load = new Array<number>(members.length).fill(0);
  const owners = new Array<number>(buckets).fill(-1);
  const bids = members.flatMap((name, member) =>
    Array.from({ length: buckets }, (_, bucket) => ({ bucket, member, weight: weight(name, bucket) })),
  );
  bids.sort((a, b) => b.weight - a.weight || a.member - b.member);
  // First everybody's whole share, then what is left over, so that no two shares differ by more than one.
  for (const capacity of [Math.floor(buckets / members.length), Math.ceil(buckets / members.length)])
    for (const { bucket, member } of bids) {
      if (owners[bucket] !== -1 || (load[member] ?? 0) >= capacity) continue;
      owners[bucket] = member;
      load[member] = (load[member] ?? 0) + 1;
    }
  return owners;
}

function nextChoice(bucket: number, own: number, members: readonly string[], exhausted: ReadonlySet<string>): number {
  let best = own;
  let bestWeight = -1;
  members.forEach((name, member) => {
    const score = weight(name, bucket);
    if (exhausted.has(name) || score <= bestWeight) return;
    best = member;
    bestWeight = score;
  });
  return best;
}

/** A well mixed 32-bit number of the pair (murmur3's finaliser over FNV-1a). */
function weight(name: string, bucket: number): number {
  let hash = 0x811c9dc5 ^ bucket;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13) ^ Math.imul(bucket, 0x9e3779b1), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
