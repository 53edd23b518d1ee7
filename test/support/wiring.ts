import { Namespace } from './namespace.js';
import { isIpv6 } from './addresses.js';

// A plan of namespaces, bridges and cables, and its execution by few processes: one for all namespaces, one for all
// links, then one for each namespace, side by side. All bridges live in one namespace of their own.

const switchLabel = 'sw';

/** The IPv6 that a lab must not wait for: no automatic link-local address with its second of duplicate detection. */
const quiet = 'addrgenmode none';

export class Node {
  readonly lines: string[] = ['link set lo up'];
  readonly sysctls: Record<string, number> = {};

  constructor(
    readonly label: string,
    private readonly number: number,
  ) {}

  /** Up, with these addresses and a link-local one, all usable at once. */
  addInterface(name: string, addresses: readonly string[], mtu?: number): void {
    this.lines.push(`link set ${name} ${quiet}`);
    this.bringUp(name, mtu);
    this.lines.push(`address add fe80::${this.number.toString(16)}/64 dev ${name} nodad`);
    this.addAddresses(name, addresses);
  }

  /** Up, as a platform hands it over: without addresses. */
  bringUp(name: string, mtu?: number): void {
    if (mtu !== undefined) this.lines.push(`link set ${name} mtu ${mtu}`);
    this.lines.push(`link set ${name} up`);
  }

  addAddresses(name: string, addresses: readonly string[]): void {
    for (const address of addresses) {
      this.lines.push(`address add ${address} dev ${name}${isIpv6(address) ? ' nodad' : ''}`);
    }
  }

  /** `via` a router, or on the link `device`. */
  addRoute(destination: string, next: { via: string } | { device: string }): void {
    this.lines.push(`route add ${destination} ${'via' in next ? `via ${next.via}` : `dev ${next.device}`}`);
  }

  /** Reverse path checks off: the paths through two externals are asymmetric on purpose. */
  forward(): void {
    Object.assign(this.sysctls, { 'ipv4/ip_forward': 1, 'ipv6/conf/all/forwarding': 1 });
    Object.assign(this.sysctls, { 'ipv4/conf/all/rp_filter': 0, 'ipv4/conf/default/rp_filter': 0 });
  }
}

export class Wiring {
  private readonly nodes: Node[] = [];
  private readonly bridges: string[] = [];
  private readonly cables: { bridge: string; node: Node; interfaceName: string }[] = [];

  addNode(label: string): Node {
    const node = new Node(label, this.nodes.length + 1);
    this.nodes.push(node);
    return node;
  }

  addBridge(name: string): string {
    this.bridges.push(name);
    return name;
  }

  plug(node: Node, interfaceName: string, bridge: string): void {
    this.cables.push({ bridge, node, interfaceName });
  }

  /** All or nothing; by label. */
  async build(): Promise<Map<string, Namespace>> {
    const namespaces = await Namespace.createAll([switchLabel, ...this.nodes.map(({ label }) => label)]);
    const byLabel = new Map(namespaces.map((namespace) => [namespace.label, namespace]));
    const namespaceOf = (label: string): Namespace => byLabel.get(label) as Namespace;
    try {
      // Before the links exist: they take over the defaults when they are made.
      await Promise.all(this.nodes.map(({ label, sysctls }) => namespaceOf(label).setSysctls(sysctls)));
      await namespaceOf(switchLabel).ip(this.switchLines());
      await Promise.all(this.nodes.map(({ label, lines }) => namespaceOf(label).ip(lines)));
    } catch (error) {
      Namespace.deleteAll(namespaces);
      throw error;
    }
    return byLabel;
  }

  private switchLines(): string[] {
    const lines = this.bridges.flatMap((bridge) => [
      // Without multicast snooping neighbour discovery is simply flooded.
      `link add ${bridge} type bridge mcast_snooping 0`,
      `link set ${bridge} ${quiet} up`,
    ]);
    this.cables.forEach(({ bridge, node, interfaceName }, index) => {
      const port = `port${index}`;
      lines.push(`link add ${port} type veth peer name ${interfaceName} netns ${Namespace.nameOf(node.label)}`);
      lines.push(`link set ${port} master ${bridge} ${quiet} up`);
    });
    return lines;
  }
}
