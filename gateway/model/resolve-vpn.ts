/** VPN connections, with their elastic IP and the groups of their rules found. */
import type { DocumentOf, GatewayDocument } from '../documents/document.js';
import { NO_LIMIT } from './bandwidth.js';
import type { Complaints } from './complaints.js';
import type { AddressGroup, Policy } from './firewall.js';
import type { ElasticIp } from './gateway-model.js';
import { elasticIpNamed } from './named.js';
import { originOf } from './origin.js';
import { resolveRules } from './resolve-firewall.js';
import type { VpnConnection } from './vpn.js';

/** Above that of a dedicated line, which is taken while it is up. */
const VPN_METRIC = 200;

export function resolveVpn(
  document: DocumentOf<'VpnConnection'> & GatewayDocument,
  elasticIps: ReadonlyMap<string, ElasticIp>,
  groups: readonly AddressGroup[],
  complaints: Complaints,
): VpnConnection[] {
  const { spec, metadata } = document;
  const elasticIp = elasticIpNamed(spec.elasticIP, elasticIps, document, ['spec', 'elasticIP'], complaints);
  if (!elasticIp) return [];
  const origin = originOf(document);
  const { listenPort, keyRef, peers } = spec.wireGuard;
  const policy: Policy | undefined = spec.rules && {
    name: metadata.name,
    rules: resolveRules(document, spec.rules, new Map(groups.map((group) => [group.name, group])), complaints),
    flushes: true,
    origin,
  };
  return [
    {
      name: metadata.name,
      elasticIp,
      mtu: spec.mtu,
      origin,
      site: {
        local: spec.localNetworks,
        remote: peers.flatMap(({ networks }) => networks),
        translate: spec.translate,
        metric: VPN_METRIC,
        bandwidth: spec.bandwidth ?? NO_LIMIT,
        policy,
        origin,
      },
      wireGuard: {
        listenPort,
        key: keyRef.file,
        peers: peers.map(({ name, publicKey, presharedKeyRef, endpoint, networks, keepalive, probe }) => ({
          name,
          publicKey,
          presharedKey: presharedKeyRef?.file,
          endpoint,
          networks,
          keepaliveMs: keepalive,
          probe: probe && { address: probe.address, intervalMs: probe.interval },
        })),
      },
    },
  ];
}
