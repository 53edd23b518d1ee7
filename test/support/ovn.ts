import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { withoutPrefix } from './addresses.js';
import { runCommand } from './command.js';
import type { Namespace } from './namespace.js';
import { currentRun } from './run-name.js';
import type { Tenant, Topology } from './topology.js';

// A tenant's VPC as a real OVN has it, on Open vSwitch's own datapath, which needs no module of the kernel: a logical switch
// that delivers to MAC addresses it was told of and to no others, and a logical router, which is the VMs' next hop. Beyond
// it the way out is the address of the gateway pair, a port of type `virtual` whose parents are the two members.
//
//   VM eth0 ── port ═ leg ── [OVN: switch ── router 10.0.0.1 ── 0.0.0.0/0 via 10.0.0.250] ── leg ═ port ── vpc0 member

/** What the gateway's document says: the pair's address in the VPC. */
export const OVN_NEXT_HOP = '10.0.0.250';
const ROUTER = '10.0.0.1/24';
const ROUTER_MAC = '02:00:00:00:0a:01';
const SCHEMAS = { vswitch: 'openvswitch/vswitch.ovsschema', nb: 'ovn/ovn-nb.ovsschema', sb: 'ovn/ovn-sb.ovsschema' };

interface Link {
  ifname: string;
  ifindex: number;
  address: string;
  link_index?: number;
}

export class Ovn {
  private constructor(
    private readonly place: Namespace,
    private readonly tenant: Tenant,
    private readonly directory: string,
  ) {}

  /** Instead of the bridge that the VPC was on; members are not told of yet. */
  static async join({ switch: place }: Topology, tenant: Tenant, vms: readonly string[]): Promise<Ovn> {
    const ovn = new Ovn(place, tenant, mkdtempSync(join(currentRun().directory, 'ovn-')));
    await ovn.startDaemons();
    await ovn.nb([
      ['ls-add', 'vpc'],
      ['lr-add', 'router'],
      ['lrp-add', 'router', 'to-vpc', ROUTER_MAC, ROUTER],
      ['lsp-add', 'vpc', 'to-router'],
      ['lsp-set-type', 'to-router', 'router'],
      ['lsp-set-addresses', 'to-router', 'router'],
      ['lsp-set-options', 'to-router', 'router-port=to-vpc'],
      ['lr-route-add', 'router', '0.0.0.0/0', OVN_NEXT_HOP],
    ]);
    for (const name of vms) {
      const { namespace, addresses } = tenant.vm(name);
      await ovn.plug(name, namespace, 'eth0');
      const [own] = await linksOf(namespace, 'eth0');
      const [address] = addresses.filter((each) => !each.includes(':')).map(withoutPrefix);
      await ovn.nb([['lsp-set-addresses', name, `${own?.address} ${address}`]]);
    }
    const parents = tenant.gateways.map((_, index) => parentName(index));
    for (const [index, namespace] of tenant.gateways.entries()) await ovn.plug(parentName(index), namespace, 'vpc0');
    const virtual = `virtual-ip=${OVN_NEXT_HOP}`;
    await ovn.nb([
      ['lsp-add', 'vpc', 'pair'],
      ['lsp-set-type', 'pair', 'virtual'],
      ['lsp-set-options', 'pair', virtual, `virtual-parents=${parents.join()}`],
    ]);
    return ovn;
  }

  /** As a platform has to be told: a member speaks by its role link, and asks its neighbours by the link below. */
  async allowMembers(): Promise<void> {
    for (const [index, namespace] of this.tenant.gateways.entries()) {
      const [below, role] = [await linksOf(namespace, 'vpc0'), await linksOf(namespace, 'vg-vpc0')];
      const addresses = [...role, ...below].map(({ address }) => address);
      await this.nb([['lsp-set-addresses', parentName(index), ...addresses]]);
    }
    await this.nb([['--wait=hv', '--timeout=30', 'sync']]);
  }

