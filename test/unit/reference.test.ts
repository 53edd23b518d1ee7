import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { EXAMPLES } from '../../gateway/api/examples.js';
import { jsonSchemaOf } from '../../gateway/api/json-schema.js';
import { type Kind, KINDS } from '../../gateway/api/kinds.js';
import { CONDITIONS, GATEWAY_CONDITIONS, MORE_CONDITIONS, referenceFiles } from '../../gateway/api/reference.js';
import { formatDuration } from '../../gateway/api/scalars.js';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import type { LineLook } from '../../gateway/health/line-look.js';
import { openApiFile } from '../../gateway/http/openapi.js';
import { ROUTES } from '../../gateway/http/routes.js';
import { explainFile } from '../../gateway/insight/explain/codes.js';
import { candidateOf } from '../../gateway/reconcile/candidate.js';
import { gatewayStatus, newStanding } from '../../gateway/reconcile/status.js';
import { NO_PRESSURE } from '../../gateway/model/pressure.js';

// The reference pages say what the schemas and the status say.

const directory = fileURLToPath(new URL('../../docs/reference', import.meta.url));
const kinds = Object.keys(KINDS) as Kind[];
const sources = kinds.flatMap((kind) => splitDocuments({ file: `${kind}.yaml`, text: EXAMPLES[kind].yaml }));
const example = candidateOf(sources, new ParseCache());

describe('the reference pages', () => {
  it('are what `npm run docs` writes', () => {
    const onDisk = readdirSync(directory).map((name) => [name, readFileSync(`${directory}/${name}`, 'utf8')]);
    expect(Object.fromEntries(onDisk)).toEqual(
      Object.fromEntries([...referenceFiles(), openApiFile(ROUTES), explainFile()]),
    );
  });

  it('show documents that together are one gateway, each page its own kind', () => {
    expect(example.warnings).toEqual([]);
    for (const { kind, source } of example.documents.values()) expect(source.file).toBe(`${kind}.yaml`);
    expect(new Set([...example.documents.values()].map(({ kind }) => kind))).toEqual(new Set(kinds));
  });

  it('say of every field what it means', () => {
    for (const kind of kinds) {
      const rows = (referenceFiles().get(`${kind}.md`) ?? '').split('\n').filter((line) => line.startsWith('| `'));
      for (const row of rows) expect(row).toMatch(/ \S+ \|$/);
    }
  });

  it('name the conditions that status has, and no other', () => {
    const idle = { state: 'Idle', reason: '', peers: [], certificate: { endS: 0, warning: undefined } } as const;
    const { vpnConnections, dedicatedLines } = example.model;
    const { conditions, objects } = gatewayStatus({
      standing: newStanding(),
      candidate: example,
      generations: new Map(),
      source: 'Folder',
      version: '0',
      revision: 1,
      pending: undefined,
      journalDamage: undefined,
      auditTrouble: undefined,
      unsettable: [],
      pressure: NO_PRESSURE,
      shaper: undefined,
      balancing: undefined,
      pair: undefined,
      facts: undefined,
      inForce: example.model,
      tunnels: new Map(vpnConnections.map(({ name }) => [name, idle])),
      lines: new Map(dedicatedLines.map(({ name }) => [name, idle as unknown as LineLook])),
    });
    expect(conditions.map(({ type }) => type)).toEqual(Object.keys(GATEWAY_CONDITIONS));
    const index = referenceFiles().get('README.md');
    for (const kind of kinds) {
      const found = objects.filter((object) => object.kind === kind).flatMap((object) => object.conditions);
      const types = new Set(found.map(({ type }) => type));
      expect(types, kind).toEqual(new Set(Object.keys({ ...CONDITIONS, ...MORE_CONDITIONS[kind] })));
      for (const type of types) expect(index).toContain(`| \`${type}\` |`);
    }
  });
});

describe('the JSON Schema', () => {
  it('shows what zod leaves out of a text that is parsed: its default and its example', () => {
    const { properties } = jsonSchemaOf('ElasticIP') as { properties: { spec: { properties: object } } };
    expect(properties.spec.properties).toMatchObject({
      drainTimeout: { type: 'string', default: '0s' },
      address: { examples: ['10.0.0.5'] },
    });
  });

  it('writes durations in the largest unit', () => {
    const texts = [0, 250, 1_500, 30_000, 120_000, 900_000, 5_400_000, 86_400_000].map(formatDuration);
    expect(texts).toEqual(['0s', '250ms', '1500ms', '30s', '2m', '15m', '90m', '1d']);
  });
});
