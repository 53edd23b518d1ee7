/**
 * How the iptables engine divides new connections among members, each by its weight. Guarantees:
 * 1. By chance: the probabilities of the rules, asked one after the other, give each member its share.
 * 2. By hash: 64 parts of all clients, given by highest random weight with a bounded load, so that a client keeps its
 *    member for as long as that serves, over restarts and on every gateway, and few move when a member comes or goes.
 */
import type { Member } from '../model/balancer.js';

/** A level of chains divides by four: iptables refuses a mask above 32, whatever the number of nodes. */
export const PARTS_BITS = 2;
export const PARTS_LEVELS = 3;
const PARTS = 1 << (PARTS_BITS * PARTS_LEVELS);
/** Probabilities are kept in 31 bits, and printed with eleven digits. */
const CERTAIN = 0x80000000;

/** As iptables prints it; `undefined` for the last, which takes what is left. */
export function probabilitiesOf(members: readonly Member[]): (string | undefined)[] {
  let left = members.reduce((sum, { weight }) => sum + weight, 0);
  return members.map(({ weight }, i) => {
    const share = Math.round((weight / left) * CERTAIN);
    left -= weight;
    return i === members.length - 1 ? undefined : (share / CERTAIN).toFixed(11);
  });
}

/** For each part the member, as its index; members in excess of the parts get none. */
export function ownersOf(members: readonly Member[]): number[] {
  const capacities = capacitiesOf(members);
  const bids = members.flatMap((member, index) =>
    Array.from({ length: PARTS }, (_, part) => ({
      part,
      index,
      score: mixed(`${member.address.text} ${member.port ?? ''}`, part),
    })),
  );
  bids.sort((a, b) => b.score - a.score || a.index - b.index);
  const owners = new Array<number>(PARTS).fill(-1);
  for (const { part, index } of bids) {
    if (owners[part] !== -1 || (capacities[index] ?? 0) === 0) continue;
    capacities[index] = (capacities[index] ?? 0) - 1;
    owners[part] = index;
  }
  return owners;
}

/** By largest remainder, so that all parts are given. */
function capacitiesOf(members: readonly Member[]): number[] {
  const total = members.reduce((sum, { weight }) => sum + weight, 0);
  const exact = members.map(({ weight }) => (weight / total) * PARTS);
  const whole = exact.map(Math.floor);
  const order = exact.map((share, i) => ({ i, rest: share % 1 })).sort((a, b) => b.rest - a.rest || a.i - b.i);
  let left = PARTS - whole.reduce((sum, share) => sum + share, 0);
  for (const { i } of order) if (left-- > 0) whole[i] = (whole[i] ?? 0) + 1;
  return whole;
}

/** A well mixed 32-bit number of the pair (murmur3's finaliser over FNV-1a). */
function mixed(name: string, part: number): number {
  let hash = 0x811c9dc5 ^ part;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13) ^ Math.imul(part, 0x9e3779b1), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
