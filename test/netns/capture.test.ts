import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AuditLine } from '../../gateway/reconcile/audit.js';
import { runCommand } from '../support/command.js';
import { dnatRule, elasticIp, gateway, snatRule } from '../support/documents.js';
import { ports, serve, useGatewayLab } from '../support/gateway-lab.js';
import { overTcp, overUdp } from '../support/reach.js';
import { currentRun } from '../support/run-name.js';

// Both sides of an elastic IP in one file, read back by tcpdump itself.

const program = fileURLToPath(new URL('../../dist/vpcgw.js', import.meta.url));
const client = '198.51.100.1';

describe('capture', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web', 'app', 'other'] }],
    documents: (tenant) => [
      gateway(tenant),
      elasticIp('web', '203.0.113.10', { target: '10.0.0.5' }),
      elasticIp('nat', '203.0.113.20'),
      snatRule('app', ['10.0.0.6/32'], ['nat']),
      dnatRule('tcp', { elasticIP: 'nat', protocol: 'TCP', port: 8080, target: '10.0.0.6', targetPort: ports.tcp }),
      elasticIp('other', '203.0.113.30', { target: '10.0.0.7' }),
    ],
  });
  beforeAll(() => serve(lab.topology.inet, ...['web', 'app', 'other'].map((name) => lab.tenant.vm(name))));

  /** Runs the command beside `traffic`, and ends it with it; the packets as tcpdump prints them. */
  async function captured(
    args: readonly string[],
    traffic: () => Promise<unknown>,
  ): Promise<{ lines: string[]; file: string }> {
    const file = join(currentRun().directory, `capture-${Math.random().toString(36).slice(2)}.pcapng`);
    const before = (await audits()).length;
    const argv = [program, 'capture', 'eip', ...args, '-w', file, '--socket', lab.supervisor().socketPath];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    const ended = once(child, 'close');
    // It is audited when both sides are captured.
    await expect.poll(async () => (await audits()).length, { timeout: 20_000 }).toBeGreaterThan(before);
    await traffic();
    const [code] = (await ended) as [number];
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const { stdout } = await runCommand(['tcpdump', '-n', '-r', file]);
    return { lines: stdout.trim().split('\n'), file };
  }
  const audits = async (): Promise<AuditLine[]> =>
    (JSON.parse((await lab.supervisor().get('/v1/audit?limit=1000')).text) as AuditLine[]).filter(
      ({ action }) => action === 'Capture',
    );

  it('holds a connection on both sides, in order, and no other’s', async () => {
    const { lines, file } = await captured(['web', '--seconds', '3'], async () => {
      const inet = await lab.inet();
      expect(await overTcp(inet, { to: '203.0.113.10', from: client })).toMatchObject({ server: 'blue-web' });
      expect(await overTcp(inet, { to: '203.0.113.30', from: client })).toMatchObject({ server: 'blue-other' });
    });
    const openings = lines.filter((line) => line.includes('Flags [S],')).map((line) => / > (\S+):/.exec(line)?.[1]);
    expect(openings).toEqual(['203.0.113.10.80', '10.0.0.5.80']);
    expect(lines.join('\n')).not.toContain('203.0.113.30');
    const times = lines.map((line) => line.slice(0, 15));
    expect(times).toEqual([...times].sort());
    // The greeting tells who answered: not a byte of it is in a file of headers.
    const bytes = readFileSync(file);
    expect(bytes.includes('vg-ext0') && bytes.includes('vg-vpc0')).toBe(true);
    expect(bytes.includes('blue-web')).toBe(false);
    expect((await audits()).at(-1)).toMatchObject({ result: 'Done', subject: 'ElasticIP/web (headers)' });
  });

  it('of a shared address holds its targets and sources; with payload what they say; only what the filter takes', async () => {
    const { lines, file } = await captured(['nat', '--seconds', '3', '--payload', '--filter', 'tcp'], async () => {
      expect(await overTcp(await lab.inet(), { to: '203.0.113.20', port: 8080, from: client })).toHaveProperty(
        'server',
      );
      expect(await overTcp(await lab.vm('app'), { to: client })).toEqual({ server: 'inet', client: '203.0.113.20' });
      expect(await overUdp(await lab.vm('app'), { to: client })).toHaveProperty('server');
    });
    const text = lines.join('\n');
    for (const way of [`${client}.80: Flags [S]`, '203.0.113.20.8080: Flags [S]', '10.0.0.6.80: Flags [S]'])
      expect(text).toContain(way);
    expect(text).not.toContain('UDP');
    expect(readFileSync(file).includes('blue-app')).toBe(true);
    expect((await audits()).at(-1)).toMatchObject({ subject: 'ElasticIP/nat (with payload) tcp' });
  });

  it('ends when it is full, before its time', async () => {
    const { file } = await captured(['web', '--seconds', '120', '--max', '2k'], async () => {
      await (await lab.inet()).transfer({ to: '203.0.113.10', port: ports.tcp, bytes: 500_000 });
    });
    expect(readFileSync(file).length).toBeLessThanOrEqual(2_000);
    expect(readFileSync(file).length).toBeGreaterThan(1_000);
  });

  it('refuses what is no filter, no elastic IP or too much', async () => {
    const refused = async (body: object): Promise<object> => {
      const { status, text } = await lab.supervisor().post('/v1/capture', body);
      const { detail } = JSON.parse(text) as { detail: string };
      return { status, detail };
    };
    // Beside ours this would be one that takes everything.
    for (const filter of ['tcp) or (udp', 'nonsense', '-w /tmp/x'])
      expect(await refused({ elasticIP: 'web', filter })).toEqual({
        status: 400,
        detail: expect.stringMatching(/^filter .*tcpdump's language/) as string,
      });
    expect(await refused({ elasticIP: 'nobody' })).toEqual({ status: 404, detail: 'there is no ElasticIP/nobody' });
    expect(await refused({ elasticIP: 'web', seconds: 100_000 })).toMatchObject({ status: 400 });
  });

  it('ends with its reader, and with the supervisor', async () => {
    const begin = async () => {
      const body = JSON.stringify({ elasticIP: 'web', seconds: 600 });
      const headers = { 'content-type': 'application/json', 'content-length': body.length };
      const call = request({ socketPath: lab.supervisor().socketPath, method: 'POST', path: '/v1/capture', headers });
      call.on('error', () => undefined);
      call.end(body);
      const [response] = (await once(call, 'response')) as [NodeJS.ReadableStream];
      response.on('error', () => undefined).resume();
      await expect.poll(tcpdumps, { timeout: 20_000 }).toBe(2);
      return call;
    };
    const tcpdumps = async (): Promise<number> => {
      const { stdout } = await runCommand(['ip', 'netns', 'pids', lab.tenant.gateway.name]);
      if (stdout.trim() === '') return 0;
      const commands = await runCommand(['ps', '-o', 'comm=', '-p', stdout.trim().split('\n').join(',')]);
      return commands.stdout.split('\n').filter((command) => command === 'tcpdump').length;
    };
    (await begin()).destroy();
    await expect.poll(tcpdumps, { timeout: 20_000 }).toBe(0);
    await begin();
    await lab.supervisor().kill9();
    await expect.poll(tcpdumps, { timeout: 20_000 }).toBe(0);
    await lab.supervisor().restart();
  });
});
