import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { containersOf, kustomize, type Manifest } from '../../support/kustomize.js';
import type { GatewayStatus } from '../../support/supervisor.js';
import type { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { isReady, type Pod } from './kubernetes-api.js';

// A gateway on the lab cluster, from an overlay of manifests/. Of what the overlay says only the image and the node are
// replaced: the test's own image, and the node that the test wants.

const overlays = fileURLToPath(new URL('../../../manifests/overlays/', import.meta.url));
export const podName = 'gateway-0';
const pollMs = 50;

export class ClusterGateway {
  readonly namespace: string;

  private constructor(
    readonly tenant: string,
    private readonly cluster: Cluster,
    readonly node: ClusterNode,
  ) {
    this.namespace = `vpcgw-${tenant}`;
  }

  /** Ready when it returns. */
  static async deploy(cluster: Cluster, tenant: string, node: ClusterNode): Promise<ClusterGateway> {
    const gateway = new ClusterGateway(tenant, cluster, node);
    for (const manifest of manifestsOf(tenant, cluster.image, node.name)) await cluster.api.apply(manifest);
    await gateway.ready().catch(async (error: unknown) => {
      throw new Error(`${String(error)}\n${await gateway.logs()}`, { cause: error });
    });
    return gateway;
  }

  pod(): Promise<Pod> {
    return this.cluster.api.pod(this.namespace, podName);
  }

  ready(): Promise<Pod> {
    return this.cluster.api.podWhen(this.namespace, podName, 'readiness', isReady);
  }

  /** Once the container that runs in `before` was followed by a ready one. */
  readyAfter(before: Pod): Promise<Pod> {
    const restarts = ({ status }: Pod): number => status.containerStatuses?.[0]?.restartCount ?? 0;
    return this.cluster.api.podWhen(
      this.namespace,
      podName,
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

  /** As `kubectl exec` does. */
  async exec(argv: readonly string[], okExitCodes?: readonly number[]): Promise<string> {
    const { stdout } = await this.node.execIn(await this.pod(), argv, okExitCodes ? { okExitCodes } : {});
    return stdout;
  }

  async status(): Promise<GatewayStatus & { objects: { kind: string; name: string }[] }> {
    return JSON.parse(await this.exec(['vpcgw', 'status', '--json'])) as Awaited<ReturnType<typeof this.status>>;
  }

  /** One more file in the ConfigMap, or another text for one; returns once the gateway's folder was taken with it. */
  async edit(file: string, text: string): Promise<void> {
    const { revision } = await this.status();
    const metadata = { name: 'documents', namespace: this.namespace };
    const data = { ...this.documents, [file]: text };
    await this.cluster.api.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
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
      JSON.stringify((await this.cluster.api.pod(this.namespace, podName)).status);
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
    const map = kustomize(overlays + this.tenant).find(({ kind }) => kind === 'ConfigMap');
    return map?.['data'] as Record<string, string>;
  }
}

function manifestsOf(tenant: string, image: string, node: string): Manifest[] {
  const manifests = kustomize(overlays + tenant);
  for (const manifest of manifests)
    for (const container of containersOf(manifest)) {
      container.image = image;
      const { template } = manifest['spec'] as { template: { spec: { nodeSelector?: object } } };
      template.spec.nodeSelector = { 'kubernetes.io/hostname': node };
    }
  return manifests;
}
