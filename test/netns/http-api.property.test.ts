import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { ERRORS } from '../../gateway/errors.js';
import { openApi } from '../../gateway/http/openapi.js';
import { ROUTES } from '../../gateway/http/routes.js';
import { arbitraryFrom, type SchemaArbitraries } from '../support/arbitrary-from-schema.js';
import { type Document, smallGateway } from '../support/documents.js';
import { kernelPicture } from '../support/kernel-picture.js';
import { showLogsOfFailures } from '../support/show-logs.js';
import { Supervisor } from '../support/supervisor.js';
import { type Tenant, Topology } from '../support/topology.js';
import { type HttpReply, requestOver } from '../support/unix-http.js';

// The API, asked at random after its own OpenAPI: no answer says that the supervisor has a defect, and a call that was
// refused has changed neither documents nor kernel.

/** More finds more. */
const budgetMs = Number(process.env['PROPERTY_BUDGET_MS'] ?? 8_000);

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly { name: string; in: 'path' | 'query' | 'header'; schema: Record<string, unknown> }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { schema: Record<string, unknown> }>> };
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const description = openApi(ROUTES) as {
  paths: Record<string, Record<string, Omit<Operation, 'method' | 'path'>>>;
  components: { schemas: Record<string, Record<string, unknown>> };
};
const endless = new Set(ROUTES.filter(({ streams }) => streams).map(({ path }) => path));
const operations: Operation[] = Object.entries(description.paths).flatMap(([path, methods]) =>
  endless.has(path)
    ? []
    : Object.entries(methods).map(([method, own]) => ({ ...own, path, method: method.toUpperCase() })),
);
const options: SchemaArbitraries = { wrongPercent: 4, components: description.components.schemas };
/** Rather the documents that are there, so that something is met. */
const knownNames = fc.constantFrom('web', 'nat', 'all', 'blue');

let topology: Topology;
let blue: Tenant;
let supervisor: Supervisor;
showLogsOfFailures(() => [supervisor]);

const base = (): Document[] => smallGateway(blue);

beforeAll(async () => {
  topology = await Topology.build({ tenants: [{ name: 'blue', vms: [] }] });
  blue = topology.tenant('blue');
  supervisor = Supervisor.launch(blue.gateway, { source: 'api' });
  await supervisor.statusWhen(() => true);
});
afterAll(async () => {
  await supervisor?.stop();
  topology?.destroy();
});

const send = ({ method, path, headers, body }: Call): Promise<HttpReply> =>
  requestOver(supervisor.socketPath, method, path, body, { headers });

async function reset(): Promise<string> {
  const { pendingConfirm } = JSON.parse((await supervisor.get('/v1/status')).text) as { pendingConfirm?: object };
  if (pendingConfirm) await supervisor.post('/v1/rollback', {});
  const files = [
    {
      file: 'base.yaml',
      text: base()
        .map((each) => stringify(each))
        .join('---\n'),
    },
  ];
  const { status, text } = await supervisor.post('/v1/apply', { files, prune: true });
  expect({ status, text }).toMatchObject({ status: 200 });
  return present();
}

const documents = async (): Promise<string> => (await supervisor.get('/v1/documents')).text;
/** All that a refused call must leave as it is. */
const present = async (): Promise<string> => `${await documents()}\n${await kernelPicture(blue.gateway)}`;

const headerText = fc.oneof(
  fc.constantFrom('*', '"x"', '"r1"', 'W/"r1"', 'nonsense'),
  fc.stringMatching(/^[!-~]{0,40}$/),
);

function callTo({ method, path, parameters, requestBody }: Operation): fc.Arbitrary<Call> {
  const named = (where: string) => parameters.filter((parameter) => parameter.in === where);
  const values = (where: string) =>
    fc.record(
      Object.fromEntries(named(where).map(({ name, schema }) => [name, arbitraryFrom(schema, options).map(String)])),
      where === 'path' ? {} : { requiredKeys: [] },
    );
  const bodies = Object.entries(requestBody?.content ?? {}).map(([type, { schema }]) =>
    fc.tuple(fc.constant(type), arbitraryFrom(schema, options)),
  );
  return fc
    .tuple(
      fc.oneof(values('path'), fc.record({ ...pathOfKnown(named('path')), name: knownNames })),
      values('query'),
      fc.record(Object.fromEntries(named('header').map(({ name }) => [name, headerText])), { requiredKeys: [] }),
      bodies.length > 0 ? fc.option(fc.oneof(...bodies), { freq: 20, nil: undefined }) : fc.constant(undefined),
    )
    .map(([inPath, query, headers, body]) => ({
      method,
      path: `${path.replace(/\{(\w+)\}/g, (_, name: string) => encode((inPath as Record<string, string>)[name] ?? 'x') || '%20')}${queryText(query)}`,
      headers: { ...headers, ...(body ? { 'content-type': body[0] } : {}) },
      ...(body ? { body: body[0] === 'application/json' ? asJson(body[1]) : asText(body[1]) } : {}),
    }));
}

