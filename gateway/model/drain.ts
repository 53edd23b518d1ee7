/** What no longer leads somewhere, and whose connections may go on for a while. */
import type { PortRange } from './gateway-model.js';

/** A former binding whose flows may live on until a moment (ms since the epoch). */
export interface Drain {
  readonly address: string;
  readonly target: string;
  readonly untilMs: number;
  /** Of a member of a load balancer: the listener's ports over TCP, and the member's own, where it has one. */
  readonly listener?: { readonly ports: PortRange; readonly memberPort?: number | undefined };
}

export const drainKey = ({ address, target, listener }: Omit<Drain, 'untilMs'>): string =>
  listener
    ? `${address} ${listener.ports.first}-${listener.ports.last} ${target} ${listener.memberPort ?? ''}`
    : `${address} ${target}`;
