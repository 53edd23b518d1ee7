/** Of a member of a pair: its role, whether it may be active, how often its role changed. */
import type { Role } from '../failover/role.js';
import type { SyncState } from '../failover/sync-state.js';
import type { PairStatus } from '../reconcile/pair-status.js';

const ROLES: readonly Role[] = ['Active', 'Standby', 'Fault', 'Unknown'];

export function memberText({ role, eligible, faults, lastGapMs, other, vote }: PairStatus, changes: number): string[] {
  return [
    '# HELP vpcgw_member_role 1 for the role that this member of the pair has.',
    '# TYPE vpcgw_member_role gauge',
    ...ROLES.map((each) => `vpcgw_member_role{role="${each}"} ${each === role ? 1 : 0}`),
    '# HELP vpcgw_member_eligible 1 when this member may be active.',
    '# TYPE vpcgw_member_eligible gauge',
    `vpcgw_member_eligible ${eligible ? 1 : 0}`,
    '# HELP vpcgw_member_role_changes_total Changes of its role since the supervisor started.',
    '# TYPE vpcgw_member_role_changes_total counter',
    `vpcgw_member_role_changes_total ${changes}`,
    '# HELP vpcgw_member_faults What is wrong with this member, as it finds by itself.',
    '# TYPE vpcgw_member_faults gauge',
    `vpcgw_member_faults ${faults.length}`,
    '# HELP vpcgw_peer_heard 1 while the other supervisor talks to this one.',
    '# TYPE vpcgw_peer_heard gauge',
    `vpcgw_peer_heard ${other ? 1 : 0}`,
    ...gauge(
      'vpcgw_peer_clock_offset_seconds',
      "By how much the other member's clock is ahead of this one's.",
      other?.clockOffsetMs,
    ),
    ...(vote
      ? [
          '# HELP vpcgw_vote_reachable 1 when the third voter of a Strict pair answered last.',
          '# TYPE vpcgw_vote_reachable gauge',
          `vpcgw_vote_reachable ${vote.reachable ? 1 : 0}`,
        ]
      : []),
    ...gauge(
      'vpcgw_member_last_gap_seconds',
      'At most so long did nobody answer for the pair when the role came here last.',
      lastGapMs,
    ),
  ];
}

/** Nothing while it is not known. */
const gauge = (name: string, help: string, ms: number | undefined): string[] =>
  ms === undefined ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name} ${ms / 1000}`];

/** How far the other member knows this one's connections; nothing while conntrackd does not answer. */
export const syncText = (sync: SyncState | undefined): string[] =>
  sync === undefined
    ? []
    : [
        '# HELP vpcgw_sync_backlog Messages about connections that the other member has not confirmed yet.',
        '# TYPE vpcgw_sync_backlog gauge',
        `vpcgw_sync_backlog ${sync.backlog}`,
        '# HELP vpcgw_sync_lost_total Messages of the other member that never came.',
        '# TYPE vpcgw_sync_lost_total counter',
        `vpcgw_sync_lost_total ${sync.lost}`,
      ];
