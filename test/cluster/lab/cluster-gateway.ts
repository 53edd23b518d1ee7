import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { containersOf, kustomize, type Manifest } from '../../support/kustomize.js';
import type { GatewayStatus } from '../../support/supervisor.js';
import type { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { isReady, type Pod } from './kubernetes-api.js';

// A gateway on the lab cluster, or a member of a pair, from an overlay of manifests/. Of what the overlay says only the
// image and the node are replaced: the test's own image, and the node that the test wants. Members of a pair go where the
// scheduler puts them.

const overlays = fileURLToPath(new URL('../../../manifests/overlays/', import.meta.url));
const pollMs = 50;

type Status = GatewayStatus & {
  objects: { kind: string; name: string }[];
};

export class ClusterGateway {
  readonly namespace: string;
  private seen: Pod | undefined;

  private constructor(
    readonly tenant: string,
    private readonly cluster: Cluster,
    readonly node: ClusterNode,
    readonly podName: string,
  ) {
    this.namespace = `vpcgw-${tenant}`;
  }

  /** Ready when it returns. */
  static async deploy(cluster: Cluster, tenant: string, node: ClusterNode): Promise<ClusterGateway> {
    await applyOverlay(cluster, tenant, node);
    return new ClusterGateway(tenant, cluster, node, 'gateway-0').begun();
  }

  /** Both members, ready. */
  static async deployPair(cluster: Cluster, tenant: string): Promise<ClusterGateway[]> {
    await applyOverlay(cluster, tenant);
    const pods = ['gateway-a-0', 'gateway-b-0'].map(async (name) => {
      const scheduled = ({ spec }: Pod): boolean => spec.nodeName !== undefined;
      const { spec } = await cluster.api.podWhen(`vpcgw-${tenant}`, name, 'node', scheduled);
      return new ClusterGateway(tenant, cluster, cluster.node(spec.nodeName ?? ''), name).begun();
    });
    return Promise.all(pods);
  }

  private async begun(): Promise<this> {
    await this.ready().catch(async (error: unknown) => {
      throw new Error(`${String(error)}\n${await this.logs()}`, { cause: error });
    });
    return this;
  }

  async pod(): Promise<Pod> {
    return (this.seen = await this.cluster.api.pod(this.namespace, this.podName));
  }

  /** As the management address tells it to Prometheus, which needs no API server; `undefined` while it does not answer. */
  async role(): Promise<string | undefined> {
    const { status } = await this.lastSeen();
    const ask = ['curl', '--silent', '--fail', '--max-time', '2', '--noproxy', '*'];
    const metrics = `http://${status.podIP}:9100/metrics`;
    const answer = await this.node.namespace.exec([...ask, metrics]).catch(() => undefined);
    return /^vpcgw_member_role\{role="(\w+)"\} 1$/m.exec(answer?.stdout ?? '')?.[1];
  }

  /** While there is no API server, the pod as it was. */
  private lastSeen(): Promise<Pod> {
    return this.pod().catch((error: unknown) => {
      if (!this.seen) throw error;
      return this.seen;
    });
  }

  ready(): Promise<Pod> {
    return this.cluster.api.podWhen(this.namespace, this.podName, 'readiness', isReady);
  }

  /** Once the container that runs in `before` was followed by a ready one. */
  readyAfter(before: Pod): Promise<Pod> {
    const restarts = ({ status }: Pod): number => status.containerStatuses?.[0]?.restartCount ?? 0;
    return this.cluster.api.podWhen(
      this.namespace,
      this.podName,
      'restart',
      (pod) => restarts(pod) > restarts(before) && isReady(pod),
    );
  }

  /** Asks the management address until the supervisor after the one in `pod` is ready: the API server is not needed. */
  async readyWithoutServer({ status }: Pod): Promise<void> {
    const address = `http://${status.podIP}:9100/readyz`;
    const ask = ['curl', '--silent', '--output', '/dev/null', '--fail', '--max-time', '2', '--noproxy', '*', address];
    const deadline = performance.now() + 120_000;
    // Nobody listens yet, it is not ready yet, no answer in time, cut off in between.
    const notYet = [7, 22, 28, 52, 56];
    while ((await this.node.namespace.exec(ask, { okExitCodes: [0, ...notYet] })).exitCode !== 0) {
      if (performance.now() > deadline) throw new Error(`${address} is not ready`);
      await sleep(pollMs);
    }
  }

  /** As `kubectl exec` does; without the API server in the container that was seen last. */
  async exec(argv: readonly string[], okExitCodes?: readonly number[]): Promise<string> {
    const { stdout } = await this.node.execIn(await this.lastSeen(), argv, okExitCodes ? { okExitCodes } : {});
    return stdout;
  }

  async status(): Promise<Status> {
    return JSON.parse(await this.exec(['vpcgw', 'status', '--json'])) as Status;
  }

  /** One more file in the ConfigMap, or another text for one; returns once the gateway's folder was taken with it. */
  async edit(file: string, text: string): Promise<void> {
    const { revision } = await this.status();
    await this.write(file, text);
    await this.takesAfter(revision);
  }

  /** Without waiting for anybody who reads it. */
  async write(file: string, text: string): Promise<void> {
    const metadata = { name: 'documents', namespace: this.namespace };
    const data = { ...this.documents, [file]: text };
    await this.cluster.api.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
  }

  /** Once it has taken something newer, and verified it. */
  async takesAfter(revision: number): Promise<void> {
    const deadline = performance.now() + 120_000;
    for (;;) {
      const status = await this.status();
      if (status.revision > revision && status.ready) return;
      if (performance.now() > deadline) throw new Error(`no new revision in ${this.tenant}: ${JSON.stringify(status)}`);
      await sleep(pollMs);
    }
  }

  async logs(): Promise<string> {
    const describe = async (): Promise<string> =>
      JSON.stringify((await this.cluster.api.pod(this.namespace, this.podName)).status);
    const attempts = [
      describe(),
      this.pod().then((pod) => this.node.containerLogs(pod)),
      this.cluster.api
        .get<{ items: { message: string }[] }>(`/api/v1/namespaces/${this.namespace}/events`)
        .then(({ items }) => items.map(({ message }) => message).join('\n')),
    ];
    const texts = await Promise.all(attempts.map((attempt) => attempt.catch(String)));
    return [...texts, this.node.logs()].join('\n');
  }

  private get documents(): Record<string, string> {
    const map = kustomize(overlays + this.tenant).find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'documents',
    );
    return map?.['data'] as Record<string, string>;
  }
}

async function applyOverlay(cluster: Cluster, tenant: string, node?: ClusterNode): Promise<void> {
  for (const manifest of manifestsOf(tenant, cluster.image, node?.name)) await cluster.api.apply(manifest);
}

function manifestsOf(tenant: string, image: string, node: string | undefined): Manifest[] {
  const manifests = kustomize(overlays + tenant);
  for (const manifest of manifests)
    for (const container of containersOf(manifest)) {
      container.image = image;
      const { template } = manifest['spec'] as { template: { spec: { nodeSelector?: object } } };
      if (node !== undefined) template.spec.nodeSelector = { 'kubernetes.io/hostname': node };
    }
  return manifests;
}
