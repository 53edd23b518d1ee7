import { Host } from './host.js';
import { Namespace } from './namespace.js';

// A customer's router at the other end of dedicated lines, set up by hand, and the provider in between, who may cut a line
// at either end: at the gateway's, whose carrier is lost then, or at the far one, which nobody is told of.

export interface SiteLine {
  /** Of the gateway's port and the router's, such as `line0`. */
  name: string;
  vlan?: number;
}

export interface SiteOptions {
  /** Of the namespaces; two sites of one topology have different ones. */
  label?: string;
  lines: readonly SiteLine[];
  /** The host behind the router, which here is the router itself. */
  addresses: readonly string[];
  /** What is led back over the lines: those with the lower index are preferred. */
  networks: readonly string[];
}

const isSix = (text: string): boolean => text.includes(':');

/** The ends of line number `n`: [the gateway's with its length, the router's]. */
export const ends = (n: number, six: boolean): readonly [string, string] =>
  six ? [`fd00:10${n}::1/126`, `fd00:10${n}::2`] : [`169.254.10${n}.1/30`, `169.254.10${n}.2`];

export class Site {
  readonly host: Host;

  private constructor(
    readonly router: Namespace,
    private readonly provider: Namespace,
    private readonly options: SiteOptions,
  ) {
    this.host = new Host(router, options.addresses);
  }

  /** `gateways`: the one, or both members of a pair, on whose network at the far end the line then is. */
  static async create(gateways: Namespace | readonly Namespace[], options: SiteOptions): Promise<Site> {
    const members = [gateways].flat();
    const { label = 'site', lines, addresses } = options;
    const [router, provider] = (await Namespace.createAll([label, `${label}-provider`])) as [Namespace, Namespace];
    const site = new Site(router, provider, options);
    await router.setSysctls({
      'ipv4/ip_forward': 1,
      'ipv6/conf/all/forwarding': 1,
      'ipv6/conf/all/accept_dad': 0,
      'ipv6/conf/default/accept_dad': 0,
    });
    await provider.ip(
      lines.flatMap(({ name }) => [
        `link add br-${name} up type bridge`,
        ...members.map(
          ({ name: member }, i) => `link add near${i}-${name} up type veth peer name ${name} netns ${member}`,
        ),
        `link add far-${name} up type veth peer name ${name} netns ${router.name}`,
        ...members.map((_, i) => `link set near${i}-${name} master br-${name}`),
        `link set far-${name} master br-${name}`,
      ]),
    );
    for (const gateway of members) await gateway.ip(lines.map(({ name }) => `link set ${name} up`));
    await router.ip(['link set lo up', ...addresses.map((address) => `address add ${address} dev lo`)]);
    await router.ip(lines.flatMap((line, n) => site.endOf(line, n)));
    await router.ip(lines.flatMap((_, n) => site.routesBy(n)));
    return site;
  }

  private deviceOf = ({ name, vlan }: SiteLine): string => (vlan === undefined ? name : `${name}.${vlan}`);

  private endOf(line: SiteLine, n: number): string[] {
    const { name, vlan } = line;
    const device = this.deviceOf(line);
    return [
      `link set ${name} up`,
      ...(vlan === undefined ? [] : [`link add link ${name} name ${device} up type vlan id ${vlan}`]),
      `address add ${ends(n, false)[1]}/30 dev ${device}`,
      `address add ${ends(n, true)[1]}/126 dev ${device} nodad`,
    ];
  }

  private routesBy(n: number): string[] {
    return this.options.networks.map(
      (network) => `route append ${network} via ${ends(n, isSix(network))[0].split('/')[0]} metric ${100 + n}`,
    );
  }

  /** At the gateway's end: its port has no carrier any more. */
  cut(line: string): Promise<void> {
    return this.provider.ip([`link set near0-${line} down`]);
  }

  /** At the far end: the gateway's port stays up, and nothing comes through. */
  blackHole(line: string): Promise<void> {
    return this.provider.ip([`link set far-${line} nomaster`]);
  }

  /** One member of a pair, by its number: what it says there reaches nobody. */
  strand(line: string, member: number): Promise<void> {
    return this.provider.ip([`link set near${member}-${line} nomaster`]);
  }

  rejoin(line: string, member: number): Promise<void> {
    return this.provider.ip([`link set near${member}-${line} master br-${line}`]);
  }

  async mend(line: string): Promise<void> {
    await this.provider.ip([`link set near0-${line} up`, `link set far-${line} master br-${line}`]);
  }

  /** By an address of its own there, as a customer's second connection is. */
  async reachesInternet(internet: Namespace, address: string): Promise<void> {
    await internet.ip([`link add to-site up type veth peer name inet0 netns ${this.router.name}`]);
    await internet.ip([`route add ${address}/32 dev to-site`]);
    await this.router.ip([
      'link set inet0 up',
      `address add ${address}/32 dev inet0`,
      `route add default dev inet0 src ${address}`,
    ]);
    await internet.setSysctls({ 'ipv4/conf/to-site/proxy_arp': 1 });
  }

  /** The router's own way back: by a lost line it would answer in vain. */
  async prefers(n: number): Promise<void> {
    await this.router.ip(
      this.options.networks.map(
        (network) => `route replace ${network} via ${ends(n, isSix(network))[0].split('/')[0]} metric 1`,
      ),
    );
  }

  delete(): void {
    Namespace.deleteAll([this.router, this.provider]);
  }
}
