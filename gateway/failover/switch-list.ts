/**
 * What a change of role runs, prepared beforehand and of a size that does not depend on how much a gateway carries.
 * A member that becomes active is already let through by its adverts: it only has to be found. Pure.
 */
import type { GatewayModel } from '../model/gateway-model.js';
import { type Member, roleMac, sidesWithMac } from '../model/high-availability.js';
import { FENCE_TABLE, LEASE_SET, lineParent, roleLink } from '../model/ownership.js';

/**
 * A batch for `ip`, which ends at a line that fails whatever it is told: none of these can. Giving a link the MAC address
 * that it has makes the kernel announce every address on it, and forget the neighbours that it did not find while the
 * fence was closed. Of a virtual MAC address the network has to learn the place alone, for which asking for the next hop
 * is enough.
 */
export function announcement(model: GatewayModel, member: Member, isThere: (link: string) => boolean): string {
  const found = sidesWithMac(model).map(({ parent, macMode }) =>
    parent === model.internal.interface || macMode === 'Own'
      ? `link set dev ${roleLink(parent)} address ${roleMac(model, parent, macMode, member)}`
      : `neighbor flush dev ${roleLink(parent)} nud all`,
  );
  const asked = model.externals.flatMap(({ interface: parent, gateways }) =>
    gateways.map(({ text }) => `neighbor replace ${text} dev ${roleLink(parent)} use`),
  );
  // Last of all, since a line's port may be missing, or go.
  const lines = model.dedicatedLines.flatMap(({ port, vlan }) => {
    const parent = lineParent(port, vlan);
    const link = roleLink(parent);
    return isThere(link) ? [`link set dev ${link} address ${roleMac(model, parent, 'Own', member)}`] : [];
  });
  return [...found, ...asked, ...lines, ''].join('\n');
}

/** For `nft`: a member that is not active any more does not wait for its lease to end. */
export const closing = (): string => `flush set netdev ${FENCE_TABLE} ${LEASE_SET}\n`;
