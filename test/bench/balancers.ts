import { elasticIp, gatewayDocument, type GatewayPlan, gatewayPlan, target } from './documents.js';

// The documents of load balancers that are measured: on as many elastic IPs as there are balancers, each listener with a
// pool of its own. Members are addresses of the bench's server.

export interface BalancersPlan {
  readonly balancers: number;
  readonly listeners: number;
  readonly members: number;
  /** The first listener's; the next ports follow. */
  readonly port: number;
  /** Of every pool, as in a document. */
  readonly healthCheck?: string;
}

export const balanced: GatewayPlan = gatewayPlan('gateway', 1, 0);

/** The gateway and its elastic IPs, without a balancer. */
export const before = ({ balancers }: Pick<BalancersPlan, 'balancers'>, prefixes = ''): string =>
  [gatewayDocument(balanced, prefixes), ...Array.from({ length: balancers }, (_, i) => vip(i))].join('---\n');

const vip = (index: number): string => `apiVersion: vpcgw.io/v1alpha1
kind: ElasticIP
metadata: {name: vip-${index}}
spec: {address: ${elasticIp(balanced, index)}}
`;

/** Counted through: no two members of a plan have an address in common, unless there are more than addresses. */
const memberAddress = (index: number): string => target(index % 10_000);

/** `weight`: of the first member of the first pool. */
export function balancerDocument(
  plan: BalancersPlan,
  index: number,
  weight = 1,
  addressOf: (index: number) => string = memberAddress,
): string {
  const { listeners, members, port, healthCheck } = plan;
  const checked = healthCheck === undefined ? '' : `, healthCheck: ${healthCheck}`;
  const pools = Array.from({ length: listeners }, (_, n) => {
    const first = (index * listeners + n) * members;
    const all = Array.from(
      { length: members },
      (_, i) => `{address: ${addressOf(first + i)}${i + n === 0 ? `, weight: ${weight}` : ''}}`,
    );
    return `    - {name: p${n}, members: [${all.join(', ')}]${checked}}`;
  });
  const ports = Array.from({ length: listeners }, (_, n) => `    - {protocol: TCP, port: ${port + n}, pool: p${n}}`);
  return `apiVersion: vpcgw.io/v1alpha1
kind: LoadBalancer
metadata: {name: lb-${index}}
spec:
  elasticIP: vip-${index}
  pools:
${pools.join('\n')}
  listeners:
${ports.join('\n')}
`;
}

export const balancerDocuments = (plan: BalancersPlan, addressOf?: (index: number) => string): string =>
  Array.from({ length: plan.balancers }, (_, i) => balancerDocument(plan, i, 1, addressOf)).join('---\n');
