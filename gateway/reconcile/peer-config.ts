/** What the other end of a tunnel needs, as a file for `wg-quick` or `swanctl`; secrets are theirs. Pure. */
import { mtuOf } from '../features/sites.js';
import type { CompileContext } from '../features/feature.js';
import { bracketed } from '../features/dnat-rule.js';
import { offeredBy } from '../model/site-link.js';
import { CHILD, connectionSettings, localIdOf } from '../ipsec/connection.js';
import { settingsText } from '../ipsec/swanctl.js';
import type { Facts } from '../kernel/state.js';
import {
  certificateKey,
  type IpsecConnection,
  peerNameOf,
  type WireGuardConnection,
  type WireGuardPeer,
} from '../model/vpn.js';

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
  const { credentials, peerId } = ipsec;
  const localId = localIdOf(connection, namesOf(ipsec, context.facts));
  const shown = credentials.kind === 'certificate';
  const settings = connectionSettings({
    localAddress: '%any',
    remoteAddress: elasticIp.address.text,
    localAuth: shown ? { auth: 'pubkey', id: peerId, certs: `${name}.crt` } : { auth: 'psk', id: peerId },
    remoteAuth: shown ? { auth: 'pubkey', id: localId, cacerts: 'gateway-ca.crt' } : { auth: 'psk', id: localId },
    local: site.remote,
    remote: offeredBy(site),
    proposals: ipsec.proposals,
    dpdMs: ipsec.dpdMs,
    more: {},
    moreOfChild: { start_action: ipsec.peer ? 'trap' : 'trap|start' },
  });
  return [
    `# The other end of VpnConnection ${name}, ${peerNameOf(ipsec)}, as a file for swanctl; tunnel ${CHILD}.`,
    `# Packets of up to ${mtuOf(connection, context)} bytes pass the tunnel.`,
    'connections {',
    `  ${name} {`,
    ...settingsText(settings).map((line) => `    ${line}`),
    '  }',
    '}',
    ...(credentials.kind === 'certificate'
      ? [
          `# x509/${name}.crt is a certificate of this end that says "${peerId}" and that ${credentials.trusted} of the gateway`,
          `# leads to, private/${name}.key its key, and x509ca/gateway-ca.crt the authority of the gateway's ${credentials.own}.`,
        ]
      : [
          'secrets {',
          `  ike-${name} {`,
          `    id-1 = "${peerId}"`,
          `    id-2 = "${localId}"`,
          `    # secret = what the gateway has in ${credentials.key}`,
          '  }',
          '}',
        ]),
    '',
  ].join('\n');
}

/** A certificate that cannot be read says none. */
function namesOf({ credentials }: IpsecConnection['ipsec'], { certificates }: Facts): readonly string[] {
  const fact = credentials.kind === 'certificate' ? certificates?.get(certificateKey(credentials)) : undefined;
  return fact && 'certificates' in fact ? fact.certificates.names : [];
}
