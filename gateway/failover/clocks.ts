/** How far the other member's clock is from ours, by what it says of the last that it heard from us. Pure. */
import type { MemberState } from './member-message.js';

/** Above it the clocks disagree: leases of third parties, handshakes and logs of the two cannot be compared any more. */
export const CLOCK_LIMIT_MS = 1_000;
/** An answer that was on its way for longer tells too little. */
const MAX_ROUND_TRIP_MS = 500;

/** Positive where the other is ahead; `undefined` where nothing can be said. */
export function offsetMs({ sentMs, heard }: Pick<MemberState, 'sentMs' | 'heard'>, nowMs: number): number | undefined {
  if (!heard) return undefined;
  const roundTripMs = nowMs - heard.sentMs - heard.agoMs;
  if (roundTripMs < 0 || roundTripMs > MAX_ROUND_TRIP_MS) return undefined;
  return Math.round(sentMs + roundTripMs / 2 - nowMs);
}
