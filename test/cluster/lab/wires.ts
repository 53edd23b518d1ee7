import { internet, vpc } from '../../support/addresses.js';
import { Wiring, type Node } from '../../support/wiring.js';
import { nodeNetwork } from './addresses.js';

// The wires of the lab cluster. Each node bridges every segment to the pods that ask for it, as a site's nodes bridge
// VLANs; segment `blue` is the bridge `br-blue` on each of them.
//
//   cp ──┬── eth0 [n1: br-blue, br-green, br-red, br-sync, br-ext] ──┬── blue-web, …       VPC blue
//        └── eth0 [n2: br-blue, br-green, br-red, br-sync, br-ext] ──┼── green-web, …      VPC green, with the same addresses
//                                                                    ├── red-web, …        VPC red, too
//                                                                    ├── (nobody else)     sync, between members of a pair
//                                                                    └── inet              the external network

export const nodeCount = 2;
export const segments = ['blue', 'green', 'red', 'sync', 'ext'] as const;
export type Segment = (typeof segments)[number];
export type Vms = Readonly<Partial<Record<Segment, Readonly<Record<string, string>>>>>;

export function wireCluster(vms: Vms): { wiring: Wiring; addresses: Map<string, readonly string[]> } {
  const wiring = new Wiring();
  const addresses = new Map<string, readonly string[]>();
  for (const bridge of ['nodes', ...segments]) wiring.addBridge(bridge);
  wireControlPlane(wiring);
  for (let number = 1; number <= nodeCount; number += 1) wireNode(wiring, number);
  const inet = wiring.addNode(internet.router);
  wiring.plug(inet, 'ext', 'ext');
  inet.addInterface('ext', internet.routerAddresses);
  inet.addAddresses('lo', internet.hostAddresses);
  for (const range of internet.elasticRanges) inet.addRoute(range, { device: 'ext' });
  addresses.set(internet.router, internet.hostAddresses);
  for (const segment of segments)
    for (const [name, address] of Object.entries(vms[segment] ?? {})) {
      const vm = wiring.addNode(`${segment}-${name}`);
      wiring.plug(vm, 'eth0', segment);
      vm.addInterface('eth0', [address]);
      vm.addRoute('default', { via: vpc.nextHops[0] as string });
      addresses.set(`${segment}-${name}`, [address]);
    }
  return { wiring, addresses };
}

function wireControlPlane(wiring: Wiring): void {
  const plane = wiring.addNode('cp');
  wiring.plug(plane, 'eth0', 'nodes');
  plane.addInterface('eth0', [`${nodeNetwork.controlPlane}/24`]);
  for (let number = 1; number <= nodeCount; number += 1) routeToPods(plane, number);
}

function wireNode(wiring: Wiring, number: number): void {
  const node = wiring.addNode(`n${number}`);
  node.forward();
  wiring.plug(node, 'eth0', 'nodes');
  node.addInterface('eth0', [`${nodeNetwork.node(number)}/24`]);
  node.addRoute('default', { via: nodeNetwork.controlPlane });
  for (let other = 1; other <= nodeCount; other += 1) if (other !== number) routeToPods(node, other);
  for (const segment of segments) {
    wiring.plug(node, `${segment}0`, segment);
    node.lines.push(`link add br-${segment} type bridge mcast_snooping 0`);
    node.lines.push(`link set br-${segment} addrgenmode none up`);
    node.lines.push(`link set ${segment}0 master br-${segment} addrgenmode none up`);
  }
}

const routeToPods = (from: Node, number: number): void =>
  from.addRoute(nodeNetwork.pods(number), { via: nodeNetwork.node(number) });
