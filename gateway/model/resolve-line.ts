/** Dedicated lines, with the groups of their rules found. */
import { DEFAULT_STEADY_MS } from '../api/dedicated-line.js';
import type { DocumentOf, GatewayDocument } from '../documents/document.js';
import { NO_LIMIT } from './bandwidth.js';
import type { Complaints } from './complaints.js';
import type { AddressGroup } from './firewall.js';
import type { Cidr } from './ip.js';
import type { BgpTerms, DedicatedLine, LineProbe } from './line.js';
import { named } from './named.js';
import { originOf } from './origin.js';
import { resolveRules } from './resolve-firewall.js';
import { offeredBy } from './site-link.js';
import type { VpnConnection } from './vpn.js';

export function resolveLine(
  document: DocumentOf<'DedicatedLine'> & GatewayDocument,
  tunnels: readonly VpnConnection[],
  groups: readonly AddressGroup[],
  complaints: Complaints,
): DedicatedLine {
  const { spec, metadata } = document;
  const origin = originOf(document);
  return {
    name: metadata.name,
    port: spec.port.interface,
    vlan: spec.port.vlan,
    addresses: spec.localAddresses,
    peers: spec.peerAddresses,
    mtu: spec.mtu,
    bgp: spec.bgp && bgpOf(spec.bgp, offeredBy({ local: spec.localNetworks, translate: spec.translate })),
    probe: probeOf(spec),
    backup:
      spec.backup === undefined
        ? undefined
        : named(
            'VpnConnection',
            spec.backup,
            new Map(tunnels.map((tunnel) => [tunnel.name, tunnel])),
            document,
            ['spec', 'backup'],
            complaints,
          ),
    steadyMs: spec.probe?.steady ?? DEFAULT_STEADY_MS,
    origin,
    site: {
      local: spec.localNetworks,
      remote: spec.static?.networks ?? spec.bgp?.accept.map(({ cidr }) => cidr) ?? [],
      elsewhere: spec.bgp?.acceptDefaultRoute ? spec.peerAddresses.map(({ family }) => family) : [],
      translate: spec.translate,
      metric: spec.priority,
      bandwidth: spec.bandwidth ?? NO_LIMIT,
      policy: spec.rules && {
        name: metadata.name,
        rules: resolveRules(document, spec.rules, new Map(groups.map((group) => [group.name, group])), complaints),
        flushes: true,
        origin,
      },
      origin,
    },
  };
}

function probeOf({ probe, peerAddresses }: DocumentOf<'DedicatedLine'>['spec']): LineProbe | undefined {
  const address = probe?.address ?? peerAddresses[0];
  if (!probe || !address) return undefined;
  const { type, port = 0, interval, unhealthyThreshold } = probe;
  return { type, address, port, intervalMs: interval, unhealthyThreshold };
}

function bgpOf(bgp: NonNullable<DocumentOf<'DedicatedLine'>['spec']['bgp']>, offered: readonly Cidr[]): BgpTerms {
  const { localASN, peerASN, authKeyRef, accept, advertise, bfd, ...same } = bgp;
  return {
    localAsn: localASN,
    peerAsn: peerASN,
    authKey: authKeyRef?.file,
    accept: accept.map(({ cidr, upTo }) => ({ cidr, upTo: upTo ?? cidr.length })),
    maxPrefixes: same.maxPrefixes,
    advertise: advertise ?? offered,
    communities: same.communities,
    med: same.med,
    gracefulRestart: same.gracefulRestart,
    bfd: bfd && { intervalMs: bfd.interval, multiplier: bfd.multiplier },
  };
}
