/** What is told about a gateway: of itself and of each document. Pure. */
import type { DocumentOf, GatewayDocument } from '../documents/document.js';
import type { Diagnostic } from '../model/diagnostic.js';
import { type LineTrouble, lineTroubleOf, peerTrouble, type Trouble, troubleOf } from '../features/sites.js';
import type { CertificateLook } from '../health/certificate-end.js';
import type { LineLook } from '../health/line-look.js';
import type { ConnectionLook } from '../health/peer-state.js';
import type { Balancing, Facts, Shaper } from '../kernel/state.js';
import { closes, policiesOf } from '../model/firewall.js';
import { balancerNotes, BY_RULES } from './balancer-notes.js';
import type { ElasticIp, GatewayModel } from '../model/gateway-model.js';
import type { Pressure } from '../model/pressure.js';
import { remember } from '../model/remember.js';
import { ownPeerOf } from '../model/resolve-vpn.js';
import { bandwidthNotes, NOT_ENFORCED } from './bandwidth-notes.js';
import type { Candidate } from './candidate.js';
import type { PairStatus } from './pair-status.js';

export interface Condition {
  readonly type:
    'Accepted' | 'ResolvedRefs' | 'Programmed' | 'Ready' | 'PortsAvailable' | 'Connected' | 'CertificateLasting';
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
}

export interface ObjectStatus {
  readonly kind: string;
  readonly name: string;
  readonly source: string;
  readonly conditions: readonly Condition[];
  /** Things worth knowing that are no fault. */
  readonly notes: readonly string[];
}

/** Named conditions of the gateway as a whole. */
export interface GatewayCondition {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly message: string;
}

export interface DriftReport {
  readonly repairs: number;
  readonly last: { readonly time: string; readonly what: readonly string[]; readonly repaired: boolean } | undefined;
}

export interface GatewayStatus {
  readonly name: string | undefined;
  readonly version: string;
  readonly source: 'Folder' | 'Api';
  readonly revision: number;
  /** The kernel was verified to hold the latest revision. */
  readonly ready: boolean;
  readonly paused: boolean;
  /** Of a pair. */
  readonly failover: PairStatus | undefined;
  readonly pendingConfirm: { readonly revision: number; readonly deadline: string } | undefined;
  readonly lastChange: { readonly time: string; readonly durationMs: number; readonly cutFlows: number } | undefined;
  readonly drift: DriftReport;
  readonly conditions: readonly GatewayCondition[];
  /** Of the documents that were refused last, while the former ones stay in force. */
  readonly diagnostics: readonly Diagnostic[];
  /** The folder as it was last read, and whether it was taken. */
  readonly folder: { readonly digest: string | undefined; readonly taken: boolean } | undefined;
  readonly objects: readonly ObjectStatus[];
}

/** How a gateway stands, as its supervisor goes along. */
export interface Standing {
  ready: boolean;
  /** Why the latest documents are not in the kernel. */
  trouble: { readonly reason: string; readonly message: string };
  /** Of the folder that was refused last. */
  refused: readonly Diagnostic[];
  refusal: string | undefined;
  folder: GatewayStatus['folder'];
  lastChange: GatewayStatus['lastChange'];
  drift: DriftReport;
  persistTrouble: string | undefined;
  /** What the machine lacks, when nothing could be put into force. */
  lacking: string | undefined;
}

export const newStanding = (): Standing => ({
  ready: false,
  trouble: { reason: 'Pending', message: 'not programmed yet' },
  refused: [],
  refusal: undefined,
  folder: undefined,
  lastChange: undefined,
  drift: { repairs: 0, last: undefined },
  persistTrouble: undefined,
  lacking: undefined,
});

