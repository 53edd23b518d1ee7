/**
 * Connections and keys in strongSwan's words. Pure. A connection's name ends with a digest of what it says, so that an
 * edited one is another one: the former is unloaded with its tunnel, and those that an edit does not concern are not told.
 */
import type { Cidr } from '../model/ip.js';
import { fnv1a64 } from '../model/hash.js';
import { markOfTunnel, xfrmId } from '../model/ownership.js';
import type { Secret } from '../model/secret.js';
import { offeredBy } from '../model/site-link.js';
import type { IpsecConnection, Proposal } from '../model/vpn.js';

/** What the one tunnel of a connection is called. */
export const CHILD = 'net';

export interface LoadedConnection {
  /** In the daemon. */
  readonly name: string;
  readonly connection: IpsecConnection;
  readonly text: readonly string[];
  readonly xfrmId: number;
  readonly key: Pick<Secret, 'reveal'>;
}

/** One end of a tunnel. */
export interface End {
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly localId: string;
  readonly remoteId: string;
  readonly local: readonly Cidr[];
  readonly remote: readonly Cidr[];
  readonly proposals: readonly Proposal[];
  readonly dpdMs: number;
  /** Further settings, of the connection and of the tunnel. */
  readonly more: readonly string[];
  readonly moreOfChild: readonly string[];
}

export function loadedConnection(
  connection: IpsecConnection,
  number: number,
  key: Pick<Secret, 'reveal'>,
): LoadedConnection {
  const { elasticIp, ipsec, site } = connection;
  const text = connectionText({
    localAddress: elasticIp.address.text,
    remoteAddress: ipsec.peer.text,
    localId: ipsec.localId,
    remoteId: ipsec.peerId,
    local: offeredBy(site),
    remote: site.remote,
    proposals: ipsec.proposals,
    dpdMs: ipsec.dpdMs,
    more: [`if_id_in = ${xfrmId(number)}`, `if_id_out = ${xfrmId(number)}`],
    moreOfChild: [
      // Nothing of the inner packet's mark is left on the outer one, which the tunnel's own leads out, and the reverse.
      `set_mark_out = 0x${markOfTunnel(number).toString(16)}/0xffffffff`,
      'set_mark_in = 0x0/0xffffffff',
      // At once, and again by the first packet.
      'start_action = trap|start',
      'dpd_action = restart',
    ],
  });
  return {
    name: `${connection.name}-${fnv1a64(text.join('\n')).slice(0, 8)}`,
    connection,
    text,
    xfrmId: xfrmId(number),
    key,
  };
}

export function connectionText(end: End): string[] {
  const list = (cidrs: readonly Cidr[]): string => cidrs.map(({ text }) => text).join(', ');
  return [
    'version = 2',
    `local_addrs = ${end.localAddress}`,
    `remote_addrs = ${end.remoteAddress}`,
    `proposals = ${end.proposals.map(ikeProposal).join(', ')}`,
    `dpd_delay = ${end.dpdMs / 1000}s`,
    'keyingtries = 0',
    'mobike = no',
    'unique = replace',
    ...end.more,
    `local { auth = psk`,
    `  id = "${end.localId}"`,
    '}',
    'remote { auth = psk',
    `  id = "${end.remoteId}"`,
    '}',
    'children {',
    `  ${CHILD} {`,
    `    local_ts = ${list(end.local)}`,
    `    remote_ts = ${list(end.remote)}`,
    `    esp_proposals = ${end.proposals.map(espProposal).join(', ')}`,
    ...end.moreOfChild.map((line) => `    ${line}`),
    '  }',
    '}',
  ];
}

/** What encrypts with a check of its own needs another function to derive keys by. */
const ikeProposal = ({ encryption, hash, group }: Proposal): string =>
  `${encryption}-${encryption.includes('gcm') ? 'prf' : ''}${hash}-${group}`;

const espProposal = ({ encryption, hash, group }: Proposal): string =>
  encryption.includes('gcm') ? `${encryption}-${group}` : `${encryption}-${hash}-${group}`;

/** The whole of what the daemon is to have, keys included. */
export const swanctlConfig = (connections: readonly LoadedConnection[]): string =>
  [
    'connections {',
    ...connections.flatMap(({ name, text }) => [`  ${name} {`, ...text.map((line) => `    ${line}`), '  }']),
    '}',
    'secrets {',
    ...connections.flatMap(({ name, connection: { ipsec }, key }) => [
      `  ike-${name} {`,
      `    id-1 = "${ipsec.localId}"`,
      `    id-2 = "${ipsec.peerId}"`,
      // In base64, in which no character has another meaning.
      `    secret = "0s${base64Of(key.reveal())}"`,
      '  }',
    ]),
    '}',
    '',
  ].join('\n');

/** Of printable ASCII. */
const base64Of = (text: string): string => btoa(text);
