/** What a member of a pair tells of itself. */
import type { RoleReport } from '../failover/role.js';
import type { SyncState } from '../failover/sync-state.js';
import type { PeerStatus } from './channel.js';
import type { VoteStatus } from './voter.js';

export interface PairStatus extends RoleReport {
  readonly member: string;
  readonly peer: string;
  readonly leaseMs: number;
  readonly eligible: boolean;
  readonly notEligible: readonly string[];
  /** What is wrong with this member; it stays eligible while the other is no better. */
  readonly faults: readonly string[];
  /** Since the supervisor started. */
  readonly roleChanges: number;
  /** At most so long did nobody answer for the pair when the role came here last. */
  readonly lastGapMs: number | undefined;
  /** The other member, as it tells of itself; `undefined` while it is not heard. */
  readonly other: PeerStatus | undefined;
  /** The third voter of a `Strict` pair. */
  readonly vote: VoteStatus | undefined;
}

/** With what has to be asked for. */
export interface PairLook extends PairStatus {
  readonly holdsLease: boolean;
  /** `undefined`: conntrackd does not answer. */
  readonly sync: SyncState | undefined;
}