export interface StatusInput {
  readonly standing: Standing;
  readonly candidate: Candidate | undefined;
  readonly generations: ReadonlyMap<string, number>;
  readonly source: 'Folder' | 'Api';
  readonly version: string;
  readonly revision: number;
  readonly pending: { readonly revision: number; readonly confirmByMs?: number } | undefined;
  readonly journalDamage: string | undefined;
  readonly auditTrouble: string | undefined;
  readonly unsettable: readonly string[];
  readonly pressure: Pressure;
  readonly shaper: Shaper | undefined;
  /** That it was compiled with. */
  readonly facts: Facts | undefined;
  readonly balancing: Balancing | undefined;
  /** How they stand, by connection. */
  readonly tunnels?: ReadonlyMap<string, ConnectionLook> | undefined;
  readonly lines?: ReadonlyMap<string, LineLook> | undefined;
  /** The model that the kernel holds. */
  readonly inForce: GatewayModel | undefined;
  readonly pair:
    | {
        readonly status: PairStatus | undefined;
        readonly trouble: string | undefined;
        readonly conditions: readonly (readonly [type: string, trouble: string | undefined])[];
      }
    | undefined;
}

export function gatewayStatus(input: StatusInput): GatewayStatus {
  const { standing, candidate, pending, revision, source, version } = input;
  const { ready, lastChange, drift, folder, refused } = standing;
  const objects = candidate
    ? objectStatuses({
        ...input,
        documents: [...candidate.documents.values()],
        model: candidate.model,
        programmed: input.inForce === candidate.model,
        whyNot: standing.trouble,
      })
    : [];
  return {
    name: candidate?.model.name,
    version,
    source,
    revision,
    ready,
    paused: candidate?.model.paused ?? false,
    failover: input.pair?.status,
    pendingConfirm: pending && {
      revision: pending.revision,
      deadline: new Date(pending.confirmByMs ?? 0).toISOString(),
    },
    lastChange,
    drift,
    conditions: conditionsOf(input),
    diagnostics: refused,
    folder,
    objects,
  };
}

function conditionsOf(input: StatusInput): GatewayCondition[] {
  const { standing, candidate, journalDamage, auditTrouble, unsettable, pressure, shaper, balancing } = input;
  const condition = (type: string, trouble: string | undefined): GatewayCondition => ({
    type,
    status: trouble === undefined ? 'True' : 'False',
    message: trouble ?? '',
  });
  const { exhausted, full } = pressure;
  const damage = journalDamage === undefined ? undefined : `journal ${journalDamage}`;
  const unshaped =
    shaper?.lacking === undefined ? undefined : `${NOT_ENFORCED}: ${shaper.lacking}; see vpcgw preflight`;
  const switches = unsettable.map((key) => key.replace(/^sysctls /, '')).join(', ');
  return [
    condition('DocumentsAccepted', standing.refusal),
    condition('Programmed', standing.ready ? undefined : standing.trouble.message),
    condition('Unpaused', candidate?.model.paused ? 'spec.paused is set: nothing is written to the kernel' : undefined),
    condition('StatePersisted', standing.persistTrouble ?? damage),
    condition('AuditKept', auditTrouble),
    condition('MachineFit', standing.lacking === undefined ? undefined : `missing: ${standing.lacking}`),
    condition('SysctlsSet', switches === '' ? undefined : `cannot be set from here: ${switches}; see vpcgw preflight`),
    condition('PairReady', input.pair?.trouble),
    ...(input.pair?.conditions ?? []).map(([type, trouble]) => condition(type, trouble)),
    condition('BandwidthEnforced', unshaped),
    condition('BalancedByIpvs', balancing?.lacking === undefined ? undefined : `${BY_RULES}: ${balancing.lacking}`),
    condition('PortsAvailable', exhausted.size === 0 ? undefined : `nearly used up: ${[...exhausted].join(', ')}`),
    condition('ConnectionsAvailable', full ? 'limits.connections is reached: new connections are dropped' : undefined),
  ];
}

interface ObjectInput {
  readonly documents: readonly GatewayDocument[];
  readonly model: GatewayModel;
  readonly generations: ReadonlyMap<string, number>;
  readonly programmed: boolean;
  readonly whyNot: { readonly reason: string; readonly message: string };
  readonly pressure: Pressure;
  readonly shaper: Shaper | undefined;
  readonly facts: Facts | undefined;
  readonly balancing: Balancing | undefined;
  readonly tunnels?: ReadonlyMap<string, ConnectionLook> | undefined;
  readonly lines?: ReadonlyMap<string, LineLook> | undefined;
}

