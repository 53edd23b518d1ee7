/** What `wg show LINK dump` says: a line of the link, then one of each peer. */
import type { Key } from '../state.js';

export interface WireGuardDump {
  readonly publicKey: string;
  readonly listenPort: number;
  readonly mark: number;
  readonly peers: readonly PeerDump[];
}

export interface PeerDump {
  readonly publicKey: string;
  readonly presharedKey: Key | undefined;
  readonly endpoint: string | undefined;
  readonly networks: readonly string[];
  readonly keepaliveS: number;
  /** Seconds since the epoch; `undefined` when there was none. */
  readonly handshakeS: number | undefined;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

const NONE = '(none)';

/** Secrets in it are told by their fingerprints from here on. Of all peers, or of `some` by their public keys. */
export function parseDump(
  text: string,
  fingerprintOf: (presharedKey: string) => string,
  some?: ReadonlySet<string>,
): WireGuardDump | undefined {
  const [link, ...all] = text.split('\n').filter((line) => line !== '');
  const peers = some ? all.filter((line) => some.has(line.slice(0, line.indexOf('\t')))) : all;
  const [, publicKey, port, mark] = link?.split('\t') ?? [];
  if (publicKey === undefined || port === undefined || mark === undefined) return undefined;
  return {
    publicKey,
    listenPort: Number(port),
    mark: mark === 'off' ? 0 : Number(mark),
    peers: peers.map((line) => parsePeer(line, fingerprintOf)),
  };
}

function parsePeer(line: string, fingerprintOf: (presharedKey: string) => string): PeerDump {
  const [key = '', preshared = NONE, endpoint = NONE, networks = NONE, handshake, received, sent, keepalive] =
    line.split('\t');
  return {
    publicKey: key,
    presharedKey: preshared === NONE ? undefined : { fingerprint: fingerprintOf(preshared) },
    endpoint: endpoint === NONE ? undefined : endpoint,
    networks: networks === NONE ? [] : networks.split(',').sort(),
    handshakeS: Number(handshake) || undefined,
    receivedBytes: Number(received),
    sentBytes: Number(sent),
    keepaliveS: Number(keepalive) || 0,
  };
}
