// The documents of the gateways that are measured, and the numbers of the network around them.

export interface GatewayPlan {
  readonly label: string;
  /** 1, 2, …: the last number of its addresses, and the second of its elastic IPs. */
  readonly number: number;
  readonly destination: string;
  readonly elasticIps: number;
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

export function gatewayPlan(label: string, number: number, elasticIps: number): GatewayPlan {
  return { label, number, elasticIps, destination: `198.18.${number * 64}.0/18` };
}

/** Counted from 0. */
export function elasticIp({ number }: Pick<GatewayPlan, 'number'>, index: number): string {
  return `198.18.${number * 64 + (index >> 8)}.${index & 255}`;
}

export function target(index: number): string {
  return `10.0.${64 + (index >> 8)}.${index & 255}`;
}

export function gatewayDocument({ number }: Pick<GatewayPlan, 'number'>): string {
  return `apiVersion: vpcgw.io/v1alpha1
kind: VpcGateway
metadata: {name: gateway}
spec:
  internal: {interface: vpc0, addresses: [${hosts.nextHop(number)}/16]}
  externals:
    - {name: internet, interface: ext0, addresses: [${hosts.externalAddress(number)}/24], gateways: [100.64.0.1]}
`;
}

/** `rate`: its limit, both ways. */
export function elasticIpDocument(plan: Pick<GatewayPlan, 'number'>, index: number, rate?: string): string {
  const limits = rate === undefined ? '' : `, bandwidth: {ingress: ${rate}, egress: ${rate}}`;
  return `apiVersion: vpcgw.io/v1alpha1
kind: ElasticIP
metadata: {name: eip-${index}}
spec: {address: ${elasticIp(plan, index)}, target: {address: ${target(index)}}${limits}}
`;
}

/** The gateway with its elastic IPs, each bound to a target of its own, and with its limit where it has one. */
export function documentsOf(
  plan: GatewayPlan,
  rateOf: (index: number) => string | undefined = () => undefined,
): string {
  const bound = Array.from({ length: plan.elasticIps }, (_, index) => elasticIpDocument(plan, index, rateOf(index)));
  return [gatewayDocument(plan), ...bound].join('---\n');
}
