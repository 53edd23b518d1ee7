/** The kinds of the document language. A kind is one line here; types, schemas and reference pages follow from it. */
import * as z from 'zod';
import { addressGroupSpec } from './address-group.js';
import { bandwidthPackageSpec } from './bandwidth-package.js';
import { dedicatedLineSpec } from './dedicated-line.js';
import { dnatRuleSpec } from './dnat-rule.js';
import { elasticIpSpec } from './elastic-ip.js';
import { firewallBaselineSpec, firewallPolicySpec } from './firewall-policy.js';
import { ipv6PrefixSpec } from './ipv6-prefix.js';
import { loadBalancerSpec } from './load-balancer.js';
import { objectName } from './scalars.js';
import { snatRuleSpec } from './snat-rule.js';
import { vpcGatewaySpec } from './vpc-gateway.js';
import { vpnConnectionSpec } from './vpn-connection.js';
import { vpnPeerSpec } from './vpn-peer.js';

export const API_VERSION = 'vpcgw.io/v1alpha1';

export const KINDS = {
  VpcGateway: {
    plural: 'vpcgateways',
    shortName: 'vgw',
    changedBy: 'operator',
    spec: vpcGatewaySpec,
    summary: "A VPC's way out and in.",
  },
  ElasticIP: {
    plural: 'elasticips',
    shortName: 'eip',
    changedBy: 'editor',
    spec: elasticIpSpec,
    summary: 'A public address.',
  },
  SnatRule: {
    plural: 'snatrules',
    shortName: 'snat',
    changedBy: 'editor',
    spec: snatRuleSpec,
    summary: 'Many sources leave by a few elastic IPs.',
  },
  DnatRule: {
    plural: 'dnatrules',
    shortName: 'dnat',
    changedBy: 'editor',
    spec: dnatRuleSpec,
    summary: 'Ports of an elastic IP lead to a VM.',
  },
  LoadBalancer: {
    plural: 'loadbalancers',
    shortName: 'lb',
    changedBy: 'editor',
    spec: loadBalancerSpec,
    summary: 'Ports that lead to several VMs.',
  },
  Ipv6Prefix: {
    plural: 'ipv6prefixes',
    shortName: 'v6p',
    changedBy: 'editor',
    spec: ipv6PrefixSpec,
    summary: 'Routed public IPv6 for the VPC.',
  },
  FirewallPolicy: {
    plural: 'firewallpolicies',
    shortName: 'fwp',
    changedBy: 'editor',
    spec: firewallPolicySpec,
    summary: 'Who may open connections to elastic IPs, and where the VPC may go.',
  },
  FirewallBaseline: {
    plural: 'firewallbaselines',
    shortName: 'fwb',
    changedBy: 'operator',
    spec: firewallBaselineSpec,
    summary: "The operator's rules, asked before every policy.",
  },
  AddressGroup: {
    plural: 'addressgroups',
    shortName: 'ag',
    changedBy: 'editor',
    spec: addressGroupSpec,
    summary: 'Prefixes under one name, for firewall rules.',
  },
  BandwidthPackage: {
    plural: 'bandwidthpackages',
    shortName: 'bwp',
    changedBy: 'editor',
    spec: bandwidthPackageSpec,
    summary: 'A bandwidth that several elastic IPs share.',
  },
  VpnConnection: {
    plural: 'vpnconnections',
    shortName: 'vpn',
    changedBy: 'editor',
    spec: vpnConnectionSpec,
    summary: 'A tunnel between the VPC and a site.',
  },
  VpnPeer: {
    plural: 'vpnpeers',
    shortName: 'vpnp',
    changedBy: 'editor',
    spec: vpnPeerSpec,
    summary: 'Another end of a tunnel, by itself.',
  },
  DedicatedLine: {
    plural: 'dedicatedlines',
    shortName: 'line',
    changedBy: 'operator',
    spec: dedicatedLineSpec,
    summary: 'A leased line between the VPC and a site.',
  },
} as const satisfies Record<string, KindOfDocument>;

interface KindOfDocument {
  readonly plural: string;
  readonly shortName: string;
  /** The least role over the API that may change it. */
  readonly changedBy: 'editor' | 'operator';
  readonly spec: z.ZodType;
  readonly summary: string;
}

export type Kind = keyof typeof KINDS;
export type SpecOf<K extends Kind> = z.output<(typeof KINDS)[K]['spec']>;

export const isKind = (text: string): text is Kind => Object.hasOwn(KINDS, text);

const stringMap = z.record(z.string().max(317), z.string().max(65_536));

export const metadata = z.strictObject({
  name: objectName.describe('What other documents, status and logs call it; one of a kind.'),
  namespace: objectName.optional().describe('Accepted, and not looked at: a gateway has one name space.'),
  labels: stringMap
    .optional()
    .describe('For you; looked at on an `ElasticIP` alone, by `appliesTo.matchLabels` of a `FirewallPolicy`.'),
  annotations: stringMap.optional().describe('For you; not looked at.'),
  generation: z.int().min(0).optional().describe('Accepted, as an exported object carries it; not looked at.'),
});
export type Metadata = z.output<typeof metadata>;

function wholeDocument(kind: Kind) {
  return z.strictObject({
    apiVersion: z.literal(API_VERSION, { error: `must be ${API_VERSION}` }),
    kind: z.literal(kind),
    metadata,
    spec: KINDS[kind].spec,
    status: z.unknown().optional(),
  });
}

const schemas = new Map<Kind, ReturnType<typeof wholeDocument>>();

/** The whole document of a kind; `status` is accepted, since an exported object carries it, and ignored. */
export function documentSchema(kind: Kind): ReturnType<typeof wholeDocument> {
  const schema = schemas.get(kind) ?? wholeDocument(kind);
  schemas.set(kind, schema);
  return schema;
}
