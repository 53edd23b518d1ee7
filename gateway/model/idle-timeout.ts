/** Idle timeouts: of listeners that ask for one of their own, and of all connections else. Pure. */
import type { Listener } from './balancer.js';
import type { GatewayModel } from './gateway-model.js';

/** The longest that any listener of a protocol asks for, or what all have that ask for nothing. */
export function longestIdleMs(
  protocol: Listener['protocol'],
  { timeouts, loadBalancers }: Pick<GatewayModel, 'timeouts' | 'loadBalancers'>,
): number {
  const common = protocol === 'TCP' ? timeouts.tcpEstablished : Math.max(timeouts.udp, timeouts.udpStream);
  const ofListeners = loadBalancers.flatMap(({ listeners }) => listeners.filter((each) => each.protocol === protocol));
  return ofListeners.reduce((longest, { idleMs = 0 }) => Math.max(longest, idleMs), common);
}

/** By which the first of all connections that carry packets all the time is forgotten, if nobody tells of them. */
export function shortestIdleMs({ timeouts, loadBalancers }: Pick<GatewayModel, 'timeouts' | 'loadBalancers'>): number {
  const own = loadBalancers.flatMap(({ listeners }) => listeners.flatMap(({ idleMs }) => idleMs ?? []));
  return Math.min(timeouts.tcpEstablished, timeouts.udp, timeouts.udpStream, ...own);
}
