/** A link's configuration in the words of `wg addconf`, which adds to what is there and replaces what it names. */
import type { WireGuardLink, WireGuardPeer } from '../state.js';

/** Takes a preshared key away. */
const NO_PRESHARED_KEY = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';

export const renderLink = ({ key, listenPort, mark }: WireGuardLink): string[] => [
  '[Interface]',
  `PrivateKey = ${key.reveal?.() ?? ''}`,
  `ListenPort = ${listenPort}`,
  `FwMark = 0x${mark.toString(16)}`,
];

/**
 * An endpoint that was there before is not said again: the peer may have roamed. To a tunnel that does not know the peer
 * it is said where that was last.
 */
export function renderPeer(
  publicKey: string,
  peer: WireGuardPeer,
  before: WireGuardPeer | undefined,
  roamed?: string,
): string[] {
  const { presharedKey, networks, keepaliveS } = peer;
  const endpoint = before ? peer.endpoint : (roamed ?? peer.endpoint);
  return [
    '[Peer]',
    `PublicKey = ${publicKey}`,
    `PresharedKey = ${presharedKey?.reveal?.() ?? NO_PRESHARED_KEY}`,
    `AllowedIPs = ${networks.join(', ')}`,
    `PersistentKeepalive = ${keepaliveS === 0 ? 'off' : keepaliveS}`,
    ...(endpoint === undefined || endpoint === before?.endpoint ? [] : [`Endpoint = ${endpoint}`]),
  ];
}

/** For plans: without secrets. */
export const describeLink = ({ key, listenPort, mark }: WireGuardLink): string =>
  `public key ${key.fingerprint} port ${listenPort} mark 0x${mark.toString(16)}`;

export const describePeer = ({ presharedKey, endpoint, networks, keepaliveS }: WireGuardPeer): string =>
  [
    `networks ${networks.join(',')}`,
    ...(endpoint === undefined ? [] : [`endpoint ${endpoint}`]),
    ...(keepaliveS === 0 ? [] : [`keepalive ${keepaliveS}s`]),
    ...(presharedKey ? ['with a preshared key'] : []),
  ].join(' ');

/** Of the endpoints that a link was told: kept in the kernel, so that an edit of one is not lost between two lives. */
export const endpointsText = ({ peers }: WireGuardLink): string =>
  [...peers]
    .flatMap(([key, { endpoint }]) => (endpoint === undefined ? [] : [`${key} ${endpoint}`]))
    .sort()
    .join('\n');
