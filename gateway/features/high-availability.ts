/** A pair: the fence around the role links, and a way in for the peer. All else is the same on both members, always. */
import { fenceTables } from '../kernel/fence/render.js';
import { isPair, roleMac, sidesWithMac } from '../model/high-availability.js';
import { lineParent, roleLink } from '../model/ownership.js';
import { type Feature } from './feature.js';
import { placedLines } from './line.js';

export const highAvailability: Feature = {
  name: 'high availability',
  compile(model, context) {
    const { member } = context.facts;
    if (!isPair(model)) return {};
    const sides = sidesWithMac(model).map(({ parent, macMode }) => ({
      name: roleLink(parent),
      parent,
      mac: member && roleMac(model, parent, macMode, member),
    }));
    const lines = placedLines(model, context).map(({ line: { port, vlan }, link: { name } }) => ({
      name,
      parent: port,
      mac: member && roleMac(model, lineParent(port, vlan), 'Own', member),
    }));
    const links = [...sides, ...lines];
    const { highAvailability } = model;
    return {
      fence: fenceTables({ links, highAvailability, member }),
      macs: links.flatMap(({ name, mac }) => (mac === undefined ? [] : [[name, mac] as const])),
    };
  },
};
