/** Whether a VPN connection has its tunnel, and its peers answer. Pure. */
import type { ConnectionLook } from '../../../health/peer-state.js';
import { type Check, check, fault, pass, skipped, some } from '../check.js';

export const tunnel: Check = check<ConnectionLook | undefined>({
  name: 'Tunnel',
  after: ['Programmed', 'Active', 'Ingress'],
  look: (eyes, { subject }) => eyes.tunnel(subject.name),
  judge(_about, look) {
    if (!look) return skipped('not looked at yet');
    const { state, reason, trouble, peers } = look;
    if (trouble) return fault(trouble, [reason]);
    const each = some(peers.map(({ peer, state: how, reason: why }) => `${peer}: ${how}, ${why}`));
    if (state === 'Down') return fault('PeersSilent', each.length > 0 ? each : [reason]);
    return state === 'Degraded' ? fault('PeersDegraded', each) : pass(...(each.length > 0 ? each : [reason]));
  },
});
