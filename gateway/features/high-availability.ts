/** A pair: the fence around the role links, and a way in for the peer. All else is the same on both members, always. */
import { fenceTables } from '../kernel/fence/render.js';
import { isPair, roleMac, sidesWithMac } from '../model/high-availability.js';
import { roleLink } from '../model/ownership.js';
import { type Feature } from './feature.js';

export const highAvailability: Feature = {
  name: 'high availability',
  compile(model, { facts: { member } }) {
    if (!isPair(model)) return {};
    const links = sidesWithMac(model).map(({ parent, macMode }) => ({
      name: roleLink(parent),
      parent,
      mac: member && roleMac(model, parent, macMode, member),
    }));
    const { highAvailability } = model;
    return {
      fence: fenceTables({ links, highAvailability, member }),
      macs: links.flatMap(({ name, mac }) => (mac === undefined ? [] : [[name, mac] as const])),
    };
  },
};
