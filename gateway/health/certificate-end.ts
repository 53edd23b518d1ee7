/** Whether the certificates of a tunnel last, told in time to renew them. Pure. */
import type { CertificateEnd } from '../kernel/state.js';

/** How long a renewal may take, where people sign. */
const NOTICE_MS = 30 * 86_400_000;
const DAY_MS = 86_400_000;

export interface CertificateLook {
  /** Since the epoch. */
  readonly endS: number;
  /** `undefined` while there is time. */
  readonly warning: string | undefined;
}

export function lookAtEnd({ subject, atMs }: CertificateEnd, nowMs: number): CertificateLook {
  const leftMs = atMs - nowMs;
  const days = Math.max(0, Math.floor(leftMs / DAY_MS));
  const when = days === 0 ? 'within a day' : `in ${days} day${days === 1 ? '' : 's'}`;
  return {
    endS: atMs / 1000,
    warning:
      leftMs >= NOTICE_MS
        ? undefined
        : `the certificate of ${subject} expires at ${new Date(atMs).toISOString()}, ${when}`,
  };
}
