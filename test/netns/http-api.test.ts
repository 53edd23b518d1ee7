import { once } from 'node:events';
import { appendFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { ROUTES } from '../../gateway/http/routes.js';
import type { AuditLine } from '../../gateway/reconcile/audit.js';
import { type Document, elasticIp, gateway, smallGateway } from '../support/documents.js';
import { kernelPicture } from '../support/kernel-picture.js';
import { showLogsOfFailures } from '../support/show-logs.js';
import { Supervisor } from '../support/supervisor.js';
import { type Tenant, Topology } from '../support/topology.js';
import { type HttpReply, requestOver } from '../support/unix-http.js';

// Single documents, entity tags, events and the audit, over the socket of a real supervisor.

let topology: Topology;
let blue: Tenant;
let supervisor: Supervisor;
showLogsOfFailures(() => [supervisor]);

const base = (): Document[] => smallGateway(blue);
const WEB = '/v1/documents/ElasticIP/web';
const rebound = (): string => stringify(elasticIp('web', '203.0.113.10', { target: '10.0.0.6' }));

type Headers = Readonly<Record<string, string>>;
const call = (method: string, path: string, body?: unknown, headers: Headers = {}): Promise<HttpReply> =>
  requestOver(supervisor.socketPath, method, path, body, { headers });
const json = <T>({ text }: HttpReply): T => JSON.parse(text) as T;
const answered = (reply: HttpReply): object => ({ status: reply.status, body: json(reply) });
const tagOf = async (path: string): Promise<string> => (await call('GET', path)).headers.etag ?? '';
const audit = async (limit = 1): Promise<AuditLine[]> => json(await call('GET', `/v1/audit?limit=${limit}`));
const picture = (): Promise<string> => kernelPicture(blue.gateway);

beforeAll(async () => {
  topology = await Topology.build({ tenants: ['blue', 'red'].map((name) => ({ name, vms: [] })) });
  blue = topology.tenant('blue');
  supervisor = Supervisor.launch(blue.gateway, { source: 'api' });
  await supervisor.statusWhen(() => true);
});
afterAll(async () => {
  await supervisor?.stop();
  topology?.destroy();
});
beforeEach(async () => {
  const files = [
    {
      file: 'base.yaml',
      text: base()
        .map((each) => stringify(each))
        .join('---\n'),
    },
  ];
  expect(await call('POST', '/v1/apply', { files, prune: true })).toMatchObject({ status: 200 });
});

describe('documents', () => {
  it('are listed, of one kind if so wished', async () => {
    const all = json<{ id: string; text: string }[]>(await call('GET', '/v1/documents'));
    expect(all.map(({ id }) => id)).toEqual(['VpcGateway/blue', 'ElasticIP/web', 'ElasticIP/nat', 'SnatRule/all']);
    const some = json<{ name: string }[]>(await call('GET', '/v1/documents?kind=ElasticIP'));
    expect(some.map(({ name }) => name)).toEqual(['web', 'nat']);
  });

  it('are given one by one, as an object or as the text alone', async () => {
    expect(json(await call('GET', WEB))).toMatchObject({
      id: 'ElasticIP/web',
      file: 'base.yaml',
      document: { spec: { address: '203.0.113.10' } },
    });
    const { headers, text } = await call('GET', WEB, undefined, { accept: 'application/yaml' });
    expect(headers['content-type']).toBe('application/yaml');
    expect(text).toBe(stringify(elasticIp('web', '203.0.113.10', { target: '10.0.0.5' })));
    expect(answered(await call('GET', '/v1/documents/ElasticIP/nobody'))).toMatchObject({
      status: 404,
      body: { code: 'NotFound', detail: 'there is no ElasticIP/nobody' },
    });
  });

  it('are put as YAML or as an object, and taken away', async () => {
    const path = '/v1/documents/ElasticIP/more';
    expect(answered(await call('PUT', path, stringify(elasticIp('more', '203.0.113.30'))))).toMatchObject({
      status: 200,
      body: { changed: ['ElasticIP/more'], cut: 0, paused: false },
    });
    expect(answered(await call('PUT', path, elasticIp('more', '203.0.113.31')))).toMatchObject({ status: 200 });
    expect(json(await call('GET', path))).toMatchObject({ document: elasticIp('more', '203.0.113.31') });
    expect(await picture()).toContain('203.0.113.31');
    expect(answered(await call('DELETE', path))).toMatchObject({ status: 200, body: { changed: ['ElasticIP/more'] } });
    expect(await picture()).not.toContain('203.0.113.31');
    expect(answered(await call('DELETE', path))).toMatchObject({ status: 404, body: { code: 'NotFound' } });
  });

  it('that others need, or that are the only gateway, are not taken away', async () => {
    const kernel = await picture();
    const answer = answered(await call('DELETE', '/v1/documents/ElasticIP/nat'));
    expect(answer).toMatchObject({ status: 422, body: { diagnostics: [{ path: 'spec.elasticIPs[0]' }] } });
    expect(answered(await call('DELETE', '/v1/documents/VpcGateway/blue'))).toMatchObject({ status: 422 });
    expect(await picture()).toBe(kernel);
  });

  it('of another name or kind than the path, or more than one, are refused', async () => {
    const other = stringify(elasticIp('other', '203.0.113.30'));
    for (const body of [other, `${rebound()}---\n${other}`, '# nothing\n'])
      expect(answered(await call('PUT', WEB, body))).toMatchObject({ status: 400, body: { code: 'BadRequest' } });
    expect(answered(await call('PUT', WEB, 'a: ['))).toMatchObject({ status: 422 });
    expect(answered(await call('PUT', '/v1/documents/Elastic/web', rebound()))).toMatchObject({ status: 400 });
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    expect(answered(await call('PUT', WEB, rebound(), form))).toMatchObject({
      status: 415,
      body: { code: 'UnsupportedMediaType' },
    });
  });

  it('can be tried first: the plan, and nothing changes', async () => {
    const [kernel, tag] = [await picture(), await tagOf('/v1/documents')];
    expect(answered(await call('PUT', `${WEB}?dryRun=true`, rebound()))).toMatchObject({
      status: 200,
      body: { put: ['ElasticIP/web'], added: [], remove: [] },
    });
    expect(answered(await call('DELETE', `${WEB}?dryRun=true`))).toMatchObject({
      status: 200,
      body: { put: [], remove: ['ElasticIP/web'] },
    });
    expect([await picture(), await tagOf('/v1/documents')]).toEqual([kernel, tag]);
  });

  it('take no parameter that they do not know', async () => {
    for (const path of [`${WEB}?dryrun=true`, `${WEB}?dryRun=yes`, `${WEB}?dryRun=true&dryRun=true`])
      expect(answered(await call('DELETE', path))).toMatchObject({ status: 400, body: { code: 'BadRequest' } });
    expect(answered(await call('GET', '/v1/status?x=1'))).toMatchObject({ status: 400 });
  });
});

describe('entity tags', () => {
  it('spare an answer that is known already', async () => {
    for (const path of [WEB, '/v1/documents']) {
      const known = await call('GET', path, undefined, { 'if-none-match': `"x", W/${await tagOf(path)}` });
      expect({ path, status: known.status, text: known.text }).toEqual({ path, status: 304, text: '' });
      expect((await call('GET', path, undefined, { 'if-none-match': '"x"' })).status).toBe(200);
    }
  });

  it('keep two editors from overwriting each other', async () => {
    const read = await tagOf(WEB);
    const first = await call('PUT', WEB, rebound(), { 'if-match': read });
    expect(first.status).toBe(200);
    expect(first.headers.etag).toBe(await tagOf(WEB));
    const kernel = await picture();
    const second = stringify(elasticIp('web', '203.0.113.10', { target: '10.0.0.7' }));
    for (const [method, body] of [['PUT', second], ['DELETE']] as const) {
      const refused = await call(method, WEB, body, { 'if-match': read });
      expect(answered(refused)).toMatchObject({
        status: 412,
        body: { code: 'PreconditionFailed', etag: first.headers.etag },
      });
      expect(refused.headers.etag).toBe(first.headers.etag);
    }
    expect(await picture()).toBe(kernel);
    expect((await call('PUT', WEB, second, { 'if-match': `"x", ${first.headers.etag}` })).status).toBe(200);
    expect((await call('DELETE', WEB, undefined, { 'if-match': '*' })).status).toBe(200);
    expect((await call('PUT', WEB, second, { 'if-match': '*' })).status, 'not there').toBe(412);
  });

  it('let a document be made only where there is none', async () => {
    const create = { 'if-none-match': '*' };
    expect(answered(await call('PUT', WEB, rebound(), create))).toMatchObject({ status: 412 });
    const more = stringify(elasticIp('more', '203.0.113.30'));
    expect((await call('PUT', '/v1/documents/ElasticIP/more', more, create)).status).toBe(200);
    expect((await call('PUT', '/v1/documents/ElasticIP/more', more, create)).status).toBe(412);
  });

  it('of the whole set guard changes of many documents', async () => {
    const read = await tagOf('/v1/documents');
    const apply = (address: string): Promise<HttpReply> => {
      const files = [{ file: 'x', text: stringify(elasticIp('more', address)) }];
      return call('POST', '/v1/apply', { files }, { 'if-match': read });
    };
    const answers = await Promise.all(['203.0.113.30', '203.0.113.31', '203.0.113.32'].map(apply));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412]);
    const stale = { 'if-match': read };
    expect((await call('POST', '/v1/rollback', {}, stale)).status).toBe(412);
    expect((await call('POST', '/v1/rollback', {}, { 'if-match': 'nonsense' })).status).toBe(412);
    expect((await call('POST', '/v1/rollback', {}, { 'if-match': await tagOf('/v1/documents') })).status).toBe(200);
  });
});

