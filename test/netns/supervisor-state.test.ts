import { execFileSync } from 'node:child_process';
import { readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { GatewayStatus } from '../../gateway/reconcile/status.js';
import { type Document, elasticIp, gateway } from '../support/documents.js';
import { kernelPicture } from '../support/kernel-picture.js';
import { overTcp } from '../support/reach.js';
import { serve } from '../support/gateway-lab.js';
import { pace } from '../support/pace.js';
import { showLogsOfFailures } from '../support/show-logs.js';
import { Supervisor, type SupervisorOptions } from '../support/supervisor.js';
import { type Tenant, Topology } from '../support/topology.js';

// What a supervisor does when something is wrong around it: its folder, its disk, its interfaces, its kernel.

let topology: Topology;
let blue: Tenant;
let supervisor: Supervisor;
showLogsOfFailures(() => [supervisor]);

beforeAll(async () => {
  topology = await Topology.build({ tenants: [{ name: 'blue', vms: ['web'] }] });
  blue = topology.tenant('blue');
  await serve(topology.inet, blue.vm('web'));
});
afterEach(() => supervisor.stop());
afterAll(() => topology?.destroy());

const web = (target = '10.0.0.5'): Document => elasticIp('web', '203.0.113.10', { target });
const base = (): Document[] => [gateway(blue), web()];
const textOf = (documents: readonly Document[]): string => documents.map((each) => stringify(each)).join('---\n');
const start = async (options: SupervisorOptions = {}): Promise<void> => {
  supervisor = await Supervisor.start(blue.gateway, { documents: base(), ...options });
};
/** So many documents, and all of them in the kernel: they are listed before they are there. */
const holdsObjects =
  (count: number) =>
  ({ objects }: GatewayStatus): boolean =>
    objects.length === count && objects.every(({ conditions }) => conditions.every(({ status }) => status === 'True'));
const status = async (): Promise<GatewayStatus> => (await supervisor.status()) as unknown as GatewayStatus;
const statusWhen = async (holds: (status: GatewayStatus) => boolean, timeoutMs?: number): Promise<GatewayStatus> =>
  (await supervisor.statusWhen((now) => holds(now as unknown as GatewayStatus), timeoutMs)) as unknown as GatewayStatus;
const picture = (): Promise<string> => kernelPicture(blue.gateway);
const condition = (of: GatewayStatus, type: string): { status: string; message: string } | undefined =>
  of.conditions.find((candidate) => candidate.type === type);
const forwards = async (): Promise<unknown> =>
  overTcp(await topology.inet.agent(), { to: '203.0.113.10' }).then((reached) =>
    'server' in reached ? reached.server : reached,
  );

describe('a folder', () => {
  it('is taken all or nothing: one bad file and nothing changes', async () => {
    await start();
    const kernel = await picture();
    const put = (name: string, text: string): void => writeFileSync(join(supervisor.configDirectory, name), text);
    put('more.yaml', `# a comment\n${textOf([elasticIp('more', '203.0.113.30', { target: '10.0.0.30' })])}`);
    await statusWhen(holdsObjects(3));
    const withMore = await picture();
    expect(withMore).not.toBe(kernel);

    put(
      'more.yaml',
      `# a comment\n${textOf([elasticIp('more', '203.0.113.30', { target: '10.0.0.31' }), elasticIp('other', '203.0.113.10')])}`,
    );
    put('zoo.yaml', 'kind: [\n');
    const refused = await statusWhen(({ diagnostics }) => diagnostics.length >= 2);
    const said = refused.diagnostics.map(({ position: { file, line, column }, message }) =>
      `${file}:${line}:${column} ${message}`.replaceAll(`${supervisor.configDirectory}/`, ''),
    );
    expect(said).toEqual([
      'more.yaml:16:12 203.0.113.10 is the address of ElasticIP/web (documents.yaml:22) too',
      'zoo.yaml:2:1 not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ]);
    expect(condition(refused, 'DocumentsAccepted')).toMatchObject({
      status: 'False',
      message: '2 problems in the documents',
    });
    expect(refused.ready).toBe(true);
    expect(await picture()).toBe(withMore);

    unlinkSync(join(supervisor.configDirectory, 'zoo.yaml'));
    unlinkSync(join(supervisor.configDirectory, 'more.yaml'));
    const good = await statusWhen(({ diagnostics }) => diagnostics.length === 0);
    expect(condition(good, 'DocumentsAccepted')?.status).toBe('True');
    expect(await picture()).toBe(kernel);
  });

  it('that is emptied, or gone, changes nothing', async () => {
    await start();
    const kernel = await picture();
    const file = join(supervisor.configDirectory, 'documents.yaml');
    const text = readFileSync(file, 'utf8');
    unlinkSync(file);
    const empty = await statusWhen((now) => condition(now, 'DocumentsAccepted')?.status === 'False');
    expect(condition(empty, 'DocumentsAccepted')?.message).toMatch(/^there are no documents/);
    expect([await picture(), await forwards()]).toEqual([kernel, 'blue-web']);
    writeFileSync(file, text);
    await statusWhen((now) => condition(now, 'DocumentsAccepted')?.status === 'True');
  });

  it('that is bad at the start leaves the last good documents in force', async () => {
    await start();
    const kernel = await picture();
    await supervisor.kill9();
    writeFileSync(join(supervisor.configDirectory, 'zoo.yaml'), 'a: b: c');
    await supervisor.restart();
    const now = await status();
    expect(now).toMatchObject({ ready: true, diagnostics: [{ position: { line: 1, column: 4 } }] });
    expect([await picture(), await forwards()]).toEqual([kernel, 'blue-web']);
  });
});

describe('the journal', () => {
  const path = (): string => join(supervisor.stateDirectory, 'journal.jsonl');
  const damages: readonly [string, () => void][] = [
    ['torn', () => truncateSync(path(), readFileSync(path()).length - 7)],
    ['corrupt', () => writeFileSync(path(), readFileSync(path(), 'utf8').replace('203.0.113', '203.0.114'))],
    ['garbage', () => writeFileSync(path(), Buffer.alloc(5_000, 0xfe))],
    ['empty', () => writeFileSync(path(), '')],
    ['gone', () => unlinkSync(path())],
  ];

  it.each(damages)('%s at the restart is survived', async (name, damage) => {
    await start();
    const kernel = await picture();
    await supervisor.kill9();
    damage();
    await supervisor.restart();
    expect([await picture(), await forwards()]).toEqual([kernel, 'blue-web']);
    const persisted = condition(await status(), 'StatePersisted');
    if (name === 'gone' || name === 'empty') expect(persisted?.status).toBe('True');
    else
      expect(persisted).toMatchObject({
        status: 'False',
        message: expect.stringMatching(/^journal cut at byte \d+/) as string,
      });
    await supervisor.apply([gateway(blue), web('10.0.0.6')]);
    await supervisor.restart();
    expect((await status()).objects).toHaveLength(2);
  });

  it('of API documents goes back to what can be read', async () => {
    supervisor = Supervisor.launch(blue.gateway, { source: 'api' });
    await statusWhen(() => true);
    const apply = (documents: readonly Document[]) =>
      supervisor.post('/v1/apply', { files: [{ file: 'x', text: textOf(documents) }] });
    expect((await apply(base())).status).toBe(200);
    const kernel = await picture();
    expect((await apply([elasticIp('late', '203.0.113.44')])).status).toBe(200);
    await supervisor.kill9();
    truncateSync(path(), readFileSync(path()).length - 20);
    await supervisor.restart();
    expect(await picture()).toBe(kernel);
    expect(condition(await status(), 'StatePersisted')?.status).toBe('False');
    expect((await apply([elasticIp('late', '203.0.113.44')])).status).toBe(200);
    await supervisor.restart();
    expect((await status()).objects).toHaveLength(3);
  });
});

describe('a disk', () => {
  let mounted: string | undefined;
  afterEach(async () => {
    await supervisor.stop();
    if (mounted !== undefined) execFileSync('umount', [mounted]);
    mounted = undefined;
  });
  const mount = (size: string): string => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'vpcgw-test', supervisor.stateDirectory]);
    return (mounted = supervisor.stateDirectory);
  };
  const remount = (how: 'ro' | 'rw'): void => void execFileSync('mount', ['-o', `remount,${how}`, mounted ?? '']);

  it('that is read-only is reported, and forwarding and edits of the folder go on', async () => {
    await start();
    mount('1m');
    await supervisor.restart();
    remount('ro');
    await supervisor.apply([gateway(blue), web('10.0.0.6')]);
    const bad = await status();
    expect(bad.ready).toBe(true);
    expect(condition(bad, 'StatePersisted')).toMatchObject({
      status: 'False',
      message: expect.stringContaining('EROFS') as string,
    });
    await supervisor.restart();
    await supervisor.apply(base());
    expect(await forwards()).toBe('blue-web');
    remount('rw');
    await supervisor.apply([gateway(blue), web(), elasticIp('more', '203.0.113.30')]);
    expect(condition(await status(), 'StatePersisted')?.status).toBe('True');
  });

  it('that is full is reported, and forwarding and edits of the folder go on', async () => {
    await start();
    const fill = join(mount('256k'), 'fill');
    await supervisor.restart();
    try {
      writeFileSync(fill, Buffer.alloc(1 << 20));
    } catch {
      // Full, as it should be.
    }
    const big = elasticIp('big', '203.0.113.31', { target: '10.0.0.31' });
    await supervisor.apply([
      gateway(blue),
      web(),
      { ...big, metadata: { name: 'big', annotations: { note: 'x'.repeat(9_000) } } },
    ]);
    expect(condition(await status(), 'StatePersisted')).toMatchObject({
      status: 'False',
      message: expect.stringContaining('ENOSPC') as string,
    });
    expect(await forwards()).toBe('blue-web');
    unlinkSync(fill);
    await supervisor.apply(base());
    expect(condition(await status(), 'StatePersisted')?.status).toBe('True');
  });

  it('that is full refuses what comes by the API, with 507, and changes nothing', async () => {
    supervisor = Supervisor.launch(blue.gateway, { source: 'api' });
    await statusWhen(() => true);
    await supervisor.stop();
    mount('64k');
    supervisor.relaunch();
    await statusWhen(() => true);
    const apply = (documents: readonly object[]) =>
      supervisor.post('/v1/apply', { files: [{ file: 'x', text: textOf(documents as Document[]) }] });
    expect((await apply(base())).status).toBe(200);
    const kernel = await picture();
    const big = {
      ...elasticIp('big', '203.0.113.31'),
      metadata: { name: 'big', annotations: { note: 'x'.repeat(65_000) } },
    };
    const { status: code, text } = await apply([big]);
    expect([code, (JSON.parse(text) as { code: string }).code]).toEqual([507, 'StateUnwritable']);
    expect(await picture()).toBe(kernel);
    expect((await status()).objects).toHaveLength(2);
    expect((await apply([elasticIp('small', '203.0.113.32')])).status).toBe(200);
  });
});

