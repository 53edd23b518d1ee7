// The documents of the gateways that are measured, and the numbers of the network around them.

export interface GatewayPlan {
  readonly label: string;
  /** 1, 2, …: the last number of its addresses, and the second of its elastic IPs. */
  readonly number: number;
  readonly destination: string;
  readonly elasticIps: number;
  /** Every elastic IP has limits of bandwidth and of connections, and policies that judge it. */
  readonly full?: boolean;
}

export interface SourceFile {
  readonly file: string;
  readonly text: string;
}

/** From ranges for benchmarks, documentation and private use. */
export const hosts = {
  clientRange: '198.51.100.0/24',
  clientAddress: (number: number) => `198.51.100.${number}`,
  externalAddress: (number: number) => `100.64.0.${10 + number}`,
  nextHop: (number: number) => `10.0.1.${number}`,
  /** Every address in it is the server's. */
  targetRange: '10.0.64.0/18',
};

export function gatewayPlan(label: string, number: number, elasticIps: number, full = false): GatewayPlan {
  return { label, number, elasticIps, full, destination: `198.18.${number * 64}.0/18` };
}

/** Counted from 0. */
export function elasticIp({ number }: Pick<GatewayPlan, 'number'>, index: number): string {
  return `198.18.${number * 64 + (index >> 8)}.${index & 255}`;
}

export function target(index: number): string {
  return `10.0.${64 + (index >> 8)}.${index & 255}`;
}

/** `prefixes`: of its VPC, as in a document. */
export function gatewayDocument({ number }: Pick<GatewayPlan, 'number'>, prefixes = ''): string {
  return `apiVersion: vpcgw.io/v1alpha1
kind: VpcGateway
metadata: {name: gateway}
spec:
  internal: {interface: vpc0, addresses: [${hosts.nextHop(number)}/16]${prefixes === '' ? '' : `, prefixes: ${prefixes}`}}
  externals:
    - {name: internet, interface: ext0, addresses: [${hosts.externalAddress(number)}/24], gateways: [100.64.0.1]}
`;
}

type Numbered = Pick<GatewayPlan, 'number' | 'full'>;
const TIERS = 10;

/** `rate`: its limit, both ways. */
export function elasticIpDocument(plan: Numbered, index: number, rate = plan.full ? '400G' : undefined): string {
  const bandwidth = rate === undefined ? '' : `, bandwidth: {ingress: ${rate}, egress: ${rate}}`;
  const limits = plan.full ? ', limits: {connections: 100000, newConnectionsPerSecond: 100000}' : '';
  const labels = plan.full ? `, labels: {tier: t${index % TIERS}}` : '';
  return `apiVersion: vpcgw.io/v1alpha1
kind: ElasticIP
metadata: {name: eip-${index}${labels}}
spec: {address: ${elasticIp(plan, index)}, target: {address: ${target(index)}}${bandwidth}${limits}}
`;
}

/** What judges a full plan's elastic IPs: a baseline, a policy for each tier, and the gateway's own. */
function policyDocuments(): string[] {
  const tiers = Array.from({ length: TIERS }, (_, tier) => `t${tier}`);
  const policy = (name: string, appliesTo: string, rules: string): string => `apiVersion: vpcgw.io/v1alpha1
kind: FirewallPolicy
metadata: {name: ${name}}
spec:
  appliesTo: ${appliesTo}
  rules:
${rules}`;
  return [
    `apiVersion: vpcgw.io/v1alpha1
kind: AddressGroup
metadata: {name: foes}
spec: {cidrs: [192.0.2.0/26, 192.0.2.128/26]}
`,
    `apiVersion: vpcgw.io/v1alpha1
kind: FirewallBaseline
metadata: {name: platform}
spec:
  rules:
    - {priority: 10, action: Deny, direction: Ingress, peers: [{addressGroup: foes}]}
`,
    ...tiers.map((tier) =>
      policy(
        tier,
        `{matchLabels: {tier: ${tier}}}`,
        `    - {priority: 10, action: Reject, direction: Ingress, ports: [{protocol: TCP, port: 22}]}
    - {priority: 20, action: Allow, direction: Ingress, ports: [{protocol: TCP, port: 1024, endPort: 65535}]}
    - {priority: 30, action: Allow, direction: Egress}
`,
      ),
    ),
    policy(
      'rest',
      '{gateway: true}',
      '    - {priority: 10, action: Allow, direction: Ingress, ports: [{protocol: ICMP}]}\n',
    ),
  ];
}

/** The gateway with its elastic IPs, each bound to a target of its own, and with its limit where it has one. */
export function documentsOf(
  plan: GatewayPlan,
  rateOf: (index: number) => string | undefined = () => undefined,
): string {
  const bound = Array.from({ length: plan.elasticIps }, (_, index) => elasticIpDocument(plan, index, rateOf(index)));
  return [gatewayDocument(plan), ...(plan.full ? policyDocuments() : []), ...bound].join('---\n');
}
