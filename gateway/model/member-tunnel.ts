/**
 * A member whose paths WireGuard carries: what all others see as its paths are links of our own, and what the platform gave
 * is below them. Both members come to the same ends, since these follow from the addresses of the ways. Pure.
 */
import type { Member, MemberKeys, MemberPath, MemberTunnel } from './high-availability.js';
import { type IpAddress, parseIp } from './ip.js';
import { MEMBER_LINK_ENDS, MEMBER_LINK_PORTS, memberLink } from './ownership.js';

/** Of a way: its lower address has the lower one of the link too, so that who gives way to whom stays as it was. */
export type End = 'lower' | 'higher';

export const otherEnd = (end: End): End => (end === 'lower' ? 'higher' : 'lower');

/** Paths are numbered from 1. */
export type KeysOf = (path: number, own: End) => MemberKeys;

export function throughTunnels(
  member: Member,
  made: Pick<MemberTunnel, 'engine'> & { readonly namespace: string },
  keysOf: KeysOf,
): Member {
  const [first, second] = member.paths;
  const through = (way: MemberPath, index: 0 | 1): MemberPath => {
    const ends = MEMBER_LINK_ENDS[index];
    const own = way.address.value < way.peer.value ? 'lower' : 'higher';
    return {
      interface: memberLink(index + 1, made.namespace),
      address: parseIp(ends[own]) as IpAddress,
      peer: parseIp(ends[otherEnd(own)]) as IpAddress,
      under: {
        way,
        engine: made.engine,
        network: ends.network,
        port: MEMBER_LINK_PORTS[index],
        keys: keysOf(index + 1, own),
      },
    };
  };
  return { ...member, paths: second ? [through(first, 0), through(second, 1)] : [through(first, 0)] };
}
