import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ConfigMap, Namespace } from 'kubernetes-models/v1';
import { StatefulSet } from 'kubernetes-models/apps/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { kustomize, type Manifest } from '../support/kustomize.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const overlays = readdirSync(`${root}manifests/overlays`);
const render = (overlay: string): Manifest[] => kustomize(`${root}manifests/overlays/${overlay}`);
const of = (overlay: string, kind: string): Manifest[] => render(overlay).filter((manifest) => manifest.kind === kind);

/** Those of Kubernetes itself; a network is of Multus, and its text is JSON. */
const kinds: Readonly<Record<string, (manifest: Manifest) => void>> = {
  Namespace: (manifest) => new Namespace(manifest).validate(),
  ConfigMap: (manifest) => new ConfigMap(manifest).validate(),
  StatefulSet: (manifest) => new StatefulSet(manifest).validate(),
  NetworkAttachmentDefinition: ({ spec }) => void JSON.parse((spec as { config: string }).config),
};

describe.each(overlays)('the overlay %s', (overlay) => {
  it('is as the schemas of Kubernetes want it', () => {
    for (const manifest of render(overlay)) {
      const validate = kinds[manifest.kind];
      expect(validate, manifest.kind).toBeDefined();
      expect(() => validate?.(manifest)).not.toThrow();
    }
  });

  it('reads for kubectl as it does for the tests', ({ skip }) => {
    if (!hasKubectl()) skip('there is no kubectl of 1.24 or later');
    const byName = (manifests: Manifest[]): Manifest[] =>
      manifests.sort((a, b) => `${a.kind}/${a.metadata.name}`.localeCompare(`${b.kind}/${b.metadata.name}`));
    expect(byName(kubectlKustomize(overlay))).toEqual(byName(render(overlay)));
  });

  it('sets the sysctls that the Dockerfile tells, by one of the two ways', () => {
    expect([sysctlsOfPod(overlay), sysctlsOfNetworks(overlay)]).toContainEqual(sysctlsOfDockerfile());
  });
});

it('the budget of a pair is of both members', () => {
  const manifests = kustomize(`${root}manifests/components/budget`, render('red'));
  const budget = manifests.find(({ kind }) => kind === 'PodDisruptionBudget') as Manifest;
  new PodDisruptionBudget(budget).validate();
  const { minAvailable, selector } = budget['spec'] as { minAvailable: number; selector: { matchLabels: object } };
  const pods = of('red', 'StatefulSet').map(
    ({ spec }) => (spec as { template: { metadata: { labels: object } } }).template.metadata.labels,
  );
  expect([minAvailable, pods.length]).toEqual([1, 2]);
  for (const labels of pods) expect(labels).toMatchObject(selector.matchLabels);
});

it('a manifest that is wrong is found', () => {
  const [set] = of('blue', 'StatefulSet') as [Manifest];
  const wrong = { ...set, spec: { ...(set['spec'] as object), replicas: 'two' } };
  expect(() => kinds['StatefulSet']?.(wrong)).toThrow(/replicas/);
});

/** But those that only a kernel with IPVS has: elsewhere a pod that asks for them would not start. */
function sysctlsOfDockerfile(): Record<string, string> {
  const text = readFileSync(`${root}Dockerfile`, 'utf8');
  const settings = text.match(/net\.(?!ipv4\.vs\.)[a-z0-9_.]+=[0-9]+/g) ?? [];
  return Object.fromEntries(settings.map((setting) => setting.split('=') as [string, string]));
}

function sysctlsOfPod(overlay: string): Record<string, string> {
  const [set] = of(overlay, 'StatefulSet');
  const { template } = set?.['spec'] as {
    template: { spec: { securityContext: { sysctls?: { name: string; value: string }[] } } };
  };
  const { sysctls = [] } = template.spec.securityContext;
  return Object.fromEntries(sysctls.map(({ name, value }) => [name, value]));
}

function sysctlsOfNetworks(overlay: string): Record<string, string> {
  const configs = of(overlay, 'NetworkAttachmentDefinition').map(
    ({ spec }) => JSON.parse((spec as { config: string }).config) as { plugins: { sysctl?: Record<string, string> }[] },
  );
  return Object.fromEntries(
    configs.flatMap(({ plugins }) => plugins.flatMap((plugin) => Object.entries(plugin.sysctl ?? {}))),
  );
}

/** Before Kustomize 4, which the version names, kubectl knew no components. */
function hasKubectl(): boolean {
  const { stdout } = spawnSync('kubectl', ['version', '--client'], { encoding: 'utf8' });
  return Number(/^Kustomize Version: v(\d+)/m.exec(stdout ?? '')?.[1] ?? 0) >= 4;
}

function kubectlKustomize(overlay: string): Manifest[] {
  const text = execFileSync('kubectl', ['kustomize', `${root}manifests/overlays/${overlay}`], { encoding: 'utf8' });
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}
