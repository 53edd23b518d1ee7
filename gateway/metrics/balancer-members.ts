/** Whether members take connections, as their checks and documents say. */
import type { BalancerRow } from '../reconcile/balancer-table.js';

export function balancerText(rows: readonly BalancerRow[]): string[] {
  if (rows.length === 0) return [];
  return [
    '# HELP vpcgw_balancer_member_serves 1 for a member that takes new connections of a listener.',
    '# TYPE vpcgw_balancer_member_serves gauge',
    ...rows.map(
      ({ balancer, listener, member, state, serves }) =>
        `vpcgw_balancer_member_serves{name="${balancer}",listener="${listener}",member="${member}",state="${state}"} ${serves ? 1 : 0}`,
    ),
  ];
}
