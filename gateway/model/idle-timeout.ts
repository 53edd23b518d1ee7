/** Idle timeouts: of listeners that ask for one of their own, and of all connections else. Pure. */
import type { Listener } from './balancer.js';
import type { GatewayModel } from './gateway-model.js';

/** How long a connection of a protocol is remembered that idles: at a listener that asks for nothing. */
export const commonIdleMs = (protocol: Listener['protocol'], { timeouts }: Pick<GatewayModel, 'timeouts'>): number =>
  protocol === 'TCP' ? timeouts.tcpEstablished : Math.max(timeouts.udp, timeouts.udpStream);

/** The longest that any listener asks for, or the common one. */
export const longestIdleMs = (
  protocol: Listener['protocol'],
  model: Pick<GatewayModel, 'timeouts' | 'loadBalancers'>,
): number => {
  let longest = commonIdleMs(protocol, model);
  for (const { listeners } of model.loadBalancers)
    for (const listener of listeners)
      if (listener.protocol === protocol) longest = Math.max(longest, listener.idleMs ?? 0);
  return longest;
};
