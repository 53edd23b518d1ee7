/** Words of nftables that the fence's rules share, as nft prints them. Pure. */

/** TC_PRIO_CONTROL, which pfifo_fast and prio send before all else: a full link delays no advert by more than a frame. */
export const URGENT = 'meta priority set 0:7';

/**
 * What the sets hold: the type of role links. The members' may be another one, as WireGuard's, and a set takes nothing that
 * is always the same.
 */
export const IN = 'meta iiftype & ether | ether';
export const OUT = 'meta oiftype & ether | ether';

export function spell(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${seconds > 0 ? `${seconds}s` : ''}${ms % 1000 > 0 ? `${ms % 1000}ms` : ''}`;
}
