import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../support/command.js';
import { Host } from '../../support/host.js';
import { Namespace } from '../../support/namespace.js';
import { currentRun } from '../../support/run-name.js';
import { removeControlGroups } from '../../support/control-groups.js';
import { withoutPrefix } from '../../support/addresses.js';
import { ClusterNode } from './cluster-node.js';
import { ControlPlane } from './control-plane.js';
import type { KubernetesApi } from './kubernetes-api.js';
import { nodeCount, wireCluster, type Vms } from './wires.js';

// A real two-node Kubernetes cluster on one machine, in namespaces of this run: the control plane, two nodes, the wires of
// two VPCs and of an external network, VMs and an internet. Everything ends with the run, however it ends.

export interface ClusterOptions {
  /** VMs by VPC: `{blue: {web: '10.0.0.5/24'}}`. */
  vms: Vms;
  /** What each node's kubelet allows beside the few sysctls that it thinks safe. */
  allowedUnsafeSysctls: readonly (readonly string[])[];
}

export class Cluster {
  private constructor(
    private readonly namespaces: ReadonlyMap<string, Namespace>,
    private readonly hosts: ReadonlyMap<string, Host>,
    readonly controlPlane: ControlPlane,
    readonly nodes: readonly ClusterNode[],
    /** The image under test. */
    readonly image: string,
  ) {}

  static async start(options: ClusterOptions): Promise<Cluster> {
    const [programs, image] = await Promise.all([buildPrograms(), buildImage()]);
    const { wiring, addresses } = wireCluster(options.vms);
    const namespaces = await wiring.build();
    try {
      const of = (label: string): Namespace => namespaces.get(label) as Namespace;
      // Each file of tests has a cluster of its own.
      const directory = mkdtempSync(join(currentRun().directory, 'cluster-'));
      const plane = await ControlPlane.start(of('cp'), programs, join(directory, 'cp'));
      const nodes = Array.from({ length: nodeCount }, (_, index) => {
        const images = [join(programs, 'pause.tar'), image.archive];
        const allowedUnsafeSysctls = options.allowedUnsafeSysctls[index] ?? [];
        const settings = { number: index + 1, images, allowedUnsafeSysctls };
        return new ClusterNode(of(`n${index + 1}`), programs, join(directory, `n${index + 1}`), plane, settings);
      });
      const hosts = new Map([...addresses].map(([label, own]) => [label, new Host(of(label), own.map(withoutPrefix))]));
      const cluster = new Cluster(namespaces, hosts, plane, nodes, image.tag);
      await cluster.startNodes();
      rmSync(image.archive);
      return cluster;
    } catch (error) {
      Namespace.deleteAll([...namespaces.values()]);
      throw error;
    }
  }

  get api(): KubernetesApi {
    return this.controlPlane.api;
  }

  host(label: string): Host {
    const host = this.hosts.get(label);
    if (!host) throw new Error(`no host ${label}, only ${[...this.hosts.keys()].join(', ')}`);
    return host;
  }

  node(name: string): ClusterNode {
    return this.nodes.find((node) => node.name === name) as ClusterNode;
  }

  logs(): string {
    return [this.controlPlane.logs(), ...this.nodes.map((node) => node.logs())].join('\n');
  }

  async end(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    Namespace.deleteAll([...this.namespaces.values()]);
    removeControlGroups(`${currentRun().prefix}-`);
  }

  private async startNodes(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.start()));
    try {
      await this.api.until('ready nodes', async () => {
        const dead = this.nodes.find((node) => !node.running);
        if (dead) throw new Error(`${dead.name} ended`);
        const { items } = await this.api.get<{ items: NodeObject[] }>('/api/v1/nodes');
        return items.filter(isReady).length === this.nodes.length ? true : undefined;
      });
    } catch (error) {
      throw new Error(`${String(error)}\n${this.logs()}`, { cause: error });
    }
  }
}

interface NodeObject {
  status: { conditions?: { type: string; status: string }[] };
}

const isReady = ({ status }: NodeObject): boolean =>
  status.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True') ?? false;

const repository = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** The directory that Kubernetes's own programs are in. */
export async function buildPrograms(): Promise<string> {
  const { stdout } = await runCommand([repository('test/cluster/lab/build')], { timeoutMs: 1_800_000 });
  return stdout.trim();
}

/** Under a name of the run's own, so that runs side by side test what each has built. */
async function buildImage(): Promise<{ tag: string; archive: string }> {
  const tag = `localhost/vpcgw:${currentRun().prefix}`;
  const archive = join(currentRun().directory, 'vpcgw.tar');
  await runCommand([repository('images/build'), tag], { timeoutMs: 1_800_000 });
  await runCommand(['podman', 'save', '--quiet', '--output', archive, tag], { timeoutMs: 300_000 });
  // The nodes have it from the archive; its layers stay for the next build.
  await runCommand(['podman', 'untag', tag]);
  return { tag, archive };
}
