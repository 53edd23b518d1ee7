/** What the other end of a tunnel needs, as a file for `wg-quick` or `swanctl`; secrets are theirs. Pure. */
import { mtuOf } from '../features/sites.js';
import type { CompileContext } from '../features/feature.js';
import { bracketed } from '../features/dnat-rule.js';
import { offeredBy } from '../model/site-link.js';
import { CHILD, connectionText } from '../ipsec/swanctl.js';
import type { IpsecConnection, WireGuardConnection, WireGuardPeer } from '../model/vpn.js';

export function peerConfig(connection: WireGuardConnection, peer: WireGuardPeer, context: CompileContext): string {
  const { name, elasticIp, wireGuard, site } = connection;
  const key = context.facts.keys?.get(wireGuard.key);
  const offered = offeredBy(site).map(({ text }) => text);
  return [
    `# The end of ${peer.name}, of VpnConnection ${name}. Its public key has to be`,
    `# ${peer.publicKey}`,
    '[Interface]',
    '# PrivateKey = the private key of that, which only this end knows',
    ...(peer.endpoint ? [`ListenPort = ${peer.endpoint.port}`] : []),
    `MTU = ${mtuOf(connection, context)}`,
    '# Address = an address of this end, where it has none in:',
    `#   ${peer.networks.map(({ text }) => text).join(', ')}`,
    '',
    '[Peer]',
    key && 'key' in key
      ? `PublicKey = ${key.key.fingerprint}`
      : `# PublicKey = of the gateway, whose key ${wireGuard.key} cannot be used yet`,
    ...(peer.presharedKey === undefined ? [] : [`# PresharedKey = what the gateway has in ${peer.presharedKey}`]),
    `Endpoint = ${bracketed(elasticIp.address)}:${wireGuard.listenPort}`,
    `AllowedIPs = ${offered.join(', ')}`,
    // Who cannot be called has to keep the way open.
    ...(peer.endpoint ? [] : ['PersistentKeepalive = 25']),
    '',
  ].join('\n');
}

/** Its own address stands for itself where a NAT has another, and its routes into the tunnel are its own affair. */
export function ipsecPeerConfig(connection: IpsecConnection, context: CompileContext): string {
  const { name, elasticIp, ipsec, site } = connection;
  const text = connectionText({
    localAddress: '%any',
    remoteAddress: elasticIp.address.text,
    localId: ipsec.peerId,
    remoteId: ipsec.localId,
    local: site.remote,
    remote: offeredBy(site),
    proposals: ipsec.proposals,
    dpdMs: ipsec.dpdMs,
    more: [],
    moreOfChild: ['start_action = trap'],
  });
  return [
    `# The other end of VpnConnection ${name}, ${ipsec.peer.text}, as a file for swanctl; tunnel ${CHILD}.`,
    `# Packets of up to ${mtuOf(connection, context)} bytes pass the tunnel.`,
    'connections {',
    `  ${name} {`,
    ...text.map((line) => `    ${line}`),
    '  }',
    '}',
    'secrets {',
    `  ike-${name} {`,
    `    id-1 = "${ipsec.peerId}"`,
    `    id-2 = "${ipsec.localId}"`,
    `    # secret = what the gateway has in ${ipsec.presharedKey}`,
    '  }',
    '}',
    '',
  ].join('\n');
}
