/**
 * What a row of checks says about a member. Pure. Guarantees:
 * 1. The first check decides at once; from then on it takes as many in a row as the thresholds say.
 * 2. A member that was never checked is up.
 */
import type { HealthCheck } from '../model/balancer.js';

export interface Tally {
  readonly up: boolean;
  /** Checks in a row that said otherwise. */
  readonly against: number;
  readonly checked: boolean;
  /** Of the failure that counted last. */
  readonly reason: string;
  readonly sinceMs: number;
}

export const newTally = (nowMs: number): Tally => ({
  up: true,
  against: 0,
  checked: false,
  reason: '',
  sinceMs: nowMs,
});

/** `failure` is why a check failed; `undefined` when it did not. */
export function tallied(
  tally: Tally,
  failure: string | undefined,
  check: Pick<HealthCheck, 'healthyThreshold' | 'unhealthyThreshold'>,
  nowMs: number,
): Tally {
  const up = failure === undefined;
  const reason = failure ?? tally.reason;
  if (up === tally.up) return { ...tally, against: 0, checked: true, reason };
  const against = tally.against + 1;
  const enough = !tally.checked || against >= (up ? check.healthyThreshold : check.unhealthyThreshold);
  return enough
    ? { up, against: 0, checked: true, reason, sinceMs: nowMs }
    : { ...tally, against, checked: true, reason };
}
