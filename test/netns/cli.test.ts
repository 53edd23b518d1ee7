import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { KINDS } from '../../gateway/api/kinds.js';
import { type Document, elasticIp, smallGateway } from '../support/documents.js';
import { serve } from '../support/gateway-lab.js';
import { currentRun } from '../support/run-name.js';
import { showLogsOfFailures } from '../support/show-logs.js';
import { Supervisor } from '../support/supervisor.js';
import { type Tenant, Topology } from '../support/topology.js';

// The command line as somebody types it: what it prints, in which form, and what it returns.

const program = fileURLToPath(new URL('../../dist/vpcgw.js', import.meta.url));

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}
function vpcgw(
  args: readonly string[],
  options: { input?: string; env?: NodeJS.ProcessEnv; prefix?: readonly string[] } = {},
): Result {
  const [command = '', ...rest] = [...(options.prefix ?? []), process.execPath, program, ...args];
  const { status, stdout, stderr } = spawnSync(command, rest, {
    encoding: 'utf8',
    input: options.input ?? '',
    timeout: 60_000,
    env: { ...process.env, ...options.env },
  });
  return { code: status, stdout, stderr };
}

describe('without a supervisor', () => {
  it('--help names every command and every exit code', () => {
    const { code, stdout } = vpcgw(['--help']);
    expect(code).toBe(0);
    const commands = [
      'run',
      'validate',
      'plan',
      'apply',
      'confirm',
      'rollback',
      'status',
      'history',
      'get',
      'delete',
      'events',
      'explain',
      'audit',
      'token',
      'export',
      'show',
      'trace',
      'top',
      'capture',
      'support-bundle',
      'preflight',
      'schema',
      'completion',
    ];
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    for (const exit of [0, 1, 2, 3, 4, 5, 70])
      expect(stdout.replace(/[^]*Exit codes:/, '')).toMatch(new RegExp(`\\b${exit}  `));
  });

  it('what is not an option or a command is an error of the caller', () => {
    for (const args of [
      ['nonsense'],
      ['status', '--nonsense'],
      ['show', 'everything'],
      ['explain', 'pod', 'web'],
      ['explain', 'eip'],
      ['status', '-o', 'xml'],
      ['apply'],
      ['completion', 'tcsh'],
    ]) {
      const { code, stdout, stderr } = vpcgw(args);
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
      expect(stderr).toContain('vpcgw --help');
    }
    expect(vpcgw(['apply', '--confirm-within', '60', '/dev/null'])).toMatchObject({ code: 2 });
    expect(vpcgw(['rollback', '--to', 'x'])).toMatchObject({ code: 2 });
    expect(vpcgw([]).code).toBe(2);
  });

  it('nobody at the socket is said, with 5', () => {
    for (const args of [['status'], ['history'], ['export'], ['show', 'nat'], ['confirm'], ['rollback']]) {
      const { code, stdout, stderr } = vpcgw([...args, '--socket', '/nowhere/vpcgw.sock']);
      expect({ args, code, stdout }).toEqual({ args, code: 5, stdout: '' });
      expect(stderr).toMatch(/^vpcgw: no supervisor answers at \/nowhere\/vpcgw\.sock .*--socket/);
    }
    expect(vpcgw(['status'], { env: { VPCGW_SOCKET: '/elsewhere.sock' } }).stderr).toContain('/elsewhere.sock');
  });

  it('validate says valid, or every problem, and takes files, folders and standard input', () => {
    const good = stringify({
      apiVersion: 'vpcgw.io/v1alpha1',
      kind: 'VpcGateway',
      metadata: { name: 'g' },
      spec: {
        internal: { interface: 'vpc0', addresses: ['10.0.0.1/24'] },
        externals: [{ name: 'internet', interface: 'ext0', addresses: ['100.64.0.11/24'], gateways: ['100.64.0.1'] }],
      },
    });
    const bad = `${good}---\napiVersion: vpcgw.io/v1alpha1\nkind: ElasticIP\nmetadata: {name: web}\nspec: {address: 010.0.0.1, colour: red}\n`;
    const folder = mkdtempSync(join(currentRun().directory, 'cli-'));
    writeFileSync(join(folder, 'a.yaml'), good);
    expect(vpcgw(['validate', folder])).toEqual({ code: 0, stdout: 'valid: 1 VpcGateway\n', stderr: '' });
    expect(vpcgw(['validate', join(folder, 'a.yaml')]).code).toBe(0);
    expect(vpcgw(['validate', '-'], { input: good }).code).toBe(0);
    expect(JSON.parse(vpcgw(['validate', folder, '--json']).stdout)).toEqual({
      valid: true,
      documents: { VpcGateway: 1 },
      warnings: [],
    });
    const refused = vpcgw(['validate', '-'], { input: bad });
    expect(refused.code).toBe(2);
    expect(refused.stdout).toBe('');
    expect(refused.stderr.trim().split('\n')).toEqual([
      expect.stringMatching(/^<stdin>:\d+:17: spec\.address: "010\.0\.0\.1" has a leading zero/),
      expect.stringMatching(/^<stdin>:\d+:28: spec\.colour: is not a field here/),
      'vpcgw: 2 problems in the documents',
    ]);
    expect(vpcgw(['validate', join(folder, 'absent.yaml')])).toMatchObject({ code: 2, stdout: '' });
  });

  it('completion scripts are scripts', () => {
    const bash = vpcgw(['completion', 'bash']);
    expect(bash.code).toBe(0);
    expect(spawnSync('bash', ['-n'], { input: bash.stdout, encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    });
    const complete = (words: readonly string[]): string[] => {
      const script = `${bash.stdout}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _vpcgw; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return spawnSync('bash', ['-c', script], { encoding: 'utf8', cwd: '/var/empty', input: '' })
        .stdout.trim()
        .split('\n');
    };
    expect(spawnSync('mkdir', ['-p', '/var/empty']).status).toBe(0);
    expect(complete(['vpcgw', 'sta'])).toContain('status');
    expect(complete(['vpcgw', 'apply', '--con'])).toEqual(['--confirm-within']);
    expect(complete(['vpcgw', 'show', 'p'])).toEqual(['ports']);
    for (const shell of ['zsh', 'fish'])
      expect(vpcgw(['completion', shell])).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('vpcgw') as string,
      });
  });

  it('schema is a JSON Schema of every kind', () => {
    const { code, stdout } = vpcgw(['schema']);
    expect(code).toBe(0);
    const schema = JSON.parse(stdout) as {
      $schema: string;
      oneOf: { title: string; properties: { kind: { const: string }; spec: object } }[];
    };
    expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
    expect(schema.oneOf.map(({ title }) => title)).toEqual(Object.keys(KINDS));
    for (const kind of schema.oneOf) expect(kind.properties.kind.const).toBe(kind.title);
    expect(stdout).not.toContain('undefined');
  });

  it('--source kubernetes says what to use instead', () => {
    expect(vpcgw(['run', '--source', 'kubernetes'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('folder') as string,
    });
  });
});

describe('with a supervisor', () => {
  let topology: Topology;
  let blue: Tenant;
  let supervisor: Supervisor;
  let folder: string;
  showLogsOfFailures(() => [supervisor]);

  const base = (): Document[] => smallGateway(blue);
  const file = (name: string, documents: readonly Document[]): string => {
    const path = join(folder, name);
    writeFileSync(path, documents.map((each) => stringify(each)).join('---\n'));
    return path;
  };
  const cli = (...args: string[]): Result => vpcgw([...args, '--socket', supervisor.socketPath]);
  /** A table's rows by the words of its head. */
  const rows = (text: string): string[][] =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/));

  beforeAll(async () => {
    topology = await Topology.build({ tenants: [{ name: 'blue', vms: ['web'] }] });
    blue = topology.tenant('blue');
    await serve(topology.inet, blue.vm('web'));
    folder = mkdtempSync(join(currentRun().directory, 'cli-'));
    supervisor = Supervisor.launch(blue.gateway, { source: 'api' });
    await supervisor.statusWhen(() => true);
  });
  afterAll(async () => {
    await supervisor?.stop();
    topology?.destroy();
  });

  it('plan, apply, plan again', () => {
    const path = file('base.yaml', base());
    const planned = cli('plan', path);
    expect(planned.code).toBe(0);
    expect(planned.stdout).toMatch(/^Documents\n( {2}\+ \w+\/\w+\n){4}Kernel\n/);
    expect(planned.stdout).toContain('Live connections that would be cut\n  none');
    const applied = cli('apply', path);
    expect(applied).toMatchObject({ code: 0, stderr: '' });
    expect(applied.stdout).toMatch(/^( {2}\w+\/\w+\n){4}revision 1 is in force and verified\n$/);
    expect(cli('plan', path).stdout).toBe(
      'Documents\n  no change\nKernel\n  no change\nLive connections that would be cut\n  none\n',
    );
    expect(cli('apply', path).stdout).toBe('no change; revision 1 is in force\n');
    expect(JSON.parse(cli('plan', path, '--json').stdout)).toMatchObject({ put: [], remove: [], steps: [], cut: [] });
    expect(parse(cli('plan', path, '-o', 'yaml').stdout)).toMatchObject({ put: [], steps: [] });
  });

  it('plan shows the connections that would be cut', async () => {
    const inet = await topology.inet.agent();
    const held = await inet.tcpConnect({ to: '203.0.113.10', port: 80, from: '198.51.100.7' });
    const { stdout } = cli('plan', file('rebind.yaml', [elasticIp('web', '203.0.113.10', { target: '10.0.0.6' })]));
    const [, ...table] = rows(stdout.replace(/[^]*Live connections that would be cut\n/, ''));
    expect(table).toContainEqual([
      'tcp',
      `198.51.100.7:${held.local.port}`,
      '203.0.113.10:80',
      '203.0.113.10 now leads to 10.0.0.6',
    ]);
    expect(stdout).toMatch(/^ {2}~ iptables4 +nat VG-D\S* prepare$/m);
    await held.close();
  });

  it('what is refused comes with its place, and 2', () => {
    const { code, stdout, stderr } = cli('apply', file('bad.yaml', [elasticIp('other', '203.0.113.10')]));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(
      /bad\.yaml:6:12: spec\.address: 203\.0\.113\.10 is the address of ElasticIP\/web .* too\nvpcgw: 1 problem in the documents\n$/,
    );
  });

  it('trace draws the walk of a packet, hop by hop', () => {
    const { code, stdout } = cli('trace', '--from', '198.51.100.7', '--to', '203.0.113.10:80/tcp');
    expect({ code, stdout }).toMatchObject({ code: 0 });
    expect(stdout).toContain('198.51.100.7 to 203.0.113.10:80/tcp  from external network internet\n');
    expect(stdout).toMatch(/^ {2}│ VG-D +to 10\.0\.0\.5:80 {2}ElasticIP\/web \(.*base\.yaml:\d+\)$/m);
    expect(stdout).toContain('delivered by vg-vpc0 to 10.0.0.5:80, which sees 198.51.100.7\n');
    const none = cli('trace', '--from', '198.51.100.7', '--to', '203.0.113.20:80/tcp', '--json');
    expect(JSON.parse(none.stdout)).toMatchObject({ outcome: { kind: 'Dropped', reason: 'NoRule' } });
  });

  it('trace says what is no packet, and with 1 that none came', () => {
    const trace = (from: string, to: string, ...more: string[]) => cli('trace', '--from', from, '--to', to, ...more);
    for (const [from, to, message] of [
      ['nobody', '203.0.113.10:80/tcp', 'from nobody: an IPv4 or IPv6 address, such as 10.0.0.5'],
      ['10.0.0.5', '203.0.113.10/tcp', 'to 203.0.113.10/tcp: tcp and udp have a port, icmp has none'],
      ['10.0.0.5', '203.0.113.10:80', 'to 203.0.113.10:80: such as 203.0.113.10:80/tcp'],
      ['10.0.0.5', '2001:db8::1/icmp', 'one is IPv4 and the other IPv6'],
    ] as const) {
      const refused = trace(from, to);
      expect({ ...refused, stderr: refused.stderr.includes(message) }).toEqual({ code: 2, stdout: '', stderr: true });
    }
    expect(trace('10.0.0.5', '203.0.113.10/icmp', '--enters', 'nowhere')).toMatchObject({
      code: 2,
      stderr: 'vpcgw: enters nowhere: one of VPC, internet\n',
    });
    const watched = trace('198.51.100.7', '203.0.113.10:4242/tcp', '--live', '--seconds', '1');
    expect(watched).toMatchObject({ code: 1, stderr: 'watching for such a packet, 1 s at most …\n' });
    expect(watched.stdout).toContain('no such packet opened a connection within 1 s\n');
    expect(cli('audit').stdout).toContain('198.51.100.7 to 203.0.113.10:4242/tcp');
  });

  it('apply with a confirmation, confirm, rollback and history', () => {
    const more = file('more.yaml', [elasticIp('more', '203.0.113.30')]);
    const pending = cli('apply', more, '--confirm-within', '60s');
    expect(pending.stdout).toMatch(
      /revision 2 is in force and verified\nrolls back in 60 s unless you run: vpcgw confirm\n$/,
    );
    expect(cli('status').stdout).toMatch(/revision 2 rolls back at \S+ unless confirmed/);
    expect(cli('apply', file('third.yaml', [elasticIp('third', '203.0.113.31')]))).toMatchObject({ code: 3 });
    expect(cli('confirm')).toMatchObject({ code: 0, stdout: 'revision 2 is confirmed\n' });
    expect(cli('confirm')).toMatchObject({
      code: 3,
      stdout: '',
      stderr: 'vpcgw: no change waits for a confirmation\n',
    });
    expect(cli('rollback')).toMatchObject({ code: 0, stdout: '  ElasticIP/more\nback; this is revision 3\n' });
    expect(cli('rollback', '--to', '99')).toMatchObject({ code: 3 });
    const [head, ...history] = rows(cli('history').stdout);
    expect(head?.map((word) => word.trim())).toEqual(['REVISION', 'TIME', 'BY', 'STATE', 'CHANGES']);
    expect(history.map((row) => row.at(-2))).toEqual(['Superseded', 'Superseded', 'Current']);
    expect(
      (JSON.parse(cli('history', '--json').stdout) as { revision: number }[]).map(({ revision }) => revision),
    ).toEqual([1, 2, 3]);
  });

  it('status tells of the gateway and of each object', () => {
    const { code, stdout } = cli('status');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^blue {2}ready {2}revision 3 \(API\) {2}vpcgw \S+\n/);
    const table = rows(stdout.replace(/[^]*\n\n/, ''));
    expect(table.map((row) => row.slice(0, 4))).toEqual([
      ['KIND', 'NAME', 'READY', 'REASON'],
      ['VpcGateway', 'blue', 'True', 'Programmed'],
      ['ElasticIP', 'web', 'True', 'Bound'],
      ['ElasticIP', 'nat', 'True', 'Shared'],
      ['SnatRule', 'all', 'True', 'Programmed'],
    ]);
    const json = JSON.parse(cli('status', '--json').stdout) as object;
    expect(json).toMatchObject({ name: 'blue', ready: true, revision: 3, source: 'Api' });
    expect(parse(cli('status', '-o', 'yaml').stdout)).toMatchObject({ name: 'blue', ready: true });
  });

  it('export gives back what validate takes', () => {
    const { code, stdout } = cli('export');
    expect(code).toBe(0);
    expect(vpcgw(['validate', '-'], { input: stdout }).stdout).toBe('valid: 1 VpcGateway, 2 ElasticIP, 1 SnatRule\n');
    expect(cli('apply', '--prune', file('exported.yaml', [])).code).toBe(2);
    writeFileSync(join(folder, 'exported.yaml'), stdout);
    expect(cli('apply', '--prune', join(folder, 'exported.yaml')).stdout).toBe('no change; revision 3 is in force\n');
  });

  it('show nat, conntrack and ports', async () => {
    const web = await blue.vm('web').agent();
    const held = await web.tcpConnect({ to: '198.51.100.1', port: 80 });
    const nat = rows(cli('show', 'nat').stdout);
    expect(nat[0]?.slice(0, 4)).toEqual(['KIND', 'NAME', 'ELASTIC IP', 'MATCH']);
    expect(nat.slice(1).map((row) => row.slice(0, 3))).toEqual([
      ['ElasticIP', 'web', '203.0.113.10'],
      ['ElasticIP', 'nat', '203.0.113.20'],
      ['SnatRule', 'all', '203.0.113.20'],
    ]);
    expect(Number(nat[1]?.at(-1))).toBeGreaterThan(0);
    expect(rows(cli('show', 'conntrack').stdout)).toContainEqual([
      'tcp',
      `10.0.0.5:${held.local.port}`,
      '198.51.100.1:80',
      `203.0.113.10:${held.local.port}`,
      '198.51.100.1:80',
      expect.stringMatching(/^\d+$/),
    ]);
    expect(rows(cli('show', 'ports').stdout)[1]?.slice(0, 4)).toEqual(['nat', '203.0.113.20', '0', '100.0 %']);
    for (const what of ['nat', 'conntrack', 'ports'])
      expect(Array.isArray(JSON.parse(cli('show', what, '--json').stdout))).toBe(true);
    await held.close({ reset: true });
  });

  it('explain says what is wrong, where and what to do, with 1; and 0 when nothing is', () => {
    const well = cli('explain', 'eip', 'web', '--port', '80/tcp');
    expect(well.code, well.stdout).toBe(0);
    expect(well.stdout).toMatch(/^ElasticIP web {2}203\.0\.113\.10 {2}\S+:\d+\n\npass {2}Documents {4}revision 3\n/);
    expect(well.stdout).toMatch(/\npass {2}Service {6}10\.0\.0\.5:80 accepts connections\n/);
    expect(well.stdout).toMatch(/\n\nnothing is wrong here\n$/);
    const ill = cli('explain', 'eip', 'nat', '--port', '443/tcp', '--from', '198.51.100.7');
    expect(ill.code).toBe(1);
    expect(ill.stdout).toMatch(/\nFAIL {2}Led {10}NotLed\n {19}nothing leads tcp 443 of 203\.0\.113\.20\n {19}fix: \w/);
    expect(ill.stdout).toMatch(/\n- {5}Target {7}since Led failed\n/);
    expect(ill.stdout).toMatch(/\n\nNotLed: 1 of \d+ checks failed\n$/);
    expect(JSON.parse(cli('explain', 'snat', 'all', '--json').stdout)).toMatchObject({ kind: 'SnatRule', name: 'all' });
  });

  it('explain of what is not there, or of no port, is said with its exit code', () => {
    expect(cli('explain', 'eip', 'wep')).toMatchObject({
      code: 3,
      stdout: '',
      stderr: 'vpcgw: there is no ElasticIP wep; did you mean web?\n',
    });
    for (const [option, text] of [
      ['--port', '443'],
      ['--port', '70000/tcp'],
      ['--from', 'somewhere'],
    ] as const)
      expect(cli('explain', 'eip', 'web', option, text)).toMatchObject({ code: 2, stdout: '' });
  });

  it('no colours where nobody looks, none with NO_COLOR, and some on a terminal', () => {
    const ESCAPE = '\x1b[';
    for (const args of [['status'], ['history'], ['show', 'nat'], ['plan', join(folder, 'more.yaml')]])
      expect(cli(...args).stdout).not.toContain(ESCAPE);
    const terminal = (env: NodeJS.ProcessEnv): string =>
      spawnSync(
        'script',
        ['-qec', `${process.execPath} ${program} status --socket ${supervisor.socketPath}`, '/dev/null'],
        {
          encoding: 'utf8',
          env: { ...process.env, ...env },
        },
      ).stdout;
    expect(terminal({})).toContain(ESCAPE);
    expect(terminal({ NO_COLOR: '1' })).not.toContain(ESCAPE);
  });

  it('status --watch goes on telling until it is interrupted', async () => {
    const argv = [program, 'status', '--watch', '--json', '--socket', supervisor.socketPath];
    const watch = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    let told = '';
    watch.stdout.setEncoding('utf8').on('data', (text: string) => (told += text));
    const revisions = (): number[] => [...told.matchAll(/"revision": ?(\d+)/g)].map(([, number]) => Number(number));
    try {
      await expect.poll(() => revisions().length, { timeout: 20_000 }).toBeGreaterThan(1);
      const before = revisions().at(-1) ?? NaN;
      expect(cli('apply', file('watched.yaml', [elasticIp('watched', '203.0.113.40')])).code).toBe(0);
      await expect.poll(() => revisions().at(-1), { timeout: 20_000 }).toBe(before + 1);
    } finally {
      watch.kill('SIGINT');
    }
    const [code, signal] = (await once(watch, 'exit')) as [number | null, string | null];
    expect({ code, signal }).toEqual({ code: null, signal: 'SIGINT' });
  });

  it('preflight tells what this machine gives, with the fix for what is missing, and leaves nothing', async () => {
    const before = await blue.gateway.exec([
      'sh',
      '-c',
      'ip -o link; ipset list -n; iptables-save | grep -v "^[#:]"; true',
    ]);
    const { code, stdout } = vpcgw(['preflight'], { prefix: blue.gateway.inside([]) });
    const [head, ...checks] = rows(stdout);
    expect(head).toEqual(['CHECK', 'STATE', 'FOUND', 'FIX']);
    const missing = checks.filter((row) => row[1] === 'missing');
    expect(missing).toEqual([]);
    expect(code).toBe(0);
    expect(checks.length).toBeGreaterThan(15);
    const after = await blue.gateway.exec([
      'sh',
      '-c',
      'ip -o link; ipset list -n; iptables-save | grep -v "^[#:]"; true',
    ]);
    expect(after.stdout).toBe(before.stdout);
    const found = JSON.parse(vpcgw(['preflight', '--json'], { prefix: blue.gateway.inside([]) }).stdout) as {
      state: string;
      fix: string;
    }[];
    expect(found.every(({ fix }) => fix.length > 0)).toBe(true);
    // Without the right to change the network it is another matter.
    const bare = vpcgw(['preflight'], {
      prefix: [...blue.gateway.inside([]), 'setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin'],
    });
    expect(bare.code).toBe(1);
    expect(bare.stdout).toMatch(/^NAT \(IPv4\) +missing +.*CONFIG_NF_NAT, and NET_ADMIN$/m);
  });
});
