/** How a tunnel stands, from what WireGuard and probes say of its peers. Pure. */
import type { CertificateLook } from './certificate-end.js';
import type { PeerDump } from '../kernel/wireguard/parse.js';
import type { WireGuardPeer } from '../model/vpn.js';
import type { SiteState } from './site-state.js';

export interface PeerLook {
  readonly connection: string;
  readonly peer: string;
  /** `Idle`: nobody has had anything to say, so that nothing is known. */
  readonly state: SiteState;
  readonly reason: string;
  readonly endpoint: string | undefined;
  readonly handshakeAgeS: number | undefined;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly probe: ProbeLook | undefined;
}

/** Of the last probes. */
export interface ProbeLook {
  readonly address: string;
  readonly sent: number;
  readonly lost: number;
  /** `undefined` while none was answered. */
  readonly roundTripMs: number | undefined;
}

export interface ConnectionLook {
  readonly state: SiteState;
  readonly reason: string;
  /** Why there is no tunnel at all. */
  readonly trouble?: 'NoWireGuard' | 'NoIpsec' | 'KeyUnusable' | 'CertificateUnusable' | 'PortTaken' | 'PeerRefuses';
  readonly peers: readonly PeerLook[];
  /** Of a tunnel by certificates. */
  readonly certificate?: CertificateLook | undefined;
}

/** WireGuard takes no packet of an older session, and begins another one a minute before that. */
const SESSION_S = 180;
/** A new one may need a second attempt. */
const PATIENCE_S = 10;

export interface PeerInput {
  readonly connection: string;
  readonly peer: WireGuardPeer;
  /** `undefined`: the link does not know it. */
  readonly dump: PeerDump | undefined;
  /** When something was sent to it last, as far as was seen. */
  readonly spokenToS: number | undefined;
  readonly probe: ProbeLook | undefined;
  readonly nowS: number;
}

export function lookAtPeer(input: PeerInput): PeerLook {
  const { connection, peer, dump, probe, nowS } = input;
  const age = dump?.handshakeS === undefined ? undefined : Math.max(0, nowS - dump.handshakeS);
  const [state, reason] = judge(input, age);
  return {
    connection,
    peer: peer.name,
    state,
    reason,
    endpoint: dump?.endpoint,
    handshakeAgeS: age,
    receivedBytes: dump?.receivedBytes ?? 0,
    sentBytes: dump?.sentBytes ?? 0,
    probe,
  };
}

/** What probes say, as soon as there are any. */
export function judgeProbes(probe: ProbeLook | undefined): [SiteState, string] | undefined {
  if (!probe || probe.sent === 0) return undefined;
  if (probe.lost === probe.sent) return ['Down', `${probe.address} answers none of the last ${probe.sent} probes`];
  if (probe.lost > 0) return ['Degraded', `${probe.address} lost ${probe.lost} of the last ${probe.sent} probes`];
  return ['Up', `${probe.address} answers`];
}

function judge({ peer, dump, spokenToS, probe, nowS }: PeerInput, age: number | undefined): [SiteState, string] {
  if (!dump) return ['Down', 'not known to the tunnel'];
  const probed = judgeProbes(probe);
  if (probed) return probed;
  // Without a session only attempts are sent, one in some five seconds.
  const speaks = peer.keepaliveMs > 0 || (spokenToS !== undefined && nowS - spokenToS <= PATIENCE_S);
  if (age === undefined)
    return dump.sentBytes > 0 || speaks
      ? ['Down', 'no handshake yet: nobody answers']
      : ['Idle', 'nothing was said yet'];
  if (age <= SESSION_S + PATIENCE_S) return ['Up', `handshake ${age} s ago`];
  return speaks ? ['Down', `last handshake ${age} s ago`] : ['Idle', `quiet since a handshake ${age} s ago`];
}

export function lookAtConnection(peers: readonly PeerLook[]): ConnectionLook {
  const having = (state: SiteState): PeerLook[] => peers.filter((peer) => peer.state === state);
  const bad = [...having('Down'), ...having('Degraded')];
  const up = having('Up').length;
  if (bad.length === 0)
    return up > 0
      ? { state: 'Up', reason: `${up} of ${peers.length} peers`, peers }
      : { state: 'Idle', reason: 'no peer has said anything yet, or for a while', peers };
  const reason = bad
    .slice(0, NAMED)
    .map(({ peer, reason: why }) => `${peer}: ${why}`)
    .concat(bad.length > NAMED ? [`and ${bad.length - NAMED} more`] : [])
    .join('; ');
  return { state: up + having('Degraded').length > 0 ? 'Degraded' : 'Down', reason, peers };
}

const NAMED = 3;
