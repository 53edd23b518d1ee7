/** What the other end of a tunnel needs, as a file for `wg-quick`: all but the secrets, which are theirs. Pure. */
import { mtuOf } from '../features/sites.js';
import type { CompileContext } from '../features/feature.js';
import { bracketed } from '../features/dnat-rule.js';
import { offeredBy } from '../model/site-link.js';
import type { VpnConnection, WireGuardPeer } from '../model/vpn.js';

export function peerConfig(connection: VpnConnection, peer: WireGuardPeer, context: CompileContext): string {
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
