import { describe, expect, it } from 'vitest';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import { balancerText } from '../../gateway/metrics/balancer-members.js';
import { memberId } from '../../gateway/model/balancer.js';
import { NO_PRESSURE } from '../../gateway/model/pressure.js';
import { balancerRows } from '../../gateway/reconcile/balancer-table.js';
import { candidateOf } from '../../gateway/reconcile/candidate.js';
import { spec } from '../support/complaints.js';

// What is told of the members of load balancers.

const documents = [
  spec(
    'VpcGateway',
    'blue',
    `  internal: {interface: vpc0, addresses: [10.0.0.1/24]}
  externals: [{name: internet, interface: ext0, addresses: [100.64.0.11/24], gateways: [100.64.0.1]}]
`,
  ),
  spec(
    'LoadBalancer',
    'shop',
    `  address: 10.0.0.100
  pools: [{name: all, allDown: FailOpen, healthCheck: {type: TCP}, members: [{address: 10.0.0.21}, {address: 10.0.0.22, maintenance: true}]}]
  listeners: [{protocol: TCP, port: 80, pool: all}]
`,
  ),
].join('---\n');

describe('a member that is down where all are and the pool fails open', () => {
  const { model } = candidateOf(splitDocuments({ file: 'a.yaml', text: documents }), new ParseCache());
  const down = new Map(
    model.loadBalancers.flatMap(({ pools }) =>
      pools.flatMap((pool) => pool.members.map((member) => [memberId(pool, member), 'silent'] as const)),
    ),
  );
  const rows = balancerRows(model, { ...NO_PRESSURE, down }, new Map(), []);

  it('is said to take connections all the same', () => {
    expect(rows).toMatchObject([
      { state: 'Down', serves: true, reason: 'silent; takes connections all the same, as allDown is FailOpen' },
      { state: 'Out', serves: false, reason: 'silent' },
    ]);
    expect(balancerText(rows).slice(2)).toEqual([
      'vpcgw_balancer_member_serves{name="shop",listener="TCP 80",member="10.0.0.21",state="Down"} 1',
      'vpcgw_balancer_member_serves{name="shop",listener="TCP 80",member="10.0.0.22",state="Out"} 0',
    ]);
  });
});
