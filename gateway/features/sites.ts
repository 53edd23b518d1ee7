/** Where the links of sites are in this kernel, and what there is to say of one that cannot be. Pure. */
import type { Facts } from '../kernel/state.js';
import type { ElasticIp, GatewayModel } from '../model/gateway-model.js';
import { tunnelLink } from '../model/ownership.js';
import type { SiteLink } from '../model/site-link.js';
import { keysOf, type VpnConnection } from '../model/vpn.js';
import type { CompileContext } from './feature.js';

/** A site with its link. */
export interface PlacedSite {
  readonly site: SiteLink;
  /** In chains, sets, marks and tables. */
  readonly number: number;
  /** `undefined`: it has none here, and what is meant for it is refused. */
  readonly link: { readonly name: string; readonly mtu: number } | undefined;
}

export const placedSites = (model: GatewayModel, context: CompileContext): PlacedSite[] =>
  model.vpnConnections.map((connection) => {
    const { site, name } = connection;
    const link = troubleOf(connection, context.facts)
      ? undefined
      : { name: linkOf(name, context.facts), mtu: mtuOf(connection, context) };
    return { site, number: context.siteNumber(site.origin.id), link };
  });

/** Those that have a link. */
export const linkedSites = (model: GatewayModel, context: CompileContext) =>
  placedSites(model, context).flatMap(({ site, number, link }) => (link ? [{ site, number, link }] : []));

export const linkOf = (connection: string, { tunnels }: Facts): string =>
  tunnelLink(connection, tunnels?.namespace ?? '');

/** Of the outer header, UDP and WireGuard's own. */
const overheadOf = ({ address }: ElasticIp): number => (address.family === 4 ? 20 : 40) + 8 + 32;
const DEFAULT_MTU = 1500;

export function mtuOf({ mtu, elasticIp }: VpnConnection, { facts, external }: CompileContext): number {
  const outer = facts.mtu.get(external(elasticIp.external).interface) ?? DEFAULT_MTU;
  return mtu ?? outer - overheadOf(elasticIp);
}

/** What keeps a connection from having a tunnel. */
export interface Trouble {
  readonly reason: 'NoWireGuard' | 'KeyUnusable';
  readonly message: string;
}

export function troubleOf(connection: VpnConnection, { tunnels, keys }: Facts): Trouble | undefined {
  if (tunnels?.lacking !== undefined) return { reason: 'NoWireGuard', message: tunnels.lacking };
  for (const file of keysOf(connection)) {
    const fact = keys?.get(file);
    if (!fact || 'wrong' in fact)
      return {
        reason: 'KeyUnusable',
        message: `${file}: ${fact && 'wrong' in fact ? fact.wrong : 'was not read yet'}`,
      };
  }
  const own = keys?.get(connection.wireGuard.key);
  const twin = connection.wireGuard.peers.find(
    ({ publicKey }) => own && 'key' in own && publicKey === own.key.fingerprint,
  );
  return twin && { reason: 'KeyUnusable', message: `peer ${twin.name} has the public key of this gateway` };
}