function objectStatuses(input: ObjectInput): ObjectStatus[] {
  return input.documents.map((document) => {
    const id = document.id;
    const generation = input.generations.get(id) ?? 1;
    const condition = (type: Condition['type'], ok: boolean, reason: string, message = ''): Condition => ({
      type,
      status: ok ? 'True' : 'False',
      reason,
      message,
      observedGeneration: generation,
    });
    const { programmed } = input;
    // One that has no link is no fault of the others.
    const trouble = programmed ? siteTrouble(document, input) : undefined;
    const whyNot = trouble ?? input.whyNot;
    const ready = programmed && !trouble;
    return {
      kind: document.kind,
      name: document.metadata.name,
      source: `${document.source.file}:${document.source.firstLine}`,
      conditions: [
        condition('Accepted', true, 'Valid'),
        condition('ResolvedRefs', true, 'Resolved'),
        condition('Programmed', programmed, programmed ? 'Verified' : whyNot.reason, programmed ? '' : whyNot.message),
        condition('Ready', ready, ready ? readyReason(document, input) : whyNot.reason, ready ? '' : whyNot.message),
        ...portsOf(document, input).map((free) =>
          condition('PortsAvailable', free, free ? 'Free' : 'NearlyUsedUp', free ? '' : SPILLED),
        ),
        ...connectedOf(document, input).map(({ state, reason, code }) => ({
          ...condition('Connected', state === 'Up' || state === 'Degraded', code ?? state, reason),
          ...(state === 'Idle' ? { status: 'Unknown' as const } : {}),
        })),
        ...certificateOf(document, input).map(({ warning }) =>
          condition('CertificateLasting', !warning, warning ? 'ExpiresSoon' : 'Lasting', warning),
        ),
      ],
      notes: notesOf(document, input),
    };
  });
}

interface Connected {
  readonly state: ConnectionLook['state'];
  readonly reason: string;
  /** Of what is wrong, where that has a name. */
  readonly code?: string | undefined;
}

/** Of what leads to a site, how it stands. */
function connectedOf(
  { kind, metadata: { name }, spec }: GatewayDocument,
  { tunnels, lines }: ObjectInput,
): Connected[] {
  if (kind === 'VpnPeer') return peerLooks(name, tunnels?.get(spec.connection));
  const tunnel = kind === 'VpnConnection' ? tunnels?.get(name) : undefined;
  const line = kind === 'DedicatedLine' ? lines?.get(name) : undefined;
  if (tunnel) return [{ state: tunnel.state, reason: tunnel.reason, code: tunnel.trouble }];
  return line ? [{ state: line.state, reason: line.reason, code: line.trouble }] : [];
}

function certificateOf({ kind, metadata }: GatewayDocument, { tunnels }: ObjectInput): CertificateLook[] {
  const look = kind === 'VpnConnection' ? tunnels?.get(metadata.name)?.certificate : undefined;
  return look ? [look] : [];
}

function peerLooks(name: string, look: ConnectionLook | undefined): Pick<ConnectionLook, 'state' | 'reason'>[] {
  if (!look || look.peers.length === 0) return look ? [look] : [];
  const peer = peersOf(look).get(name);
  return peer ? [peer] : [];
}

/** By name, since there may be a thousand. */
const peersOf = remember(({ peers }: ConnectionLook) => new Map(peers.map((look) => [look.peer, look])));

/** Why it has no link in this kernel. */
function siteTrouble(document: GatewayDocument, { model, facts }: ObjectInput): Trouble | LineTrouble | undefined {
  if (!facts) return undefined;
  const { name } = document.metadata;
  const tunnel = (wanted: string) => model.vpnConnections.find((each) => each.name === wanted);
  switch (document.kind) {
    case 'VpnConnection': {
      const connection = tunnel(name);
      return connection && troubleOf(connection, facts);
    }
    case 'VpnPeer': {
      const connection = tunnel(document.spec.connection);
      if (connection?.type !== 'WireGuard') return undefined;
      return troubleOf(connection, facts) ?? peerTrouble(ownPeerOf(document), connection, facts);
    }
    case 'DedicatedLine': {
      const line = model.dedicatedLines.find((each) => each.name === name);
      return line && lineTroubleOf(line, facts);
    }
    default:
      return undefined;
  }
}

