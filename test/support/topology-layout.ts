import {
  core,
  far,
  internet,
  isIpv6,
  memberAddresses,
  memberAddresses6,
  secondInternet,
  vpc,
  withoutPrefix,
} from './addresses.js';
import type { External } from './addresses.js';
import { Wiring } from './wiring.js';
import type { Node } from './wiring.js';

// From what a test asks for to a plan of namespaces and cables; nothing is made here.

export interface VmOptions {
  name: string;
  /** With prefix lengths; the default counts from 10.0.0.5/24 and fd00:a::5/64. */
  addresses?: readonly string[];
}

export interface TenantOptions {
  name: string;
  vms: readonly (string | VmOptions)[];
  vpcMtu?: number;
  /** Two gateways, of one VPC and the same externals, with a network of their own on `sync0`. */
  pair?: boolean;
  /** Adds the VMs `router` (10.0.0.254) and, behind it, `behind` (10.0.1.5). */
  router?: boolean;
}

export interface RouteOptions {
  destination: string;
  /** Without it the range is on the external segment, found by ARP. */
  via?: string;
}

export interface TopologyOptions {
  tenants: readonly TenantOptions[];
  /** Further routes of `inet`, such as elastic ranges routed to a gateway. */
  routes?: readonly RouteOptions[];
  secondExternal?: boolean;
  /** Adds the host `far` behind `inet`, on a link with this MTU. */
  farMtu?: number;
}

/** Of every host, by its namespace's label, with prefix lengths. */
type Addresses = Map<string, readonly string[]>;

export function layOut(options: TopologyOptions): { wiring: Wiring; addresses: Addresses } {
  const wiring = new Wiring();
  const addresses: Addresses = new Map();
  layExternals(wiring, options, addresses);
  for (const tenant of options.tenants) layTenant(wiring, tenant, options, addresses);
  return { wiring, addresses };
}

/** Of a tenant's gateway, or of both members of a pair. */
export const gatewayLabels = ({ name, pair }: TenantOptions): string[] =>
  pair ? [`${name}-gw`, `${name}-gw2`] : [`${name}-gw`];

export function vmNames({ vms, router }: TenantOptions): string[] {
  return [...vms.map((vm) => (typeof vm === 'string' ? vm : vm.name)), ...(router ? ['router', 'behind'] : [])];
}

function layExternals(wiring: Wiring, options: TopologyOptions, addresses: Addresses): void {
  const inet = layRouter(wiring, internet, addresses);
  for (const { destination, via } of options.routes ?? [])
    inet.addRoute(destination, via ? { via } : { device: 'ext' });
  if (options.farMtu !== undefined) {
    const host = wiring.addNode('far');
    connect(wiring, 'br-far', [inet, 'far0', far.router], [host, 'eth0', far.host], options.farMtu);
    for (const router of far.router) host.addRoute('default', { via: withoutPrefix(router) });
    addresses.set('far', far.host);
  }
  if (options.secondExternal) {
    const inet2 = layRouter(wiring, secondInternet, addresses);
    connect(wiring, 'br-core', [inet, 'core0', core.first], [inet2, 'core0', core.second]);
    routeEach(inet, [...secondInternet.elasticRanges, ...secondInternet.hostAddresses], core.second);
    routeEach(inet2, [...internet.elasticRanges, ...internet.hostAddresses], core.first);
  }
}

function layRouter(wiring: Wiring, external: External, addresses: Addresses): Node {
  const node = wiring.addNode(external.router);
  node.forward();
  wiring.plug(node, 'ext', wiring.addBridge(`br-${external.router}`));
  node.addInterface('ext', external.routerAddresses);
  node.addAddresses('lo', external.hostAddresses);
  for (const range of external.elasticRanges) node.addRoute(range, { device: 'ext' });
  addresses.set(external.router, external.hostAddresses);
  return node;
}

