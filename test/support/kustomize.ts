import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';

// What `kubectl kustomize` makes of a folder, for the part of its language that `manifests/` uses: resources, components,
// patches as lists of operations (RFC 6902), images, a namespace, a suffix of names, ConfigMaps of files. It refuses
// what it does not know, so that a manifest cannot mean more than is tested here. `manifests.test.ts` compares it with
// kubectl, where there is one.

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [field: string]: unknown;
}

interface Kustomization {
  apiVersion: string;
  kind: string;
  namespace?: string;
  nameSuffix?: string;
  resources?: string[];
  components?: string[];
  patches?: { target: { kind: string; labelSelector: string }; path: string }[];
  images?: { name: string; newName: string; newTag: string }[];
  configMapGenerator?: { name: string; files: string[] }[];
  generatorOptions?: { disableNameSuffixHash: true };
}

const known = new Set<string>([
  ...['apiVersion', 'kind', 'namespace', 'resources', 'components', 'patches', 'images', 'configMapGenerator'],
  ...['generatorOptions', 'nameSuffix'],
]);
const clusterWide = ['Namespace', 'CustomResourceDefinition'];

export function kustomize(directory: string, into: readonly Manifest[] = []): Manifest[] {
  const settings = parse(readFileSync(join(directory, 'kustomization.yaml'), 'utf8')) as Kustomization;
  const strange = Object.keys(settings).filter((field) => !known.has(field));
  if (strange.length > 0)
    throw new Error(`${directory}/kustomization.yaml: this renderer knows no ${strange.join(', ')}`);
  let manifests = [...into];
  for (const path of settings.resources ?? []) manifests.push(...load(join(directory, path)));
  for (const { name, files } of settings.configMapGenerator ?? []) manifests.push(configMap(directory, name, files));
  for (const path of settings.components ?? []) manifests = kustomize(join(directory, path), manifests);
  for (const { target, path } of settings.patches ?? []) {
    const operations = parse(readFileSync(join(directory, path), 'utf8')) as Operation[];
    for (const manifest of manifests) if (isTarget(manifest, target)) patch(manifest, operations);
  }
  for (const image of settings.images ?? []) manifests.forEach((manifest) => setImage(manifest, image));
  if (settings.nameSuffix !== undefined) rename(manifests, settings.nameSuffix);
  if (settings.namespace !== undefined)
    for (const { kind, metadata } of manifests)
      if (!clusterWide.includes(kind)) metadata.namespace = settings.namespace;
  return manifests;
}

function load(path: string): Manifest[] {
  if (!existsSync(path)) throw new Error(`${path} is named by a kustomization and missing`);
  if (statSync(path).isDirectory()) return kustomize(path);
  return parseAllDocuments(readFileSync(path, 'utf8')).map((document) => document.toJS() as Manifest);
}

function configMap(directory: string, name: string, files: readonly string[]): Manifest {
  const data = Object.fromEntries(files.map((file) => [basename(file), readFileSync(join(directory, file), 'utf8')]));
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data };
}

function isTarget({ kind, metadata }: Manifest, target: { kind: string; labelSelector: string }): boolean {
  const [label = '', value] = target.labelSelector.split('=');
  return kind === target.kind && metadata.labels?.[label] === value;
}

type Operation = { op: 'add' | 'replace'; path: string; value: unknown };
type Tree = Record<string, unknown>;

/** Each place in the tree must exist, but for the last step of an `add`. */
export function patch(manifest: Manifest, operations: readonly Operation[]): void {
  for (const { op, path, value } of operations) {
    const steps = path
      .split('/')
      .slice(1)
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = steps.pop() ?? '';
    const parent = steps.reduce<Tree | undefined>((tree, step) => tree?.[step] as Tree | undefined, manifest);
    if (parent === undefined || (op === 'replace' && !(last in parent)))
      throw new Error(`${manifest.kind} ${manifest.metadata.name} has no ${path} to ${op}`);
    if (Array.isArray(parent)) {
      if (last === '-') parent.push(value);
      else parent.splice(Number(last), op === 'replace' ? 1 : 0, value);
    } else parent[last] = value;
  }
}

/** With what refers to a ConfigMap that is renamed. */
function rename(manifests: readonly Manifest[], suffix: string): void {
  const maps = new Set(manifests.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata }) => metadata.name));
  for (const { kind, metadata } of manifests) if (!clusterWide.includes(kind)) metadata.name += suffix;
  for (const { configMap: map } of manifests.flatMap(volumesOf)) if (map && maps.has(map.name)) map.name += suffix;
}

function setImage(
  manifest: Manifest,
  { name, newName, newTag }: { name: string; newName: string; newTag: string },
): void {
  for (const container of containersOf(manifest))
    if (container.image === name) container.image = `${newName}:${newTag}`;
}

const volumesOf = ({ spec }: Manifest): { configMap?: { name: string } }[] =>
  (spec as { template?: { spec: { volumes?: { configMap?: { name: string } }[] } } } | undefined)?.template?.spec
    .volumes ?? [];

export function containersOf({ spec }: Manifest): { name: string; image: string }[] {
  const template = (spec as { template?: { spec: { containers: { name: string; image: string }[] } } })?.template;
  return template?.spec.containers ?? [];
}