const processes = (): string[] =>
  execFileSync('ip', ['netns', 'pids', blue.gateway.name], { encoding: 'utf8' }).trim().split('\n');

describe('the start', () => {
  it('that is told to end does so, and leaves no process behind', async () => {
    // Some that killed supervisors left may be there, and may end meanwhile.
    const before = new Set(processes());
    supervisor = Supervisor.launch(blue.gateway, { documents: textOf(base()) });
    // It answers before the kernel was looked at.
    expect((await supervisor.statusWhen(() => true)).ready).toBe(false);
    await supervisor.stop();
    expect(processes().filter((process) => !before.has(process))).toEqual([]);
  });
});

describe('an interface', () => {
  it('that is missing is a condition, not a crash, and all is right soon after it appears', async () => {
    const late = textOf(base()).replace('interface: ext0', 'interface: late0');
    supervisor = Supervisor.launch(blue.gateway, { documents: late });
    const absent = 'interface late0 does not exist here; the platform has to attach it';
    await statusWhen((now) => condition(now, 'Programmed')?.message === absent);
    expect((await supervisor.get('/readyz')).status).toBe(503);
    await sleep(4_000);
    const began = performance.now();
    await blue.gateway.ip(['link set ext0 down', 'link set ext0 name late0', 'link set late0 up']);
    try {
      await supervisor.ready(5_000 * pace);
      expect(performance.now() - began).toBeLessThan(2_500 * pace);
      expect(await forwards()).toBe('blue-web');
      // And again, while it is in force.
      await blue.gateway.ip(['link set late0 down', 'link set late0 name away0']);
      await sleep(1_000);
      await blue.gateway.ip(['link set away0 name late0', 'link set late0 up']);
      const again = performance.now();
      for (;;) {
        if ((await forwards()) === 'blue-web') break;
        expect(performance.now() - again).toBeLessThan(4_000 * pace);
      }
    } finally {
      await supervisor.stop();
      await blue.gateway.exec([
        'sh',
        '-c',
        'ip link set late0 name ext0 || ip link set away0 name ext0; ip link set ext0 up',
      ]);
    }
  });
});

