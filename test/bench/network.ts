import type { Namespace } from '../support/namespace.js';
import { Namespace as Namespaces } from '../support/namespace.js';
import { type Node, Wiring } from '../support/wiring.js';
import { type GatewayPlan, hosts } from './documents.js';

// Two hosts, and between them any number of routers side by side:
//
//   client ──┬── ext0 [gateway] vpc0 ──┬── server
//            └── ext0 [plain]   vpc0 ──┘
//
// The client has one address for each router and the server routes its answers by it, so every path goes through its
// own router both ways. The server answers on every target address there is.

export interface RouterPlan {
  readonly label: string;
  /** 1, 2, …: the last number of its addresses. */
  readonly number: number;
  /** What the client reaches through it. */
  readonly destination: string;
}

export interface BenchNetwork {
  readonly client: Namespace;
  readonly server: Namespace;
  namespace(label: string): Namespace;
  destroy(): void;
}

/** Of the server, reached through plain routers. */
export const plainRange = (number: number): string => `10.1.${number}.0/24`;
export const plainAddress = (number: number, host: number): string => `10.1.${number}.${host}`;

export async function buildNetwork(
  gateways: readonly GatewayPlan[],
  plainRouters: readonly RouterPlan[],
): Promise<BenchNetwork> {
  const wiring = new Wiring();
  const outside = wiring.addBridge('br-outside');
  const inside = wiring.addBridge('br-inside');
  const routers = [...gateways, ...plainRouters];
  const client = wiring.addNode('client');
  wiring.plug(client, 'ext', outside);
  client.addInterface('ext', ['100.64.0.1/24']);
  const server = wiring.addNode('server');
  wiring.plug(server, 'eth0', inside);
  server.addInterface('eth0', ['10.0.0.5/16']);
  server.lines.push(`route add local ${hosts.targetRange} dev lo`);
  for (const { number } of plainRouters) server.lines.push(`route add local ${plainRange(number)} dev lo`);
  for (const router of routers) {
    const node = wiring.addNode(router.label);
    wiring.plug(node, 'ext0', outside);
    wiring.plug(node, 'vpc0', inside);
    if (plainRouters.includes(router)) routePlainly(node, router.number);
    else for (const name of ['ext0', 'vpc0']) node.bringUp(name);
    leadThrough(router, client, server, plainRouters.includes(router));
  }
  const built = await wiring.build();
  const namespace = (label: string): Namespace => {
    const found = built.get(label);
    if (!found) throw new Error(`no namespace ${label}`);
    return found;
  };
  return {
    client: namespace('client'),
    server: namespace('server'),
    namespace,
    destroy: () => Namespaces.deleteAll([...built.values()]),
  };
}

function leadThrough(router: RouterPlan, client: Node, server: Node, isPlain: boolean): void {
  const { number, destination } = router;
  const own = hosts.clientAddress(number);
  client.addAddresses('lo', [`${own}/32`]);
  // Elastic IPs are found on the segment, as upstream routers find them; a plain router is a next hop.
  const next = isPlain ? `via ${hosts.externalAddress(number)}` : 'dev ext';
  client.lines.push(`route add ${destination} ${next} src ${own}`);
  server.lines.push(`route add ${own} via ${hosts.nextHop(number)}`);
}

function routePlainly(node: Node, number: number): void {
  node.forward();
  node.addInterface('ext0', [`${hosts.externalAddress(number)}/24`]);
  node.addInterface('vpc0', [`${hosts.nextHop(number)}/16`]);
  node.addRoute(hosts.clientRange, { via: '100.64.0.1' });
  node.addRoute(plainRange(number), { via: '10.0.0.5' });
}
