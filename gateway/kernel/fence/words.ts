/** Words of nftables that the fence's rules share, as nft prints them. Pure. */

/** TC_PRIO_CONTROL, which pfifo_fast and prio send before all else: a full link delays no advert by more than a frame. */
export const URGENT = 'meta priority set 0:7';

/**
 * Sets hold the type of role links. Where the members' links have another one, as those of WireGuard, rules compute it: a
 * set takes nothing that is always the same.
 */
export const byRoleLinkType = (rule: string): string => rule.replace(/meta ([io]iftype)/g, 'meta $1 & ether | ether');

export function spell(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${seconds > 0 ? `${seconds}s` : ''}${ms % 1000 > 0 ? `${ms % 1000}ms` : ''}`;
}
