/**
 * Whether a line carries, from what is seen of it. Pure. Guarantees:
 * 1. As many failures in a row as the threshold says take it out; a lost carrier does at once.
 * 2. It comes back when it has been sound for its steady time without a break. One that fails soon after it came back has
 *    to be steady for twice as long the next time, up to eight times.
 * 3. A line that was never looked at carries, and one that was never sound carries as soon as it is: a link that is being
 *    made has no carrier at first, and that is no flap.
 */
export interface LineTally {
  readonly up: boolean;
  readonly reason: string;
  /** Since it is so. */
  readonly sinceMs: number;
  /** Failures in a row, of one that is up. */
  readonly failures: number;
  /** When it was last seen to be sound; at first, since when it is looked at. */
  readonly soundMs: number;
  readonly wasSound: boolean;
  /** Since when it is sound again, of one that is not up. */
  readonly steadySinceMs: number | undefined;
  /** Times its steady time, 1 to 8: what is asked of it to come back. */
  readonly patience: number;
  /** It was out before. */
  readonly cameBack: boolean;
}

export interface LineTerms {
  readonly unhealthyThreshold: number;
  readonly steadyMs: number;
}

/** `undefined`: sound. */
export type LineFault = { readonly reason: string; readonly atOnce: boolean } | undefined;

/** Of its steady time: one that fails within it after coming back flaps. */
const SOON = 10;
const MOST = 8;

export const newLineTally = (nowMs: number): LineTally => ({
  up: true,
  reason: '',
  sinceMs: nowMs,
  failures: 0,
  soundMs: nowMs,
  wasSound: false,
  steadySinceMs: undefined,
  patience: 1,
  cameBack: false,
});

export function lineTallied(tally: LineTally, fault: LineFault, terms: LineTerms, nowMs: number): LineTally {
  if (tally.up)
    return fault ? failed(tally, fault, terms, nowMs) : { ...tally, failures: 0, soundMs: nowMs, wasSound: true };
  if (fault) return { ...tally, reason: fault.reason, steadySinceMs: undefined };
  const steadySinceMs = tally.steadySinceMs ?? nowMs;
  const known = { ...tally, soundMs: nowMs, wasSound: true, steadySinceMs };
  if (tally.wasSound && nowMs - steadySinceMs < tally.patience * terms.steadyMs) return known;
  const up = { ...known, up: true, reason: '', sinceMs: nowMs, failures: 0, steadySinceMs: undefined };
  return { ...up, cameBack: tally.wasSound };
}

/** Why one that was as `before` carries again, in words. */
export const whyUp = ({ wasSound, patience }: LineTally, steadyMs: number): string =>
  wasSound ? `steady for ${(patience * steadyMs) / 1000} s` : 'it carries';

function failed(
  tally: LineTally,
  { reason, atOnce }: NonNullable<LineFault>,
  { unhealthyThreshold, steadyMs }: LineTerms,
  nowMs: number,
): LineTally {
  const failures = tally.failures + 1;
  if (!atOnce && failures < unhealthyThreshold) return { ...tally, failures };
  const flaps = tally.cameBack && nowMs - tally.sinceMs < SOON * tally.patience * steadyMs;
  return {
    ...tally,
    up: false,
    reason,
    sinceMs: nowMs,
    failures: 0,
    steadySinceMs: undefined,
    patience: flaps ? Math.min(2 * tally.patience, MOST) : 1,
  };
}