function layTenant(wiring: Wiring, tenant: TenantOptions, options: TopologyOptions, addresses: Addresses): void {
  const bridge = wiring.addBridge(`br-${tenant.name}`);
  const members = gatewayLabels(tenant).map((label) => layGateway(wiring, label, bridge, tenant, options));
  if (tenant.pair) {
    const between = wiring.addBridge(`br-${tenant.name}-sync`);
    members.forEach((gateway, index) => {
      wiring.plug(gateway, 'sync0', between);
      gateway.addInterface('sync0', [`${memberAddresses[index]}/24`, `${memberAddresses6[index]}/64`]);
    });
  }
  tenant.vms.forEach((vm, index) => {
    const { name, addresses: own = vpc.vmAddresses(index) } = typeof vm === 'string' ? { name: vm } : vm;
    layVm(wiring, tenant, name, own);
    addresses.set(`${tenant.name}-${name}`, own);
  });
  if (tenant.router) layInnerRouter(wiring, tenant, addresses);
}

function layGateway(
  wiring: Wiring,
  label: string,
  bridge: string,
  tenant: TenantOptions,
  options: TopologyOptions,
): Node {
  const gateway = wiring.addNode(label);
  // A new namespace may take over what the machine itself has; a gateway is handed over forwarding nothing.
  const sysctls = ['ipv4/ip_forward', 'ipv6/conf/default/accept_ra', 'ipv6/conf/all/accept_ra'];
  for (const key of sysctls) gateway.sysctls[key] = 0;
  wiring.plug(gateway, 'vpc0', bridge);
  gateway.bringUp('vpc0', tenant.vpcMtu);
  const externals = options.secondExternal ? [internet, secondInternet] : [internet];
  externals.forEach(({ router }, index) => {
    wiring.plug(gateway, `ext${index}`, `br-${router}`);
    gateway.bringUp(`ext${index}`);
  });
  return gateway;
}

function layInnerRouter(wiring: Wiring, tenant: TenantOptions, addresses: Addresses): void {
  const router = layVm(wiring, tenant, 'router', vpc.routerAddresses);
  router.forward();
  const host = wiring.addNode(`${tenant.name}-behind`);
  const { routerAddresses, hostAddresses } = vpc.behind;
  connect(
    wiring,
    `br-${tenant.name}-in`,
    [router, 'eth1', routerAddresses],
    [host, 'eth0', hostAddresses],
    tenant.vpcMtu,
  );
  for (const address of routerAddresses) host.addRoute('default', { via: withoutPrefix(address) });
  addresses.set(`${tenant.name}-router`, vpc.routerAddresses);
  addresses.set(`${tenant.name}-behind`, hostAddresses);
}

function layVm(wiring: Wiring, tenant: TenantOptions, name: string, own: readonly string[]): Node {
  const vm = wiring.addNode(`${tenant.name}-${name}`);
  wiring.plug(vm, 'eth0', `br-${tenant.name}`);
  vm.addInterface('eth0', own, tenant.vpcMtu);
  const families = new Set(own.map(isIpv6));
  for (const via of vpc.nextHops) if (families.has(isIpv6(via))) vm.addRoute('default', { via });
  return vm;
}

type End = [node: Node, interfaceName: string, addresses: readonly string[]];

function connect(wiring: Wiring, name: string, one: End, other: End, mtu?: number): void {
  const bridge = wiring.addBridge(name);
  for (const [node, interfaceName, addresses] of [one, other]) {
    wiring.plug(node, interfaceName, bridge);
    node.addInterface(interfaceName, addresses, mtu);
  }
}

/** Each by the next hop of its own family. */
function routeEach(node: Node, destinations: readonly string[], nextHops: readonly string[]): void {
  for (const destination of destinations) {
    const via = nextHops.map(withoutPrefix).find((hop) => isIpv6(hop) === isIpv6(destination));
    if (via !== undefined) node.addRoute(destination, { via });
  }
}