describe('the audit', () => {
  it('has a line for every attempt: who, what, with which result', async () => {
    const { revision } = await supervisor.status();
    await call('PUT', WEB, rebound());
    await call('DELETE', '/v1/documents/ElasticIP/nat');
    await call('DELETE', WEB, undefined, { 'if-match': '"x"' });
    await call('POST', '/v1/apply', { files: [{ file: 'x', text: 'a: [' }], by: 'ada' });
    await call('POST', '/v1/confirm');
    await call('POST', '/v1/rollback');
    const lines = await audit(6);
    expect(lines.map(({ action, result, code, revision }) => [action, result, code ?? revision])).toEqual([
      ['Put', 'Done', revision + 1],
      ['Delete', 'Refused', 'ConfigInvalid'],
      ['Delete', 'Refused', 'PreconditionFailed'],
      ['Apply', 'Refused', 'ConfigInvalid'],
      ['Confirm', 'Refused', 'NothingToConfirm'],
      ['Rollback', 'Done', revision + 2],
    ]);
    expect(lines[0]).toMatchObject({
      who: { name: 'root', via: 'Socket' },
      documents: [{ id: 'ElasticIP/web', change: 'Changed' }],
      documentCount: 1,
    });
    expect(lines[3]?.who.name).toBe('ada');
    expect(Date.now() - Date.parse(lines[5]?.time ?? '')).toBeLessThan(60_000);
    expect(lines[0]?.digest).not.toBe(lines[5]?.digest);
  });

  it('tells of what was undone by itself', async () => {
    const files = [{ file: 'x', text: rebound() }];
    await call('POST', '/v1/apply', { files, confirmWithinMs: 1_000 });
    await supervisor.statusWhen((status) => !('pendingConfirm' in status));
    expect(await audit(2)).toMatchObject([
      { action: 'Apply', result: 'Done' },
      { action: 'Rollback', result: 'Done', who: { via: 'Deadline' }, documents: [{ id: 'ElasticIP/web' }] },
    ]);
  });

  it('holds no text of a document', async () => {
    await call('PUT', WEB, rebound());
    expect(readFileSync(join(supervisor.stateDirectory, 'audit.jsonl'), 'utf8')).not.toMatch(/203\.0\.113|10\.0\.0/);
  });

  it('goes on over a torn line, and waits for a disk that cannot be written', async () => {
    const file = join(supervisor.stateDirectory, 'audit.jsonl');
    appendFileSync(file, '{"torn\n');
    await call('PUT', WEB, rebound());
    expect(await audit(1)).toMatchObject([{ action: 'Put' }]);
    // Even root cannot append to a directory.
    rmSync(file);
    mkdirSync(file);
    await call('DELETE', WEB);
    const unkept = async (): Promise<boolean> =>
      json<{ conditions: { type: string; status: string }[] }>(await call('GET', '/v1/status')).conditions.some(
        ({ type, status }) => type === 'AuditKept' && status === 'False',
      );
    expect(await unkept()).toBe(true);
    expect(await audit(1)).toMatchObject([{ action: 'Delete' }]);
    rmSync(file, { recursive: true });
    await call('PUT', WEB, rebound());
    expect(await unkept()).toBe(false);
    expect(readFileSync(file, 'utf8').trim().split('\n')).toHaveLength(2);
  });
});

