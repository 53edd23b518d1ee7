/** Which addresses the gateway and its next hops have, and in what words. */
import type { Sides } from './gateway-model.js';
import { remember } from './remember.js';

export const ownAddresses = remember(({ internal, externals }: Sides): ReadonlyMap<string, string> => {
  const owners = new Map<string, string>();
  for (const { address } of internal.addresses) owners.set(address.text, "the VPC's next hop");
  for (const external of externals) {
    for (const { address } of external.addresses)
      owners.set(address.text, `the gateway's own address on ${external.name}`);
    for (const hop of external.gateways) owners.set(hop.text, `the next hop of ${external.name}`);
  }
  return owners;
});
