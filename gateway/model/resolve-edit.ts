/**
 * The model after an edit of what there are thousands of, and what is far the most often edited: elastic IPs, and the
 * peers of tunnels. It costs no look at what is unchanged, and gives what `resolve` would.
 */
import type { DocumentOf, GatewayDocument, Locate } from '../documents/document.js';
import { addElasticIp } from './check.js';
import { checkVpn } from './check-vpn.js';
import { Complaints } from './complaints.js';
import { byPosition } from './diagnostic.js';
import type { GatewayModel } from './gateway-model.js';
import { type Resolved, resolveElasticIp } from './resolve.js';
import { exchangePeers } from './resolve-vpn.js';

/** What an edit does to documents: those it takes away or replaces, and those that it brings. */
interface Exchange {
  readonly taken: readonly GatewayDocument[];
  readonly given: readonly GatewayDocument[];
}

/** `undefined` when the edit is of another sort, and `resolve` has to look at everything. */
export function resolveEdit(
  before: GatewayModel,
  exchange: Exchange,
  all: () => readonly GatewayDocument[],
  locate: Locate,
): Resolved | undefined {
  const complaints = new Complaints(all, locate);
  const model = afterElasticIps(before, exchange, complaints) ?? afterPeers(before, exchange, complaints);
  return (
    model && {
      model: complaints.failed ? undefined : model,
      diagnostics: complaints.diagnostics.sort(byPosition),
    }
  );
}

/** Of elastic IPs that no rule names. */
function afterElasticIps(
  before: GatewayModel,
  { taken, given }: Exchange,
  complaints: Complaints,
): GatewayModel | undefined {
  // Before all else, since a model may have thousands of rules.
  if (![...taken, ...given].every(({ kind }) => kind === 'ElasticIP')) return undefined;
  const named = new Set(
    [
      ...before.snatRules.flatMap((rule) => rule.pool),
      ...before.dnatRules.map((rule) => rule.elasticIp),
      ...before.loadBalancers.flatMap(({ elasticIp }) => elasticIp ?? []),
      ...before.vpnConnections.map(({ elasticIp }) => elasticIp),
      ...before.packages.flatMap(({ members }) => members.map((member) => member.elasticIp)),
    ].map((eip) => eip.name),
  );
  for (const { elasticIps } of before.firewall.attached) for (const name of elasticIps) named.add(name);
  if ([...taken, ...given].some(({ metadata }) => named.has(metadata.name))) return undefined;
  const taking = new Set(before.loadBalancers.map(({ address }) => address?.text));
  if (given.some((document) => taking.has((document as DocumentOf<'ElasticIP'>).spec.target?.address.text ?? '')))
    return undefined;
  const elasticIps = new Map(before.elasticIps);
  const byAddress = new Map(before.byAddress);
  const byTarget = new Map(before.byTarget);
  for (const { metadata } of taken) {
    const eip = before.elasticIps.get(metadata.name);
    elasticIps.delete(metadata.name);
    if (eip) byAddress.delete(eip.address.text);
    if (eip?.target) byTarget.delete(eip.target.text);
  }
  for (const document of given) {
    const eip = resolveElasticIp(document as DocumentOf<'ElasticIP'> & GatewayDocument, before.externals, complaints);
    if (!eip) continue;
    elasticIps.set(eip.name, eip);
    addElasticIp(eip, byAddress, byTarget, before.sides, complaints);
  }
  return { ...before, elasticIps, byAddress, byTarget };
}

/** Of VPN peers that have documents of their own. */
function afterPeers(
  before: GatewayModel,
  { taken, given }: Exchange,
  complaints: Complaints,
): GatewayModel | undefined {
  if (![...taken, ...given].every(({ kind }) => kind === 'VpnPeer')) return undefined;
  // Which networks are a line's, and whether its backup covers them, is asked of all of both.
  if (before.dedicatedLines.length > 0) return undefined;
  const vpnConnections = exchangePeers(
    before.vpnConnections,
    new Set(taken.map(({ id }) => id)),
    given as (DocumentOf<'VpnPeer'> & GatewayDocument)[],
    complaints,
  );
  const model = { ...before, vpnConnections, frame: { ...before.frame, vpnConnections } };
  checkVpn(model, complaints);
  return model;
}
