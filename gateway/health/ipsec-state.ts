/** How a tunnel of IPsec stands, from what the IKE daemon and probes say of it. Pure. */
import type { Bytes, NoTunnel, SaState } from '../ipsec/sas.js';
import { type IpsecConnection, peerNameOf } from '../model/vpn.js';
import { type ConnectionLook, judgeProbes, type PeerLook, type ProbeLook } from './peer-state.js';

/** Of one connection. */
export interface IpsecStanding {
  readonly state: SaState | undefined;
  /** Why there is no tunnel. */
  readonly fault: NoTunnel | undefined;
  /** By all keys that it had. */
  readonly passed: Bytes;
}

export function lookAtIpsec(
  { name, ipsec }: IpsecConnection,
  { state, fault, passed }: IpsecStanding,
  probe: ProbeLook | undefined,
): ConnectionLook {
  const [how, reason] = judge(state, fault, probe);
  const peer: PeerLook = {
    connection: name,
    peer: peerNameOf(ipsec),
    state: how,
    reason,
    endpoint: state?.remote,
    handshakeAgeS: state?.ageS,
    receivedBytes: passed.receivedBytes,
    sentBytes: passed.sentBytes,
    probe,
  };
  const refused = !state?.installed && fault?.refuses === true;
  return { state: how, reason, ...(refused ? { trouble: 'PeerRefuses' as const } : {}), peers: [peer] };
}

function judge(
  state: SaState | undefined,
  fault: NoTunnel | undefined,
  probe: ProbeLook | undefined,
): [PeerLook['state'], string] {
  if (!state?.installed) return ['Down', fault?.reason ?? 'no keys were agreed on yet'];
  return judgeProbes(probe) ?? ['Up', `keys agreed on ${state.ageS} s ago`];
}
