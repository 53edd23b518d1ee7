/** The documents of the firewall → what judges connections. */
import type { DocumentOf, GatewayDocument } from '../documents/document.js';
import type { Complaints } from './complaints.js';
import type { AddressGroup, AttachedPolicy, Firewall, FirewallRule, Policy } from './firewall.js';
import type { ElasticIp } from './gateway-model.js';
import { elasticIpNamed, named } from './named.js';
import { originOf } from './origin.js';

type PolicyDocument = DocumentOf<'FirewallPolicy'> & GatewayDocument;
type BaselineDocument = DocumentOf<'FirewallBaseline'> & GatewayDocument;

export interface FirewallDocuments {
  readonly gateway: DocumentOf<'VpcGateway'>;
  readonly policies: readonly PolicyDocument[];
  readonly baselines: readonly BaselineDocument[];
  readonly groups: readonly (DocumentOf<'AddressGroup'> & GatewayDocument)[];
}

export function resolveFirewall(
  { gateway, policies, baselines, groups: groupDocuments }: FirewallDocuments,
  elasticIps: ReadonlyMap<string, ElasticIp>,
  complaints: Complaints,
): Firewall {
  const groups = groupDocuments.map((document) => ({
    name: document.metadata.name,
    cidrs: document.spec.cidrs,
    origin: originOf(document),
  }));
  const byName = new Map(groups.map((group) => [group.name, group]));
  const policyOf = (document: PolicyDocument | BaselineDocument): Policy => ({
    name: document.metadata.name,
    rules: resolveRules(document, document.spec.rules, byName, complaints),
    flushes: document.spec.onEdit === 'Flush',
    origin: originOf(document),
  });
  const ofSome = policies.filter(({ spec }) => !spec.appliesTo.gateway);
  return {
    baselines: baselines.map(policyOf),
    ofGateway: policies.filter(({ spec }) => spec.appliesTo.gateway).map(policyOf),
    attached: ofSome.map((document): AttachedPolicy => {
      const { elasticIPs: names = [], matchLabels } = document.spec.appliesTo;
      names.forEach((name, i) =>
        elasticIpNamed(name, elasticIps, document, ['spec', 'appliesTo', 'elasticIPs', i], complaints),
      );
      return {
        ...policyOf(document),
        elasticIps: new Set(names),
        labels: matchLabels && new Map(Object.entries(matchLabels)),
      };
    }),
    groups,
    defaultIngress: gateway.spec.defaultIngress,
  };
}

type RuleSpec = PolicyDocument['spec']['rules'][number];

/** Of a document that has them at `spec.rules`. */
export const resolveRules = (
  document: GatewayDocument,
  rules: readonly RuleSpec[],
  groups: ReadonlyMap<string, AddressGroup>,
  complaints: Complaints,
): FirewallRule[] => rules.map((rule, i) => resolveRule(document, rule, i, groups, complaints));

function resolveRule(
  document: GatewayDocument,
  rule: RuleSpec,
  index: number,
  groups: ReadonlyMap<string, AddressGroup>,
  complaints: Complaints,
): FirewallRule {
  const { priority, action, direction, log, peers, ports } = rule;
  return {
    priority,
    action,
    direction,
    log,
    index,
    peers: peers && {
      cidrs: peers.flatMap((peer) => peer.cidr ?? []),
      groups: peers.flatMap(({ addressGroup: name }, i) => {
        const path = ['spec', 'rules', index, 'peers', i, 'addressGroup'];
        return name === undefined ? [] : (named('AddressGroup', name, groups, document, path, complaints) ?? []);
      }),
    },
    ports: ports?.map(({ protocol, port, endPort }) => ({
      protocol,
      ports: port === undefined ? undefined : { first: port, last: endPort ?? port },
    })),
  };
}
