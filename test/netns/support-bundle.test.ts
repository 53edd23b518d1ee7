import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { smallGateway } from '../support/documents.js';
import { currentRun } from '../support/run-name.js';
import { showLogsOfFailures } from '../support/show-logs.js';
import { Supervisor } from '../support/supervisor.js';
import { Topology } from '../support/topology.js';

// One file for somebody far away: what is in it, and that nothing secret is.

const program = fileURLToPath(new URL('../../dist/vpcgw.js', import.meta.url));
const SEEDED = 'hunter2hunter2hunter2';

describe('support-bundle', () => {
  let topology: Topology;
  let supervisor: Supervisor;
  showLogsOfFailures(() => [supervisor]);

  beforeAll(async () => {
    topology = await Topology.build({ tenants: [{ name: 'blue', vms: ['web'] }] });
    const blue = topology.tenant('blue');
    const tokens = join(mkdtempSync(join(currentRun().directory, 'tokens-')), 'tokens.yaml');
    // Not a digest of anything: it must not be found whatever it is.
    const sha256 = 'deadbeef'.repeat(8);
    writeFileSync(tokens, `- {name: ${SEEDED}, role: viewer, sha256: ${sha256}}\n`, { mode: 0o600 });
    const documents = smallGateway(blue).map((each) => stringify(each));
    supervisor = await Supervisor.start(blue.gateway, {
      documents: [`# the admin's password: ${SEEDED}`, ...documents].join('\n---\n').replace('\n---\n', '\n'),
      args: ['--listen', '127.0.0.1:9100', '--tokens', tokens],
      env: { VPCGW_TOKEN: SEEDED, ANY_SECRET: SEEDED, HARMLESS: SEEDED },
    });
  });
  afterAll(async () => {
    await supervisor?.stop();
    topology?.destroy();
  });

  it('holds what is known, says what is in it, and no secret', async () => {
    const folder = mkdtempSync(join(currentRun().directory, 'bundle-'));
    const file = join(folder, 'bundle.tar.gz');
    const args = [program, 'support-bundle', '--socket', supervisor.socketPath, '-o', file];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringMatching(/^\d+ bytes in /) as string });
    expect(spawnSync('tar', ['-xzf', file, '-C', folder]).status).toBe(0);
    const read = (name: string): string => readFileSync(join(folder, 'vpcgw-support', name), 'utf8');
    const manifest = JSON.parse(read('manifest.json')) as { file: string; bytes?: number; failed?: string }[];
    expect(manifest.filter(({ failed }) => failed !== undefined)).toEqual([]);
    for (const entry of manifest) expect(Buffer.byteLength(read(entry.file))).toBe(entry.bytes);
    expect(JSON.parse(read('status.json'))).toMatchObject({ ready: true, name: 'blue' });
    expect(read('documents.yaml')).toMatch(/password: "\[redacted\]"\n[^]*203\.0\.113\.10/);
    expect(read('kernel/iptables.txt')).toContain('VG-MARK');
    expect(read('kernel/nft.txt')).toContain('vpcgw_guard');
    expect(read('metrics.txt')).toContain('vpcgw_ready 1');
    for (const entry of manifest) {
      const text = read(entry.file);
      for (const secret of [SEEDED, 'deadbeef'.repeat(8)])
        expect({ entry, found: text.includes(secret) }).toEqual({ entry, found: false });
    }
    const audit = JSON.parse((await supervisor.get('/v1/audit?limit=1')).text) as object[];
    expect(audit.at(-1)).toMatchObject({ action: 'SupportBundle', result: 'Done' });
  });

  it('is made one at a time', async () => {
    const once = () => supervisor.post('/v1/support-bundle', {}).then(({ status }) => status);
    expect((await Promise.all([once(), once()])).sort()).toEqual([200, 503]);
    expect(await once()).toBe(200);
  });
});
