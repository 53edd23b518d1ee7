/** Documents → GatewayModel, or every reason why not. */
import type { Kind } from '../api/kinds.js';
import type { DocumentOf, GatewayDocument, Locate } from '../documents/document.js';
import { nearest } from '../documents/explain.js';
import { NO_LIMIT } from './bandwidth.js';
import { addElasticIp, checkModel } from './check.js';
import { Complaints } from './complaints.js';
import { byPosition, type Diagnostic } from './diagnostic.js';
import { highAvailabilityOf } from './high-availability.js';
import type {
  DnatRule,
  ElasticIp,
  ElasticIps,
  ExternalNetwork,
  Frame,
  GatewayLimits,
  GatewayModel,
  Ipv6Prefix,
  Sides,
  SnatRule,
} from './gateway-model.js';
import { elasticIpNamed } from './named.js';
import { originOf } from './origin.js';
import { remember, rememberWithin } from './remember.js';
import { resolveBalancer } from './resolve-balancer.js';
import { resolvePackage } from './resolve-bandwidth.js';
import { resolveFirewall } from './resolve-firewall.js';
import { resolveVpns } from './resolve-vpn.js';
import { resolveLine } from './resolve-line.js';

export interface Resolved {
  readonly model: GatewayModel | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

export function resolve(
  documents: readonly GatewayDocument[],
  locate: Locate,
  { complete }: { complete: boolean } = { complete: true },
): Resolved {
  const complaints = new Complaints(() => documents, locate, complete);
  const unique = refuseDuplicates(documents, complaints);
  const kinds = new Map<Kind, GatewayDocument[]>();
  for (const document of unique) {
    const known = kinds.get(document.kind);
    if (known) known.push(document);
    else kinds.set(document.kind, [document]);
  }
  const ofKind = <K extends Kind>(kind: K) => (kinds.get(kind) ?? []) as unknown as (DocumentOf<K> & GatewayDocument)[];
  /** Where rules stand one below the other and none goes before the others: to move a document changes nothing. */
  const byName = <K extends Kind>(kind: K) =>
    ofKind(kind).toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const gateway = theGateway(ofKind('VpcGateway'), unique, complaints);
  if (!gateway) return { model: undefined, diagnostics: complaints.diagnostics };

  const sides = sidesOf(gateway);
  const { externals } = sides;
  const eips = ofKind('ElasticIP').flatMap((document) => resolveElasticIp(document, externals, complaints) ?? []);
  const elasticIps = new Map(eips.map((eip) => [eip.name, eip]));
  const firewall = resolveFirewall(
    {
      gateway,
      policies: ofKind('FirewallPolicy'),
      baselines: ofKind('FirewallBaseline'),
      groups: ofKind('AddressGroup'),
    },
    elasticIps,
    complaints,
  );
  const vpnConnections = resolveVpns(
    { connections: byName('VpnConnection'), peers: ofKind('VpnPeer') },
    elasticIps,
    firewall.groups,
    complaints,
  );
  const frame: Frame = {
    name: gateway.metadata.name,
    paused: gateway.spec.paused,
    ...sides,
    sides,
    management: gateway.spec.management?.interface,
    highAvailability: highAvailabilityOf(gateway),
    timeouts: gateway.spec.timeouts,
    conntrackSize: gateway.spec.conntrack?.size,
    limits: limitsOf(gateway),
    firewall,
    bandwidth: gateway.spec.bandwidth ?? NO_LIMIT,
    packages: ofKind('BandwidthPackage').map((document) => resolvePackage(document, elasticIps, complaints)),
    snatRules: ofKind('SnatRule').map((document) => resolveSnat(document, elasticIps, complaints)),
    dnatRules: ofKind('DnatRule').flatMap((document) => resolveDnat(document, elasticIps, complaints)),
    loadBalancers: byName('LoadBalancer').map((document) => resolveBalancer(document, elasticIps, complaints)),
    ipv6Prefixes: ofKind('Ipv6Prefix').flatMap((document) => resolvePrefix(document, externals, complaints)),
    vpnConnections,
    dedicatedLines: byName('DedicatedLine').map((document) =>
      resolveLine(document, vpnConnections, firewall.groups, complaints),
    ),
  };
  const model: GatewayModel = { ...frame, frame, ...indexed(elasticIps, complaints, eips, sides) };
  checkModel(model, gateway, complaints);
  const diagnostics = complaints.diagnostics.sort(byPosition);
  return { model: complaints.failed ? undefined : model, diagnostics };
}

function limitsOf({ spec: { limits } }: DocumentOf<'VpcGateway'>): GatewayLimits {
  const { connections, newConnectionsPerSecond, connectionsPerSource, newConnectionsPerSecondPerSource } = limits;
  return { connections, newConnectionsPerSecond, connectionsPerSource, newConnectionsPerSecondPerSource };
}

/** Elastic IPs by address and target; two of one are named. */
function indexed(
  elasticIps: ReadonlyMap<string, ElasticIp>,
  complaints: Complaints,
  eips: readonly ElasticIp[],
  sides: Sides,
): ElasticIps {
  const byAddress = new Map<string, ElasticIp>();
  const byTarget = new Map<string, ElasticIp>();
  for (const eip of eips) addElasticIp(eip, byAddress, byTarget, sides, complaints);
  return { elasticIps, byAddress, byTarget };
}

export function resolveElasticIp(
  document: DocumentOf<'ElasticIP'> & GatewayDocument,
  externals: readonly ExternalNetwork[],
  complaints: Complaints,
): ElasticIp | undefined {
  const external = resolveExternal(document, externals, complaints);
  return external && elasticIpOf(document, external);
}

function refuseDuplicates(documents: readonly GatewayDocument[], complaints: Complaints): GatewayDocument[] {
  const first = new Map<string, GatewayDocument>();
  for (const document of documents) {
    const id = document.id;
    const known = first.get(id);
    if (!known) first.set(id, document);
    else
      complaints.at(document, ['metadata', 'name'], `${id} is defined twice; the other stands at ${positionOf(known)}`);
  }
  return [...first.values()];
}

const positionOf = (document: GatewayDocument): string => `${document.source.file}:${originOf(document).line}`;

function theGateway(
  gateways: readonly DocumentOf<'VpcGateway'>[],
  all: readonly GatewayDocument[],
  complaints: Complaints,
) {
  const [gateway, second] = gateways;
  if (second)
    complaints.at(
      second,
      ['kind'],
      `a second VpcGateway; this gateway is ${gateway?.metadata.name}, and a supervisor runs one`,
    );
  const [some] = all;
  if (!gateway && some && complaints.complete)
    complaints.at(
      some,
      ['kind'],
      'no document is of kind VpcGateway; one is needed, with the internal side and the external networks',
    );
  return gateway;
}

const sidesOf = remember(({ spec }: DocumentOf<'VpcGateway'>): Sides => {
  const { addresses, prefixes, interface: name, macMode } = spec.internal;
  const all = [...addresses.map((address) => address.network), ...prefixes.map((prefix) => prefix.cidr)];
  return {
    internal: { interface: name, addresses, routed: prefixes, prefixes: all, macMode },
    externals: spec.externals,
  };
});

function resolveExternal(
  document: DocumentOf<'ElasticIP'> | DocumentOf<'Ipv6Prefix'>,
  externals: readonly ExternalNetwork[],
  complaints: Complaints,
): ExternalNetwork | undefined {
  const wanted = document.spec.external;
  const found = wanted === undefined ? externals[0] : externals.find((external) => external.name === wanted);
  if (found && (wanted !== undefined || externals.length === 1)) return found;
  const names = externals.map((external) => external.name);
  if (wanted === undefined)
    complaints.at(document, ['spec'], `external is missing: the gateway has several (${names.join(', ')})`);
  else
    complaints.at(
      document,
      ['spec', 'external'],
      `the gateway has no external network ${wanted}${nearest(wanted, names)}; it has ${names.join(', ')}`,
    );
  return undefined;
}

const NO_LABELS: ReadonlyMap<string, string> = new Map();

/** The same object for an unchanged document, so that what was compiled of it can be used again. */
const elasticIpOf = rememberWithin((document: DocumentOf<'ElasticIP'>, external: ExternalNetwork): ElasticIp => ({
  name: document.metadata.name,
  address: document.spec.address,
  external: external.name,
  announced: document.spec.announcement === 'Neighbor',
  target: document.spec.target?.address,
  bandwidth: document.spec.bandwidth ?? NO_LIMIT,
  drainTimeoutMs: document.spec.drainTimeout,
  limits: document.spec.limits,
  labels: document.metadata.labels ? new Map(Object.entries(document.metadata.labels)) : NO_LABELS,
  origin: originOf(document),
}));

function resolveSnat(
  document: DocumentOf<'SnatRule'>,
  elasticIps: ReadonlyMap<string, ElasticIp>,
  complaints: Complaints,
): SnatRule {
  const { spec, metadata } = document;
  const pool = spec.elasticIPs.flatMap(
    (name, i) => elasticIpNamed(name, elasticIps, document, ['spec', 'elasticIPs', i], complaints) ?? [],
  );
  return {
    name: metadata.name,
    sources: spec.sources.map((source) => source.cidr),
    pool,
    portsPerSource: spec.portsPerSource,
    origin: originOf(document),
  };
}

function resolveDnat(
  document: DocumentOf<'DnatRule'>,
  elasticIps: ReadonlyMap<string, ElasticIp>,
  complaints: Complaints,
): DnatRule[] {
  const { spec, metadata } = document;
  const elasticIp = elasticIpNamed(spec.elasticIP, elasticIps, document, ['spec', 'elasticIP'], complaints);
  if (!elasticIp) return [];
  return [
    {
      name: metadata.name,
      elasticIp,
      protocol: spec.protocol,
      ports: spec.port === undefined ? undefined : { first: spec.port, last: spec.endPort ?? spec.port },
      target: spec.target.address,
      targetPort: spec.targetPort,
      origin: originOf(document),
    },
  ];
}

function resolvePrefix(
  document: DocumentOf<'Ipv6Prefix'>,
  externals: readonly ExternalNetwork[],
  complaints: Complaints,
): Ipv6Prefix[] {
  const external = resolveExternal(document, externals, complaints);
  if (!external) return [];
  const { spec, metadata } = document;
  return [
    {
      name: metadata.name,
      prefix: spec.prefix,
      external: external.name,
      mode: spec.mode,
      internalPrefix: spec.translate?.internal,
      origin: originOf(document),
    },
  ];
}
