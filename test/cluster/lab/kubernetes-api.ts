import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { requestOver } from '../../support/unix-http.js';

// The API of the lab cluster, as a person with kubectl uses it.

export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [field: string]: unknown;
}

export interface Pod {
  metadata: { name: string; uid: string };
  spec: { nodeName?: string };
  status: {
    podIP?: string;
    conditions?: { type: string; status: string }[];
    containerStatuses?: { name: string; containerID?: string; restartCount: number }[];
  };
}

/** In a path, kinds are plural and in small letters. */
const plural = (kind: string): string => `${kind.toLowerCase()}s`;
const clusterWide = ['Namespace', 'Node', 'CustomResourceDefinition'];
const pollMs = 50;

export class KubernetesApi {
  constructor(
    /** Of a relay into the control plane's namespace. */
    private readonly socketPath: string,
    private readonly authorityFile: string,
    private readonly token: string,
  ) {}

  async get<Answer>(path: string): Promise<Answer> {
    return (await this.call('GET', path)) as Answer;
  }

  /** Creates or changes it; a field that the server does not know is an error. */
  async apply(object: KubernetesObject): Promise<void> {
    const path = `${pathOf(object)}?fieldManager=lab&force=true`;
    await this.call('PATCH', path, JSON.stringify(object), 'application/apply-patch+yaml');
  }

  async deletePod(namespace: string, name: string): Promise<void> {
    await this.call('DELETE', `/api/v1/namespaces/${namespace}/pods/${name}`);
  }

  pod(namespace: string, name: string): Promise<Pod> {
    return this.get<Pod>(`/api/v1/namespaces/${namespace}/pods/${name}`);
  }

  /** The first answer of the probe that is not undefined. While the server does not answer, there is none. */
  async until<Answer>(awaited: string, probe: () => Promise<Answer | undefined>, timeoutMs = 120_000): Promise<Answer> {
    const deadline = performance.now() + timeoutMs;
    let last: unknown;
    while (performance.now() < deadline) {
      const answer = await probe().catch((error: unknown) => void (last = error));
      if (answer !== undefined) return answer;
      await sleep(pollMs);
    }
    throw new Error(`no ${awaited} within ${timeoutMs} ms`, { cause: last });
  }

  podWhen(namespace: string, name: string, awaited: string, holds: (pod: Pod) => boolean): Promise<Pod> {
    return this.until(`${awaited} of pod ${namespace}/${name}`, async () => {
      const pod = await this.pod(namespace, name);
      return holds(pod) ? pod : undefined;
    });
  }

  private async call(method: string, path: string, body?: string, contentType = 'application/json'): Promise<unknown> {
    const reply = await requestOver(this.socketPath, method, path, body, {
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'content-type': contentType }),
      },
      tls: { ca: readFileSync(this.authorityFile), servername: 'localhost' },
    });
    if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`);
    return reply.text.startsWith('{') ? (JSON.parse(reply.text) as unknown) : reply.text;
  }
}

export const isReady = ({ status }: Pod): boolean =>
  status.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True') ?? false;

function pathOf({ apiVersion, kind, metadata }: KubernetesObject): string {
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const inside = clusterWide.includes(kind) ? '' : `/namespaces/${metadata.namespace ?? 'default'}`;
  const kinds = kind === 'NetworkAttachmentDefinition' ? 'network-attachment-definitions' : plural(kind);
  return `${group}${inside}/${kinds}/${metadata.name}`;
}
