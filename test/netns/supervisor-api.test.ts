import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { dnatRule, type Document, elasticIp, gateway, smallGateway } from '../support/documents.js';
import { kernelPicture } from '../support/kernel-picture.js';
import { serve } from '../support/gateway-lab.js';
import { showLogsOfFailures } from '../support/show-logs.js';
import { Supervisor } from '../support/supervisor.js';
import type { GatewayStatus } from '../../gateway/reconcile/status.js';
import type { Agent, TcpConnection } from '../support/agent.js';
import { type Tenant, Topology } from '../support/topology.js';

// Documents that come over the API: applied, planned, confirmed, rolled back, also over a kill.

const asText = (documents: readonly Document[]): string => documents.map((each) => stringify(each)).join('---\n');

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

describe('documents over the API', () => {
  let topology: Topology;
  let blue: Tenant;
  let supervisor: Supervisor;
  let inet: Agent;
  showLogsOfFailures(() => [supervisor]);

  const base = (): Document[] => smallGateway(blue);
  const rebound = (): Document => elasticIp('web', '203.0.113.10', { target: '10.0.0.6' });

  async function post(path: string, body?: unknown): Promise<Answer> {
    const { status, text } = await supervisor.post(path, body ?? {});
    return { status, body: JSON.parse(text) as Record<string, unknown> };
  }
  const apply = (documents: readonly Document[], more: object = {}): Promise<Answer> =>
    post('/v1/apply', { files: [{ file: 'given.yaml', text: asText(documents) }], ...more });
  const plan = (documents: readonly Document[], more: object = {}): Promise<Answer> =>
    post('/v1/plan', { files: [{ file: 'given.yaml', text: asText(documents) }], ...more });
  const status = async (): Promise<GatewayStatus> =>
    JSON.parse((await supervisor.get('/v1/status')).text) as GatewayStatus;
  const statusWhen = async (holds: (status: GatewayStatus) => boolean, timeoutMs?: number): Promise<GatewayStatus> =>
    (await supervisor.statusWhen(
      (now) => holds(now as unknown as GatewayStatus),
      timeoutMs,
    )) as unknown as GatewayStatus;
  const picture = (): Promise<string> => kernelPicture(blue.gateway);
  const whoAnswers = async (): Promise<string> => {
    const connection = await inet.tcpConnect({ to: '203.0.113.10', port: 80 });
    await connection.close({ reset: true });
    return connection.greeting.server;
  };

  beforeAll(async () => {
    topology = await Topology.build({ tenants: [{ name: 'blue', vms: ['web', 'app'] }] });
    blue = topology.tenant('blue');
    await serve(topology.inet, blue.vm('web'), blue.vm('app'));
    inet = await topology.inet.agent();
    supervisor = Supervisor.launch(blue.gateway, { source: 'api' });
    await supervisor.statusWhen(() => true);
    expect(await apply(base())).toMatchObject({ status: 200, body: { revision: 1 } });
  });
  afterAll(async () => {
    await supervisor?.stop();
    topology?.destroy();
  });
  beforeEach(async () => {
    const { pendingConfirm } = await status();
    if (pendingConfirm) await post('/v1/confirm');
    expect(await apply(base(), { prune: true })).toMatchObject({ status: 200 });
  });

  it('are ready once the kernel was verified, and not before', async () => {
    expect((await supervisor.get('/readyz')).status).toBe(200);
    expect((await status()).objects.map(({ name }) => name).sort()).toEqual(['all', 'blue', 'nat', 'web']);
    expect(await whoAnswers()).toBe('blue-web');
  });

  it('add to what is there, and take away only with prune', async () => {
    const { revision } = await status();
    const added = await apply([elasticIp('more', '203.0.113.30')]);
    expect(added).toMatchObject({ status: 200, body: { revision: revision + 1, changed: ['ElasticIP/more'] } });
    expect((await status()).objects).toHaveLength(5);
    const pruned = await apply(base(), { prune: true });
    expect(pruned).toMatchObject({ status: 200, body: { revision: revision + 2, changed: ['ElasticIP/more'] } });
    expect((await status()).objects).toHaveLength(4);
    expect(await apply(base())).toMatchObject({ status: 200, body: { revision: revision + 2, changed: [] } });
  });

  it('are refused whole, with every problem, and change nothing', async () => {
    const [before, kernel] = [await status(), await picture()];
    const answer = await apply([elasticIp('good', '203.0.113.31'), elasticIp('bad', '203.0.113.10'), rebound()]);
    expect(answer).toMatchObject({
      status: 422,
      body: {
        code: 'ConfigInvalid',
        diagnostics: [{ position: { file: 'given.yaml', line: 20, column: 12 }, path: 'spec.address' }],
      },
    });
    expect(await picture()).toBe(kernel);
    expect((await status()).revision).toBe(before.revision);
    expect((await post('/v1/apply', { files: [{ file: 'x', text: 'a: [' }] })).status).toBe(422);
    expect((await post('/v1/apply', { nonsense: true })).status).toBe(400);
    expect((await post('/v1/nowhere')).status).toBe(404);
  });

  it('are planned: what changes, and exactly the connections that are then cut', async () => {
    const vm = await blue.vm('app').agent();
    const held: Record<string, TcpConnection> = {
      'in by web': await inet.tcpConnect({ to: '203.0.113.10', port: 80, from: '198.51.100.1' }),
      'out by nat': await vm.tcpConnect({ to: '198.51.100.1', port: 80 }),
      'out by web': await (await blue.vm('web').agent()).tcpConnect({ to: '198.51.100.1', port: 80 }),
    };
    const kernel = await picture();
    const { body } = await plan([rebound()]);
    const cut = body['cut'] as { flow: { original: { source: string; destinationPort: number } }; reason: string }[];
    expect(body['put']).toEqual(['ElasticIP/web']);
    expect(cut.map(({ flow, reason }) => `${flow.original.source} ${reason}`).sort()).toEqual([
      '10.0.0.5 10.0.0.5 may no longer leave by 203.0.113.10',
      '198.51.100.1 203.0.113.10 now leads to 10.0.0.6',
    ]);
    expect(await picture(), 'a plan changes nothing').toBe(kernel);
    const subsystems = (body['steps'] as { subsystem: string }[]).map(({ subsystem }) => subsystem);
    expect([...new Set(subsystems)].sort()).toEqual(['iptables4', 'sets']);

    expect(await apply([rebound()])).toMatchObject({ status: 200, body: { cut: cut.length } });
    const alive = await Promise.all(
      Object.entries(held).map(async ([name, connection]) => [name, await connection.isAlive(500)]),
    );
    expect(Object.fromEntries(alive)).toEqual({ 'in by web': false, 'out by nat': true, 'out by web': false });
    expect(await whoAnswers()).toBe('blue-app');
    expect((await plan([rebound()])).body).toMatchObject({ put: [], remove: [], steps: [], cut: [] });
  });

  describe('with a confirmation', () => {
    it('go back by themselves, and the kernel too', async () => {
      const kernel = await picture();
      const { body } = await apply([rebound()], { confirmWithinMs: 1_500 });
      const began = performance.now();
      expect((await status()).pendingConfirm?.revision).toBe(body['revision']);
      expect(await whoAnswers()).toBe('blue-app');
      await statusWhen(({ pendingConfirm }) => pendingConfirm === undefined, 6_000);
      expect(performance.now() - began).toBeGreaterThan(1_000);
      expect(await picture()).toBe(kernel);
      expect(await whoAnswers()).toBe('blue-web');
    });

    it('stay when they are confirmed', async () => {
      await apply([rebound()], { confirmWithinMs: 1_500 });
      expect(await post('/v1/confirm')).toMatchObject({ status: 200 });
      await sleep(2_000);
      expect(await whoAnswers()).toBe('blue-app');
      expect(await post('/v1/confirm')).toMatchObject({ status: 409, body: { code: 'NothingToConfirm' } });
    });

    it('let nothing else in, but a rollback', async () => {
      const kernel = await picture();
      await apply([rebound()], { confirmWithinMs: 60_000 });
      expect(await apply([elasticIp('more', '203.0.113.30')])).toMatchObject({
        status: 409,
        body: { code: 'ConfirmPending', retryable: true },
      });
      expect(await post('/v1/rollback')).toMatchObject({ status: 200 });
      expect(await picture()).toBe(kernel);
      expect((await status()).pendingConfirm).toBeUndefined();
    });

    it('go back also when the supervisor was killed, and started again after the deadline', async () => {
      const kernel = await picture();
      await apply([rebound()], { confirmWithinMs: 1_000 });
      await supervisor.kill9();
      await sleep(1_500);
      await supervisor.restart();
      await statusWhen(({ pendingConfirm }) => pendingConfirm === undefined, 5_000);
      expect(await picture()).toBe(kernel);
      expect(await whoAnswers()).toBe('blue-web');
    });

    it('wait on when the supervisor was killed, and started again before the deadline', async () => {
      const kernel = await picture();
      await apply([rebound()], { confirmWithinMs: 4_000 });
      await supervisor.kill9();
      await supervisor.restart();
      expect((await status()).pendingConfirm).toBeDefined();
      expect(await whoAnswers()).toBe('blue-app');
      await statusWhen(({ pendingConfirm }) => pendingConfirm === undefined, 8_000);
      expect(await picture()).toBe(kernel);
      await apply([rebound()], { confirmWithinMs: 4_000 });
      await supervisor.kill9();
      await supervisor.restart();
      await post('/v1/confirm');
      await supervisor.restart();
      expect((await status()).pendingConfirm).toBeUndefined();
      expect(await whoAnswers()).toBe('blue-app');
    });

    it('of the first documents of all leave nothing to go back to, and say so', async () => {
      const history = JSON.parse((await supervisor.get('/v1/history')).text) as { revision: number; state: string }[];
      expect(history.filter(({ state }) => state === 'Current')).toHaveLength(1);
    });
  });

  describe('of earlier revisions', () => {
    const history = async (): Promise<
      { revision: number; by: string; put: string[]; remove: string[]; state: string }[]
    > => JSON.parse((await supervisor.get('/v1/history')).text) as [];

    it('are listed and gone back to', async () => {
      const { revision } = await status();
      const kernel = await picture();
      await apply([rebound()], { by: 'somebody' });
      await apply([elasticIp('more', '203.0.113.30')]);
      expect((await history()).slice(-2)).toMatchObject([
        { revision: revision + 1, by: 'somebody', put: ['ElasticIP/web'], state: 'Superseded' },
        { revision: revision + 2, put: ['ElasticIP/more'], state: 'Current' },
      ]);
      expect(await post('/v1/rollback', { to: revision })).toMatchObject({
        status: 200,
        body: { revision: revision + 3, changed: ['ElasticIP/web', 'ElasticIP/more'] },
      });
      expect(await picture()).toBe(kernel);
      expect(await post('/v1/rollback')).toMatchObject({ status: 200, body: { revision: revision + 4 } });
      expect((await status()).objects).toHaveLength(5);
      expect(await post('/v1/rollback', { to: 9_999 })).toMatchObject({
        status: 404,
        body: { code: 'UnknownRevision' },
      });
      expect(await post('/v1/rollback', { to: 'x' })).toMatchObject({ status: 400 });
    });

    it('survive restarts, and what is exported is what was given', async () => {
      await apply([
        dnatRule('ssh', { elasticIP: 'nat', protocol: 'TCP', port: 2200, target: '10.0.0.6', targetPort: 22 }),
      ]);
      const [before, kernel, list] = [await status(), await picture(), await history()];
      const exported = (await supervisor.get('/v1/documents')).text;
      await supervisor.kill9();
      await supervisor.restart();
      expect((await status()).revision).toBe(before.revision);
      expect(await history()).toEqual(list);
      expect(await picture()).toBe(kernel);
      expect((await supervisor.get('/v1/documents')).text).toBe(exported);
      const texts = (JSON.parse(exported) as { text: string }[]).map(({ text }) => text).join('---\n');
      expect(await post('/v1/apply', { files: [{ file: 'back', text: texts }], prune: true })).toMatchObject({
        status: 200,
        body: { changed: [] },
      });
    });
  });

  it('that come at the same time are taken one after the other', async () => {
    const { revision } = await status();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => apply([elasticIp(`many${i}`, `203.0.113.${40 + i}`)])),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(answers.map(({ body }) => body['revision'])).toEqual(Array.from({ length: 8 }, (_, i) => revision + 1 + i));
    expect((await status()).objects).toHaveLength(12);
  });
});

describe('a folder as the source', () => {
  it('answers 409 to the other ways in, with where to edit', async () => {
    const topology = await Topology.build({ tenants: [{ name: 'blue', vms: [] }] });
    const blue = topology.tenant('blue');
    const supervisor = await Supervisor.start(blue.gateway, { documents: [gateway(blue)] });
    try {
      for (const path of ['/v1/apply', '/v1/rollback', '/v1/confirm']) {
        const { status, text } = await supervisor.post(
          path,
          path === '/v1/apply' ? { files: [{ file: 'x', text: '' }] } : {},
        );
        const { code, detail } = JSON.parse(text) as { code: string; detail: string };
        expect({ path, status, code }).toEqual({
          path,
          status: 409,
          code: path === '/v1/confirm' ? 'NothingToConfirm' : 'NotWriter',
        });
        if (code === 'NotWriter') expect(detail).toContain(supervisor.configDirectory);
      }
    } finally {
      await supervisor.stop();
      topology.destroy();
    }
  });
});
