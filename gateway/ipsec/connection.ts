/**
 * A connection as strongSwan has it. Pure. Its name ends with digests of what it says, so that an edited one is another one:
 * those that an edit does not concern are not told anything.
 */
import type { Certificates } from '../kernel/state.js';
import type { Cidr } from '../model/ip.js';
import { fnv1a64 } from '../model/hash.js';
import { markOfTunnel, xfrmId } from '../model/ownership.js';
import type { Secret } from '../model/secret.js';
import { offeredBy } from '../model/site-link.js';
import type { IpsecConnection, Proposal } from '../model/vpn.js';
import type { Settings } from './vici.js';

/** What the one tunnel of a connection is called. */
export const CHILD = 'net';

export interface LoadedConnection {
  /** In the daemon. */
  readonly name: string;
  readonly connection: IpsecConnection;
  readonly settings: Settings;
  readonly xfrmId: number;
  readonly credentials: Credentials;
}

export type Credentials =
  | { readonly kind: 'preshared'; readonly key: Pick<Secret, 'reveal'> }
  | ({ readonly kind: 'certificate' } & Certificates);

/** One end of a tunnel. */
export interface End {
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** How each shows who it is. */
  readonly localAuth: Settings;
  readonly remoteAuth: Settings;
  readonly local: readonly Cidr[];
  readonly remote: readonly Cidr[];
  readonly proposals: readonly Proposal[];
  readonly dpdMs: number;
  /** Further settings, of the connection and of the tunnel. */
  readonly more: Settings;
  readonly moreOfChild: Settings;
}

export function loadedConnection(
  connection: IpsecConnection,
  number: number,
  credentials: Credentials,
): LoadedConnection {
  const { elasticIp, ipsec, site } = connection;
  const calls = ipsec.peer !== undefined;
  const localId = localIdOf(connection, credentials.kind === 'certificate' ? credentials.names : []);
  const settings = connectionSettings({
    localAddress: elasticIp.address.text,
    remoteAddress: ipsec.peer?.text ?? '%any',
    localAuth: authOf(localId, credentials, ({ own }) => ({ certs: [own] })),
    remoteAuth: authOf(ipsec.peerId, credentials, ({ authorities, peers }) => ({
      ...(authorities.length > 0 ? { cacerts: authorities } : {}),
      ...(peers.length > 0 ? { certs: peers } : {}),
    })),
    local: offeredBy(site),
    remote: site.remote,
    proposals: ipsec.proposals,
    dpdMs: ipsec.dpdMs,
    more: { if_id_in: String(xfrmId(number)), if_id_out: String(xfrmId(number)) },
    moreOfChild: {
      // Nothing of the inner packet's mark is left on the outer one, which the tunnel's own leads out, and the reverse.
      set_mark_out: `0x${markOfTunnel(number).toString(16)}/0xffffffff`,
      set_mark_in: '0x0/0xffffffff',
      // By the first packet, where it is known whom to ask; whoever tells it asks at once.
      ...(calls ? { start_action: 'trap', dpd_action: 'restart' } : {}),
    },
  });
  const digest = (what: unknown): string => fnv1a64(JSON.stringify(what)).slice(0, 8);
  return {
    name: `${networksName(connection, digest)}-${digest(settings)}`,
    connection,
    settings,
    xfrmId: xfrmId(number),
    credentials,
  };
}

/** Of two with the same, keys of one may stand beside those of the other in the kernel. */
const networksName = ({ name, site, elasticIp, ipsec }: IpsecConnection, digest: (what: unknown) => string): string =>
  `${name}-${digest([site.local, site.remote, elasticIp.address, ipsec.peer].map((each) => textOf(each)))}`;

const textOf = (what: unknown): string =>
  JSON.stringify(what, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)) ?? '';

/** Whether one connection of the daemon may follow the other without a moment in between. */
export const followsOn = (name: string, former: string): boolean =>
  name.slice(0, name.lastIndexOf('-')) === former.slice(0, former.lastIndexOf('-'));

/** `names`: what its certificate calls the gateway, where there is one that can be read. */
export const localIdOf = ({ ipsec, elasticIp }: IpsecConnection, names: readonly string[] = []): string =>
  ipsec.localId ?? names[0] ?? elasticIp.address.text;

function authOf(id: string, credentials: Credentials, shown: (certificates: Certificates) => Settings): Settings {
  if (credentials.kind === 'preshared') return { auth: 'psk', id };
  return { auth: 'pubkey', id, ...shown(credentials) };
}

export const connectionSettings = (end: End): Settings => ({
  version: '2',
  local_addrs: [end.localAddress],
  remote_addrs: [end.remoteAddress],
  proposals: end.proposals.map(ikeProposal),
  dpd_delay: `${end.dpdMs / 1000}s`,
  keyingtries: '0',
  mobike: 'no',
  unique: 'replace',
  ...end.more,
  local: end.localAuth,
  remote: end.remoteAuth,
  children: {
    [CHILD]: {
      local_ts: end.local.map(({ text }) => text),
      remote_ts: end.remote.map(({ text }) => text),
      esp_proposals: end.proposals.map(espProposal),
      ...end.moreOfChild,
    },
  },
});

/** What encrypts with a check of its own needs another function to derive keys by. */
const ikeProposal = ({ encryption, hash, group }: Proposal): string =>
  `${encryption}-${encryption.includes('gcm') ? 'prf' : ''}${hash}-${group}`;

const espProposal = ({ encryption, hash, group }: Proposal): string =>
  encryption.includes('gcm') ? `${encryption}-${group}` : `${encryption}-${hash}-${group}`;

/** What the daemon is told of who it is and whom it knows, one request each. */
export function credentialRequests({
  name,
  connection,
  credentials,
}: LoadedConnection): (readonly [string, Settings])[] {
  if (credentials.kind === 'preshared') {
    const owners = [localIdOf(connection), connection.ipsec.peerId];
    return [['load-shared', { id: name, type: 'IKE', data: credentials.key.reveal(), owners }]];
  }
  return [
    ['load-key', { type: 'any', data: credentials.key.reveal() }],
    ...credentials.between.map((data): [string, Settings] => ['load-cert', { type: 'X509', flag: 'NONE', data }]),
  ];
}
