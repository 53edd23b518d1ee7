/**
 * When a member leaves the role to the other. It is a matter of comparison: a member with a fault is better than none, so
 * nothing is decided while the other is not heard, and of two with the same fault neither gives way. Pure.
 */
import type { MemberState } from './member-message.js';

export interface Health {
  readonly active: boolean;
  /** What is wrong with this member, by name. */
  readonly faults: readonly string[];
  /** By interface; of one that never was answered nothing. */
  readonly answeredMsAgo: Readonly<Record<string, number>>;
}

/** What the other says of itself. */
export type PeerHealth = Pick<MemberState, 'role' | 'notEligible' | 'faults' | 'answeredMsAgo'>;

export const KERNEL_FAULT = 'the kernel is not as it should be';
export const DOCUMENTS_FAULT = 'its documents are the earlier ones';
const UNREACHED = 'nobody answers at ';
export const unreached = (link: string): string => `${UNREACHED}${link}`;

/** By so much later than this member's last the other's answer must be: the way closed here within a question's time. */
const LATER_MS = 100;
/** What is older says nothing of now. */
const FRESH_MS = 1_000;

/** Faults that the other, who could do it, has not; empty: this member may be active, or stays so. */
export function yieldsFor(own: Health, peer: PeerHealth | undefined): readonly string[] {
  if (!peer || peer.notEligible.length > 0) return [];
  const able: readonly MemberState['role'][] = own.active ? ['Standby'] : ['Standby', 'Active'];
  if (!able.includes(peer.role)) return [];
  // An edit on the other member is no reason to move connections: documents are taken over where they are.
  const counted = own.faults.filter((fault) => !own.active || fault !== DOCUMENTS_FAULT);
  const theirs = new Set(peer.faults);
  if ([...theirs].some((fault) => !own.faults.includes(fault))) return [];
  const mine = counted.filter((fault) => !theirs.has(fault));
  return mine.every((fault) => proven(fault, own, peer)) ? mine : [];
}

/** That the way is open at the other must have been seen there after it closed here. */
function proven(fault: string, own: Health, { answeredMsAgo }: PeerHealth): boolean {
  if (!fault.startsWith(UNREACHED)) return true;
  const link = fault.slice(UNREACHED.length);
  const msAgo = answeredMsAgo?.[link];
  return msAgo !== undefined && msAgo <= Math.min(FRESH_MS, (own.answeredMsAgo[link] ?? Infinity) - LATER_MS);
}

/** A member that gave way so often in so short a time for what it found keeps the role for a while. */
const OFTEN = 3;
const WITHIN_MS = 60_000;

export class Damping {
  #moments: number[] = [];

  /** It gave way. */
  note(nowMs: number): void {
    this.#moments = [...this.#moments, nowMs].slice(-OFTEN);
  }

  holds(nowMs: number): boolean {
    const [first] = this.#moments;
    return this.#moments.length === OFTEN && first !== undefined && nowMs - first < WITHIN_MS;
  }
}