  private async startDaemons(): Promise<void> {
    const { directory, place } = this;
    const databases = Object.entries(SCHEMAS).map(([name, schema]) => [join(directory, `${name}.db`), schema] as const);
    for (const [file, schema] of databases) await runCommand(['ovsdb-tool', 'create', file, `/usr/share/${schema}`]);
    this.spawn('ovsdb-server', ...databases.map(([file]) => file), `--remote=p${this.socket}`);
    const controls = [
      'ovn-bridge-datapath-type=netdev',
      'system-id=node',
      'ovn-encap-type=geneve',
      'ovn-encap-ip=127.0.0.1',
    ];
    const settings = [...controls, `ovn-remote=${this.socket}`].map((each) => `external_ids:${each}`);
    await this.vs('--retry', '--no-wait', 'init', '--', 'set', 'open', '.', ...settings);
    await place.ip(['link set lo up']);
    this.spawn('ovs-vswitchd', this.socket);
    this.spawn('ovn-northd', `--ovnnb-db=${this.socket}`, `--ovnsb-db=${this.socket}`);
    this.spawn('ovn-controller', this.socket);
  }

  /** The cable's port and a leg of the switch's, joined by a bridge of their own: what is cut at the port is cut for OVN too. */
  private async plug(name: string, namespace: Namespace, device: string): Promise<void> {
    const [end] = await linksOf(namespace, device);
    const port = (await linksOf(this.place)).find(({ ifindex }) => ifindex === end?.link_index)?.ifname ?? '';
    const [bridge, leg, own] = [`ob-${port}`, `ol-${port}`, `ov-${port}`];
    await this.place.ip([
      `link add ${bridge} up type bridge mcast_snooping 0`,
      `link add ${leg} up type veth peer name ${own}`,
      `link set ${own} up`,
      `link set ${leg} master ${bridge}`,
      `link set ${port} master ${bridge}`,
    ]);
    // What Open vSwitch takes from a socket has to have its checksum already.
    await this.place.exec(['ethtool', '-K', leg, 'tx', 'off']);
    await this.nb([['lsp-add', 'vpc', name]]);
    const iface = ['set', 'Interface', own, `external_ids:iface-id=${name}`];
    await this.vs('--timeout=30', 'add-port', 'br-int', own, '--', ...iface);
  }

  private get socket(): string {
    return `unix:${join(this.directory, 'db.sock')}`;
  }

  private spawn(program: string, ...args: readonly string[]): void {
    const { directory } = this;
    const files = ['pidfile', 'log-file'].map((option) => `--${option}=${join(directory, `${program}.${option}`)}`);
    const unixctl = program === 'ovn-controller' ? [] : [`--unixctl=${join(directory, `${program}.ctl`)}`];
    this.place.spawn([program, ...args, ...files, ...unixctl, '-vconsole:off'], { stdio: 'ignore', env: this.env });
  }

  private vs(...args: readonly string[]): Promise<unknown> {
    return runCommand(['ovs-vsctl', `--db=${this.socket}`, ...args]);
  }

  private nb(commands: readonly (readonly string[])[]): Promise<unknown> {
    const joined = commands.flatMap((command, index) => (index === 0 ? command : ['--', ...command]));
    return runCommand(['ovn-nbctl', `--db=${this.socket}`, ...joined]);
  }

  private get env(): Record<string, string | undefined> {
    const { directory } = this;
    return {
      ...process.env,
      OVS_RUNDIR: directory,
      OVN_RUNDIR: directory,
      OVS_LOGDIR: directory,
      OVN_LOGDIR: directory,
    };
  }
}

const parentName = (index: number): string => `member${index}`;

const linksOf = async (namespace: Namespace, device?: string): Promise<Link[]> =>
  JSON.parse((await namespace.exec(['ip', '-j', 'link', 'show', ...(device ? [device] : [])])).stdout) as Link[];
