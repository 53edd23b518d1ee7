import { internet, secondInternet, withoutPrefix } from './addresses.js';
import { Host } from './host.js';
import { Namespace } from './namespace.js';
import { gatewayLabels, layOut, vmNames } from './topology-layout.js';
import type { TenantOptions, TopologyOptions } from './topology-layout.js';

export { internet, secondInternet, vpc } from './addresses.js';
export type { Host } from './host.js';
export type { RouteOptions, TenantOptions, TopologyOptions, VmOptions } from './topology-layout.js';

// The standard picture, all in namespaces of one run:
//
//   inet ──┬── ext0 [gateway blue]  vpc0 ──┬── web, app, …           every VPC is 10.0.0.0/24 and fd00:a::/64
//    │     └── ext0 [gateway green] vpc0 … └── router ── behind       10.0.1.0/24, if asked for
//    ├─ far                                                           a narrow link behind inet, if asked for
//                         a second gateway beside each, if asked for, with a network between the two
//   inet2 ──── ext1 of every gateway                                  if asked for
//
// The gateway namespaces get links that are up and without addresses: the rest is the work of what is tested.

interface Built {
  namespaces: ReadonlyMap<string, Namespace>;
  hosts: ReadonlyMap<string, Host>;
}

export class Tenant {
  constructor(
    readonly name: string,
    /** The one, or the two of a pair. */
    readonly gateways: readonly Namespace[],
    /** [IPv4, IPv6], with prefix lengths: what the gateway's document says. */
    readonly externalAddresses: readonly [string, string],
    readonly secondExternalAddresses: readonly [string, string],
    private readonly vms: ReadonlyMap<string, Host>,
  ) {}

  get gateway(): Namespace {
    return this.gateways[0] as Namespace;
  }

  vm(name: string): Host {
    const vm = this.vms.get(name);
    if (!vm) throw new Error(`tenant ${this.name} has no VM ${name}, only ${[...this.vms.keys()].join(', ')}`);
    return vm;
  }
}

export class Topology {
  private constructor(
    private readonly built: Built,
    readonly tenants: readonly Tenant[],
  ) {}

  static async build(options: TopologyOptions): Promise<Topology> {
    const { wiring, addresses } = layOut(options);
    const namespaces = await wiring.build();
    const hosts = new Map<string, Host>();
    for (const [label, own] of addresses) {
      hosts.set(label, new Host(namespaces.get(label) as Namespace, own.map(withoutPrefix)));
    }
    const built = { namespaces, hosts };
    return new Topology(
      built,
      options.tenants.map((tenant, index) => tenantOf(tenant, index, built)),
    );
  }

  tenant(name: string): Tenant {
    const tenant = this.tenants.find((candidate) => candidate.name === name);
    if (!tenant) throw new Error(`no tenant ${name}`);
    return tenant;
  }

  /** The upstream router and the host of the internet that tests talk to. */
  get inet(): Host {
    return this.host(internet.router);
  }

  /** Where all bridges are. */
  get switch(): Namespace {
    return this.built.namespaces.get('sw') as Namespace;
  }

  get inet2(): Host {
    return this.host(secondInternet.router);
  }

  get far(): Host {
    return this.host('far');
  }

  /** With everything that still runs inside. */
  destroy(): void {
    Namespace.deleteAll([...this.built.namespaces.values()]);
  }

  private host(label: string): Host {
    const host = this.built.hosts.get(label);
    if (!host) throw new Error(`this topology was built without ${label}`);
    return host;
  }
}

function tenantOf(options: TenantOptions, index: number, lab: Built): Tenant {
  const { name } = options;
  const vms = new Map(vmNames(options).map((vm) => [vm, lab.hosts.get(`${name}-${vm}`) as Host]));
  const gateways = gatewayLabels(options).map((label) => lab.namespaces.get(label) as Namespace);
  return new Tenant(name, gateways, internet.gatewayAddresses(index), secondInternet.gatewayAddresses(index), vms);
}
