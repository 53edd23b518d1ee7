import { afterAll, afterEach, beforeAll } from 'vitest';
import type { Host } from '../../support/host.js';
import { Cluster } from './cluster.js';
import { ClusterGateway } from './cluster-gateway.js';
import { networkAttachmentDefinitions } from './networks-crd.js';
import type { Vms } from './wires.js';

// Called at the top of a test file: the cluster, for the tests there. `single`: a gateway of the first tenant on the first
// node and one of the second on the second; `pair`: this tenant's two members.

/** What docs and manifests tell to allow. */
const allowedUnsafeSysctls = [
  'net.ipv4.ip_forward',
  'net.ipv4.fwmark_reflect',
  'net.ipv4.ip_early_demux',
  'net.ipv4.conf.*',
  'net.ipv6.*',
  'net.netfilter.*',
];

interface ClusterLabOptions {
  vms: Vms;
  single?: readonly string[];
  pair?: string;
}

export class ClusterLab {
  private built: Cluster | undefined;
  private readonly gateways = new Map<string, ClusterGateway>();
  members: readonly ClusterGateway[] = [];

  constructor(private readonly options: ClusterLabOptions) {}

  get cluster(): Cluster {
    if (!this.built) throw new Error('the cluster stands only while its tests run');
    return this.built;
  }

  get inet(): Host {
    return this.cluster.host('inet');
  }

  vm(tenant: string, name: string): Host {
    return this.cluster.host(`${tenant}-${name}`);
  }

  gateway(tenant: string): ClusterGateway {
    return this.gateways.get(tenant) as ClusterGateway;
  }

  async start(): Promise<void> {
    const { vms, single = [], pair } = this.options;
    this.built = await Cluster.start({ vms, allowedUnsafeSysctls: [allowedUnsafeSysctls, []] });
    const { api } = this.built;
    await api.apply(networkAttachmentDefinitions);
    await api.until('networks to be served', () => api.get('/apis/k8s.cni.cncf.io/v1/network-attachment-definitions'));
    const deployed = single.map(async (tenant, index) => {
      const node = this.cluster.nodes[index];
      if (node) this.gateways.set(tenant, await ClusterGateway.deploy(this.cluster, tenant, node));
    });
    await Promise.all(deployed);
    if (pair !== undefined) this.members = await ClusterGateway.deployPair(this.cluster, pair);
  }

  async end(): Promise<void> {
    await this.built?.end();
  }

  async logs(): Promise<string> {
    return (await Promise.all([...this.gateways.values(), ...this.members].map((gateway) => gateway.logs()))).join(
      '\n',
    );
  }
}

export function useCluster(options: ClusterLabOptions): ClusterLab {
  const lab = new ClusterLab(options);
  beforeAll(() => lab.start(), 2_400_000);
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(await lab.logs());
  });
  afterAll(() => lab.end());
  return lab;
}
