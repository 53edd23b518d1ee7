/**
 * What a change of role runs, prepared beforehand and of a size that does not depend on how much a gateway carries.
 * A member that becomes active is already let through by its adverts: it only has to be found. Pure.
 */
import type { GatewayModel } from '../model/gateway-model.js';
import { type Member, roleMac, sidesWithMac } from '../model/high-availability.js';
import { FENCE_TABLE, LEASE_SET, roleLink } from '../model/ownership.js';

/**
 * A batch for `ip`. Giving a link the MAC address that it has makes the kernel announce every address on it, and forget
 * the neighbours that it did not find while the fence was closed. Of a virtual MAC address the network has to learn the
 * place alone, for which asking for the next hop is enough.
 */
export function announcement(model: GatewayModel, member: Member): string {
  const again = sidesWithMac(model)
    .filter(({ parent, macMode }) => parent === model.internal.interface || macMode === 'Own')
    .map(
      ({ parent, macMode }) => `link set dev ${roleLink(parent)} address ${roleMac(model, parent, macMode, member)}`,
    );
  const asked = model.externals.flatMap(({ interface: parent, gateways }) =>
    gateways.flatMap(({ text }) => [
      // One that is being looked for already would not be asked for at once.
      `neighbor delete ${text} dev ${roleLink(parent)}`,
      `neighbor replace ${text} dev ${roleLink(parent)} use`,
    ]),
  );
  return [...asked, ...again, ''].join('\n');
}

/** For `nft`: a member that is not active any more does not wait for its lease to end. */
export const closing = (): string => `flush set netdev ${FENCE_TABLE} ${LEASE_SET}\n`;
