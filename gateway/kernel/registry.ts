/** All subsystems, and which must be in place before which. Adding one here is all that a new subsystem needs. */
import { VpcgwError } from '../errors.js';
import { addresses } from './addresses/subsystem.js';
import { fence } from './fence/subsystem.js';
import { guard } from './guard/subsystem.js';
import { idle } from './idle/subsystem.js';
import { ipsets } from './ipset/subsystem.js';
import { Iptables, type IptablesVariant } from './iptables/subsystem.js';
import { ipvs } from './ipvs/subsystem.js';
import { links } from './links/subsystem.js';
import { routes, rules } from './routes/subsystem.js';
import { shaping } from './shaping/subsystem.js';
import type { KernelState } from './state.js';
import type { Subsystem } from './subsystem.js';
import { sysctls } from './sysctl/subsystem.js';
import { type EndpointOf, WireGuard } from './wireguard/subsystem.js';

export type SubsystemName = keyof KernelState;
export type Subsystems = { readonly [K in SubsystemName]: Subsystem<KernelState[K]> };

export const createSubsystems = (variant: () => IptablesVariant, endpointOf?: EndpointOf) =>
  ({
    guard,
    fence,
    idle,
    sets: ipsets,
    iptables4: new Iptables(4, variant),
    iptables6: new Iptables(6, variant),
    ipvs,
    sysctls,
    links,
    shaping,
    addresses,
    routes,
    rules,
    wireguard: new WireGuard(endpointOf),
  }) satisfies Subsystems;

/** Leak guard before forwarding, rules before the links that attract traffic, addresses before the routes that name them. */
const AFTER: Readonly<Record<SubsystemName, readonly SubsystemName[]>> = {
  guard: [],
  sets: [],
  idle: [],
  // A listener's rules lead to its service.
  ipvs: ['guard'],
  // What a listener's rules let in has its timeout from the beginning.
  iptables4: ['guard', 'sets', 'ipvs', 'idle'],
  iptables6: ['guard', 'sets', 'ipvs', 'idle'],
  sysctls: ['iptables4', 'iptables6'],
  links: ['sysctls'],
  // Between the making of links and their coming up, which is of a later phase.
  fence: ['links'],
  shaping: ['links'],
  addresses: ['links'],
  routes: ['addresses'],
  rules: ['routes'],
  // What it is told makes it send: by then its packets find their way.
  wireguard: ['links', 'rules'],
};

function sortByEdges(edges: typeof AFTER): SubsystemName[] {
  const order: SubsystemName[] = [];
  const visit = (name: SubsystemName, path: readonly SubsystemName[]): void => {
    if (order.includes(name)) return;
    if (path.includes(name))
      throw new VpcgwError('Invariant', `subsystems wait for each other: ${[...path, name].join(' → ')}`);
    for (const earlier of edges[name]) visit(earlier, [...path, name]);
    order.push(name);
  };
  for (const name of Object.keys(edges) as SubsystemName[]) visit(name, []);
  return order;
}

export const SUBSYSTEM_ORDER: readonly SubsystemName[] = sortByEdges(AFTER);