const SPILLED = 'nearly all ports are in use: new connections leave by the next address of the pool, if there is one';

/** Of an elastic IP that a SNAT rule shares, whether it has ports left. */
function portsOf(document: GatewayDocument, { model, pressure }: ObjectInput): boolean[] {
  if (document.kind !== 'ElasticIP') return [];
  const shared = model.snatRules.some((rule) => rule.pool.some((eip) => eip.name === document.metadata.name));
  return shared ? [!pressure.exhausted.has(document.spec.address.text)] : [];
}

function readyReason(document: GatewayDocument, { model }: ObjectInput): string {
  if (document.kind !== 'ElasticIP') return 'Programmed';
  const { name } = document.metadata;
  if (document.spec.target) return 'Bound';
  const used =
    model.snatRules.some((rule) => rule.pool.some((eip) => eip.name === name)) ||
    model.dnatRules.some((rule) => rule.elasticIp.name === name) ||
    model.loadBalancers.some(({ elasticIp }) => elasticIp?.name === name) ||
    model.vpnConnections.some(({ elasticIp }) => elasticIp.name === name);
  return used ? 'Shared' : 'Held';
}

const notesOf = (document: GatewayDocument, input: ObjectInput): string[] => [
  ...bandwidthNotes(document, input.model, input.shaper),
  ...ownNotes(document, input),
];

const USERSPACE = 'by wireguard-go, which is slower: this kernel has no WireGuard';

function ownNotes(document: GatewayDocument, { model, pressure, balancing, facts }: ObjectInput): string[] {
  switch (document.kind) {
    case 'ElasticIP':
      return [...judgedBy(document.metadata.name, model), ...(document.spec.target ? [HAIRPIN] : [])];
    case 'SnatRule':
      return document.spec.portsPerSource === undefined
        ? []
        : [`blocks of ${document.spec.portsPerSource} ports for each source`];
    case 'LoadBalancer':
      return balancerNotes(document.metadata.name, model, {
        down: pressure.down,
        engine: balancing?.engine ?? 'iptables',
        untimed: balancing?.untimed,
      });
    case 'VpnConnection':
      return document.spec.type === 'WireGuard' && facts?.tunnels?.engine === 'wireguard-go' ? [USERSPACE] : [];
    case 'FirewallPolicy':
      return [`judges ${judgedCount(document, model)}`];
    default:
      return [];
  }
}

const HAIRPIN =
  "a VM of the VPC that reaches it is seen with its own public address, or the next hop's, since the answer must pass the gateway";

/** Who may open connections to an elastic IP that leads somewhere. */
function judgedBy(name: string, { elasticIps, firewall }: GatewayModel): string[] {
  const eip = elasticIps.get(name);
  if (!eip) return [];
  const policies = [...policiesOf(eip, firewall), ...firewall.ofGateway].filter((policy) =>
    closes([policy], 'Ingress'),
  );
  if (policies.length > 0) return [`judged by ${policies.map((policy) => policy.name).join(', ')}`];
  if (!eip.target) return [];
  return [
    firewall.defaultIngress === 'Allow'
      ? 'open to everybody: defaultIngress'
      : 'closed but for port rules: defaultIngress',
  ];
}

function judgedCount({ spec, metadata }: DocumentOf<'FirewallPolicy'>, { elasticIps, firewall }: GatewayModel): string {
  if (spec.appliesTo.gateway) return 'the whole gateway';
  const has = (eip: ElasticIp): boolean => policiesOf(eip, firewall).some((policy) => policy.name === metadata.name);
  const count = [...elasticIps.values()].filter(has).length;
  return `${count} elastic IP${count === 1 ? '' : 's'}`;
}