const pathOfKnown = (parameters: Operation['parameters']) =>
  Object.fromEntries(
    parameters.map(({ name, schema }) => [name, arbitraryFrom(schema, { ...options, wrongPercent: 0 }).map(String)]),
  );
const encode = (text: string): string => encodeURIComponent(text.replace(/\p{Surrogate}/gu, '?'));
const queryText = (query: Readonly<Record<string, string | undefined>>): string => {
  const parts = Object.entries(query).map(([name, value]) => `${name}=${encode(value ?? '')}`);
  return parts.length > 0 ? `?${parts.join('&')}` : '';
};
/** What is a text already goes over the wire as it stands. */
const asJson = (value: unknown): unknown =>
  typeof value === 'object' && value !== null ? value : JSON.stringify(value);
const asText = (value: unknown): string => (typeof value === 'string' ? value : stringify(value));

const DEFECTS = Object.entries(ERRORS).flatMap(([code, { status }]) => (status === 500 ? [code] : []));

function judge(call: Call, { status, text }: HttpReply): void {
  const said = `${call.method} ${call.path}: ${status} ${text.slice(0, 500)}`;
  if (status >= 400 && !call.path.startsWith('/readyz')) {
    const { code, ...problem } = JSON.parse(text) as { code: keyof typeof ERRORS; status: number; detail: string };
    expect(problem.status, said).toBe(status);
    expect(ERRORS[code].status, said).toBe(status);
    expect(DEFECTS, said).not.toContain(code);
  }
}

describe('calls after the OpenAPI of the gateway', () => {
  it.each(operations.map((operation) => [`${operation.method} ${operation.path}`, operation] as const))(
    '%s',
    { timeout: 60_000 + budgetMs },
    async (_, operation) => {
      let known = await reset();
      const mine = budgetMs / operations.length;
      const began = performance.now();
      let calls = 0;
      await fc.assert(
        fc.asyncProperty(callTo(operation), async (call) => {
          if (performance.now() - began > mine) return;
          const reply = await send(call);
          judge(call, reply);
          if (reply.status < 400 && operation.method !== 'GET') known = await reset();
          else if (operation.method !== 'GET') expect(known.startsWith(await documents())).toBe(true);
          // A look at the kernel costs more than twenty calls.
          if (calls++ % 10 === 0) expect(await present()).toBe(known);
        }),
        { numRuns: 200, endOnFailure: true },
      );
      expect(await present()).toBe(known);
    },
  );
});

describe('calls after nothing', () => {
  it('of any method, path and body', { timeout: 60_000 + budgetMs }, async () => {
    const known = await reset();
    const piece = fc.constantFrom(
      'v1',
      'documents',
      'ElasticIP',
      'web',
      '..',
      '%',
      '%00',
      '%2e%2e',
      '%ff',
      'x'.repeat(300),
      '',
    );
    const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND');
    const type = fc.constantFrom(
      'application/json',
      'application/yaml',
      'text/plain',
      'application/json; charset=x',
      'x',
    );
    const began = performance.now();
    await fc.assert(
      fc.asyncProperty(
        method,
        fc.array(piece, { maxLength: 5 }),
        type,
        fc.option(fc.string({ unit: 'binary' }), { nil: undefined }),
        async (method, pieces, contentType, body) => {
          if (performance.now() - began > budgetMs / 4) return;
          const path = `/${pieces.join('/')}`;
          const { status } = await send({ method, path, headers: { 'content-type': contentType }, body });
          expect(status, `${method} ${path}`).toBeLessThan(500);
        },
      ),
      { numRuns: 1_000, endOnFailure: true },
    );
    expect(await present()).toBe(known);
  });

  it('with bodies that are much nested or much too large', async () => {
    const known = await reset();
    const deep = (open: string, close: string, depth: number): string => open.repeat(depth) + close.repeat(depth);
    for (const path of ['/v1/documents/ElasticIP/web', '/v1/apply', '/v1/plan', '/v1/rollback']) {
      const method = path.endsWith('web') ? 'PUT' : 'POST';
      for (const body of [
        deep('{"a":', '', 50_000),
        deep('[', ']', 100_000),
        `{"a":${deep('[', ']', 5_000)}}`,
        '"x"',
        '',
      ]) {
        const reply = await send({ method, path, headers: { 'content-type': 'application/json' }, body });
        expect({ path, status: reply.status, code: (JSON.parse(reply.text) as { code?: string }).code }).toEqual({
          path,
          status: expect.toBeOneOf([200, 400, 422]) as number,
          code: expect.toBeOneOf(['BadRequest', 'ConfigInvalid', undefined]) as string,
        });
      }
    }
    expect(await present()).toBe(known);
  });
});