it('events are told as they happen', async () => {
  const listening = request({ socketPath: supervisor.socketPath, path: '/v1/events', agent: false }).end();
  const [response] = (await once(listening, 'response')) as [IncomingMessage];
  expect(response.headers['content-type']).toBe('text/event-stream');
  const files = [{ file: 'x', text: rebound() }];
  const changes = call('POST', '/v1/apply', { files, confirmWithinMs: 60_000 }).then(() => call('POST', '/v1/confirm'));
  let heard = '';
  // Leaving the loop breaks the connection off.
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
    heard += chunk;
    if (heard.includes('Confirmed')) break;
  }
  await changes;
  const events = heard.split('\n').flatMap((line) => (line.startsWith('data: ') ? [line.slice(6)] : []));
  expect(events.map((data) => (JSON.parse(data) as { type: string }).type)).toEqual(['Applied', 'Confirmed']);
});

/** What a route must be asked. */
const questions: Readonly<Record<string, string>> = { '/v1/trace': '?from=198.51.100.1&to=203.0.113.10:80/tcp' };

/** What a single gateway without tunnels has nothing to tell of. */
const ofOthers = ['/v1/failover', '/v1/vpn/{name}/peer-config'];

describe('every route', () => {
  it('that is read answers as OpenAPI says', async () => {
    for (const { method, path, answer, answerType, streams } of ROUTES.filter((route) => route.method === 'GET')) {
      if (streams || ofOthers.includes(path)) continue;
      const asked = path.replace('{kind}', 'ElasticIP').replace('{name}', 'web');
      const reply = await call(method, `${asked}${questions[path] ?? ''}`);
      expect({ path, status: reply.status }).toEqual({ path, status: 200 });
      const judged = answer().safeParse(answerType === undefined ? JSON.parse(reply.text) : reply.text);
      expect({ path, error: judged.error?.message }).toEqual({ path, error: undefined });
    }
  });

  it('is in /openapi.json, which is the page of the reference', async () => {
    const page = readFileSync(new URL('../../docs/reference/openapi.json', import.meta.url), 'utf8');
    expect(json(await call('GET', '/openapi.json'))).toEqual(JSON.parse(page));
    const { paths } = JSON.parse(page) as { paths: Record<string, object> };
    expect(Object.keys(paths)).toEqual([...new Set(ROUTES.map(({ path }) => path))]);
  });
});

it('a folder leaves a line of audit for each change, and takes documents from nobody else', async () => {
  const red = topology.tenant('red');
  const documents = [gateway(red)];
  const ofFolder = await Supervisor.start(red.gateway, { documents });
  try {
    await ofFolder.apply([...documents, elasticIp('web', '203.0.113.40')]);
    await ofFolder.applyRefused('a: [');
    await ofFolder.apply(documents);
    const put = await requestOver(ofFolder.socketPath, 'PUT', WEB, rebound());
    expect(json(put)).toMatchObject({ code: 'NotWriter' });
    expect(
      json<AuditLine[]>(await ofFolder.get('/v1/audit')).map(({ action, who, code }) => [action, who.via, code]),
    ).toEqual([
      ['Folder', 'Folder', undefined],
      ['Folder', 'Folder', undefined],
      ['Folder', 'Folder', 'ConfigInvalid'],
      ['Folder', 'Folder', undefined],
      ['Put', 'Socket', 'NotWriter'],
    ]);
  } finally {
    await ofFolder.stop();
  }
});
