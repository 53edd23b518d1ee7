/** How a line's BGP session stands, in terms of its document. Pure. */
import type { SessionState } from '../routing/bird-state.js';

export type BgpFault = 'NoBird' | 'AuthKeyUnusable' | 'PeerAsMismatch' | 'TooManyPrefixes';

export interface BgpLook {
  readonly line: string;
  readonly peer: string;
  readonly established: boolean;
  /** As BGP calls it. */
  readonly state: string;
  readonly reason: string;
  readonly fault: BgpFault | undefined;
  /** Networks that the other end told of: those that were taken, and those that no `accept` names. */
  readonly taken: number;
  readonly passedOver: number;
  readonly told: number;
  /** `undefined` without BFD. */
  readonly bfd: 'Up' | 'Down' | undefined;
}

export interface BgpInput {
  readonly line: string;
  readonly peer: string;
  readonly peerAsn: number;
  readonly maxPrefixes: number;
  readonly wantsBfd: boolean;
  /** `undefined`: BIRD does not know it. */
  readonly session: SessionState | undefined;
  readonly bfd: string | undefined;
}

export function lookAtSession(input: BgpInput): BgpLook {
  const { line, peer, session, wantsBfd, bfd } = input;
  const established = session?.state === 'Established';
  const [reason, fault] = established ? [`BGP with ${peer} is established`] : whyNot(input);
  return {
    line,
    peer,
    established,
    state: session?.state ?? 'Unknown',
    reason,
    fault,
    taken: established ? session.taken : 0,
    passedOver: established ? session.passedOver : 0,
    told: established ? session.told : 0,
    bfd: wantsBfd ? (bfd === 'Up' ? 'Up' : 'Down') : undefined,
  };
}

function whyNot({ peer, peerAsn, maxPrefixes, session }: BgpInput): [string, BgpFault?] {
  if (!session) return [`the routing program does not speak to ${peer} yet`];
  const { lastError, overMaximum } = session;
  if (overMaximum)
    return [
      `${peer} told of more than ${maxPrefixes} networks; the session is closed, and tried again`,
      'TooManyPrefixes',
    ];
  if (/Bad peer AS/i.test(lastError))
    return [`${peer} and this document disagree on AS numbers (peerASN is ${peerAsn}): ${lastError}`, 'PeerAsMismatch'];
  return [`BGP with ${peer} is not established${lastError === '' ? '' : `: ${lastError}`}`];
}