describe('the kernel', () => {
  it('that refuses leaves the last good state, and names the document and its line', async () => {
    await start();
    // Somebody else's: IPv6 takes no second route to the same place.
    const foreign = 'local 2001:db8:e::30 dev lo table local proto static';
    await blue.gateway.exec(['ip', '-6', 'route', 'add', ...foreign.split(' ')]);
    try {
      const kernel = await picture();
      const clash = elasticIp('clash', '2001:db8:e::30', { announcement: 'Routed', target: 'fd00:a::30' });
      const text = textOf([gateway(blue), web('10.0.0.6'), clash]);
      const line = text.split('\n').indexOf('  name: clash') - 2 + 1;
      const refused = (await supervisor.applyRefused(text)) as unknown as GatewayStatus;
      expect(refused.diagnostics).toMatchObject([{ position: { line: line - 1 }, severity: 'Error' }]);
      expect(refused.diagnostics[0]?.message).toMatch(
        /^ElasticIP\/clash: the kernel refused "route append local 2001:db8:e::30/,
      );
      expect(await picture()).toBe(kernel);
      expect(await forwards()).toBe('blue-web');
      expect(refused.ready).toBe(true);
    } finally {
      await blue.gateway.exec(['ip', '-6', 'route', 'del', ...foreign.split(' ')]);
    }
    await statusWhen(holdsObjects(3), 35_000);
  });
});
