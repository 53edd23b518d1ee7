import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { ROLES, type Role, type Route } from '../../gateway/http/route.js';
import { ROUTES } from '../../gateway/http/routes.js';
import { newToken } from '../../gateway/http/token-file.js';
import type { AuditLine } from '../../gateway/reconcile/audit.js';
import { Authority, type Certificate } from '../support/certificates.js';
import { type Document, elasticIp, gateway } from '../support/documents.js';
import { kernelPicture } from '../support/kernel-picture.js';
import { Namespace } from '../support/namespace.js';
import { relayInto } from '../support/relay.js';
import { currentRun } from '../support/run-name.js';
import { showLogsOfFailures } from '../support/show-logs.js';
import { Supervisor } from '../support/supervisor.js';
import { type Tenant, Topology } from '../support/topology.js';
import { type HttpOptions, type HttpReply, requestOver } from '../support/unix-http.js';

// Who may do what at the management address: by token, by certificate, and without either.

const program = fileURLToPath(new URL('../../dist/vpcgw.js', import.meta.url));
const PORT = 9100;

const tokens = Object.fromEntries(ROLES.map((role) => [role, newToken()])) as Record<
  Role,
  { token: string; sha256: string }
>;
const accountsOf = (roles: readonly Role[]): string =>
  stringify(roles.map((role) => ({ name: `some-${role}`, role, sha256: tokens[role].sha256 })));

let topology: Topology;
let blue: Tenant;
let authority: Authority;
let server: Certificate;
const supervisors: Supervisor[] = [];
showLogsOfFailures(() => supervisors);

beforeAll(async () => {
  topology = await Topology.build({ tenants: ['blue', 'red'].map((name) => ({ name, vms: [] })) });
  blue = topology.tenant('blue');
  authority = await Authority.create();
  server = await authority.sign('server', '/CN=vpcgw');
});
afterAll(async () => {
  for (const supervisor of supervisors) await supervisor.stop();
  topology?.destroy();
});

const base = (tenant: Tenant): Document[] => [gateway(tenant), elasticIp('web', '203.0.113.10')];
const files = (documents: readonly Document[]) => [
  { file: 'given.yaml', text: documents.map((each) => stringify(each)).join('---\n') },
];
const code = ({ text }: HttpReply): string => (JSON.parse(text) as { code: string }).code;
const pathOf = ({ path }: Route): string => path.replace('{kind}', 'ElasticIP').replace('{name}', 'web');
const privateFile = (name: string, text: string): string => {
  const path = join(currentRun().directory, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};
/** Below a role, the one that is next. */
const lower = (role: Role): Role | undefined => ROLES[ROLES.indexOf(role) - 1];

async function launch(tenant: Tenant, args: readonly string[]): Promise<Supervisor> {
  const listen = ['--listen', `127.0.0.1:${PORT}`];
  const supervisor = Supervisor.launch(tenant.gateway, { source: 'api', args: [...listen, ...args] });
  supervisors.push(supervisor);
  await supervisor.statusWhen(() => true);
  const { status } = await supervisor.post('/v1/apply', { files: files(base(tenant)) });
  expect(status).toBe(200);
  return supervisor;
}

describe('with TLS, tokens and certificates', () => {
  let supervisor: Supervisor;
  let socket: string;
  let tokenFile: string;
  const clients: Partial<Record<string, Certificate>> = {};
  const audit = async (): Promise<AuditLine[]> => JSON.parse((await supervisor.get('/v1/audit')).text) as AuditLine[];

  const call = (method: string, path: string, body?: unknown, options: HttpOptions = {}): Promise<HttpReply> =>
    requestOver(socket, method, path, body, {
      headers: options.headers ?? {},
      tls: { ca: readFileSync(authority.ca), servername: 'localhost', ...options.tls },
    });
  const as = (role: Role): HttpOptions => ({ headers: { authorization: `Bearer ${tokens[role].token}` } });
  const withCertificate = (name: string): HttpOptions => {
    const { cert, key } = clients[name] as Certificate;
    return { tls: { cert: readFileSync(cert), key: readFileSync(key) } };
  };

  beforeAll(async () => {
    tokenFile = privateFile('tokens.yaml', accountsOf(ROLES));
    const tls = ['--tls-cert', server.cert, '--tls-key', server.key, '--tls-client-ca', authority.ca];
    supervisor = await launch(blue, ['--tokens', tokenFile, ...tls]);
    socket = await relayInto(blue.gateway, '127.0.0.1', PORT);
    const stranger = await Authority.create();
    clients['editor'] = await authority.sign('ci', '/OU=people/OU=editor/CN=ci');
    clients['none'] = await authority.sign('none', '/OU=people/CN=none');
    clients['two roles'] = await authority.sign('two', '/OU=viewer/OU=operator/CN=two');
    clients['stranger'] = await stranger.sign('stranger', '/OU=operator/CN=stranger');
  });

  it('every route but health is for nobody unknown', async () => {
    for (const route of ROUTES) {
      const body = route.body ? {} : undefined;
      const reply = await call(route.method, pathOf(route), body);
      if (route.role === undefined) expect(reply.status).toBe(200);
      else
        expect({ path: route.path, status: reply.status, code: code(reply) }).toEqual({
          path: route.path,
          status: 401,
          code: 'Unauthorized',
        });
    }
    expect(ROUTES.filter(({ role }) => role === undefined).map(({ path }) => path)).toEqual(['/healthz', '/readyz']);
  });

  it('every route is refused to the role below the one it needs', async () => {
    const kernel = await kernelPicture(blue.gateway);
    for (const route of ROUTES) {
      const role = route.role && lower(route.role);
      if (!role) continue;
      const reply = await call(route.method, pathOf(route), route.body ? {} : undefined, as(role));
      expect({ path: route.path, status: reply.status, code: code(reply) }).toEqual({
        path: route.path,
        status: 403,
        code: 'Forbidden',
      });
      if (route.audited)
        expect((await audit()).at(-1)).toMatchObject({
          action: route.audited,
          result: 'Refused',
          code: 'Forbidden',
          who: { name: `some-${role}`, via: 'Token', role },
        });
    }
    expect(await kernelPicture(blue.gateway)).toBe(kernel);
  });

  it('what is no route, no token or no scheme is said so to nobody unknown', async () => {
    expect((await call('GET', '/v1/nowhere')).status).toBe(401);
    expect((await call('GET', '/v1/nowhere', undefined, as('viewer'))).status).toBe(404);
    for (const authorization of [
      'Bearer wrong',
      'Bearer ',
      `Basic ${tokens.operator.token}`,
      tokens.operator.token,
      `Bearer ${tokens.operator.sha256}`,
      `Bearer ${tokens.operator.token}x`,
      `Bearer ${'x'.repeat(10_000)}`,
    ]) {
      const { status, headers } = await call('GET', '/v1/status', undefined, { headers: { authorization } });
      expect({ authorization, status }).toEqual({ authorization, status: 401 });
      expect(headers['www-authenticate']).toBe('Bearer');
    }
  });

  it("an editor changes the tenant's documents, and nothing of the gateway itself", async () => {
    const gatewayFile = files([gateway(blue, { spec: { paused: true } })]);
    const web = elasticIp('web', '203.0.113.11');
    expect((await call('PUT', '/v1/documents/ElasticIP/web', web, as('editor'))).status).toBe(200);
    const tries: [string, string, unknown][] = [
      ['PUT', '/v1/documents/VpcGateway/blue', gateway(blue, { spec: { paused: true } })],
      ['PUT', '/v1/documents/VpcGateway/blue?dryRun=true', gateway(blue, { spec: { paused: true } })],
      ['POST', '/v1/apply', { files: gatewayFile }],
      ['POST', '/v1/apply', { files: files([gateway(topology.tenant('red'))]), prune: true }],
    ];
    for (const [method, path, body] of tries) {
      const reply = await call(method, path, body, as('editor'));
      expect({ path, code: code(reply) }).toEqual({ path, code: 'Forbidden' });
    }
    expect((await supervisor.get('/v1/status')).text).toContain('"paused":false');
    const pending = { files: files([gateway(blue, { spec: { limits: { connectionsPerSource: 500 } } })]) };
    const applied = await call('POST', '/v1/apply', { ...pending, confirmWithinMs: 60_000 }, as('operator'));
    expect(applied.status).toBe(200);
    expect(code(await call('POST', '/v1/confirm', {}, as('editor')))).toBe('Forbidden');
    expect((await call('POST', '/v1/confirm', {}, as('operator'))).status).toBe(200);
  });

  it("what the operator's baseline is made of is the operator's", async () => {
    const made = (kind: string, name: string, spec: object) => ({
      apiVersion: 'vpcgw.io/v1alpha1',
      kind,
      metadata: { name },
      spec,
    });
    const rules = [{ priority: 1, action: 'Deny', direction: 'Ingress', peers: [{ addressGroup: 'bad' }] }];
    const [bad, own] = ['bad', 'own'].map((name) => made('AddressGroup', name, { cidrs: ['192.0.2.0/24'] }));
    const documents = [bad, own, made('FirewallBaseline', 'base', { rules })] as Document[];
    expect((await call('POST', '/v1/apply', { files: files(documents) }, as('operator'))).status).toBe(200);
    for (const [kind, name, status] of [
      ['AddressGroup', 'bad', 403],
      ['AddressGroup', 'own', 200],
      ['FirewallBaseline', 'base', 403],
    ] as const) {
      const body =
        kind === 'AddressGroup'
          ? made(kind, name, { cidrs: [] })
          : made(kind, name, { rules: [{ ...rules[0], action: 'Allow' }] });
      const reply = await call('PUT', `/v1/documents/${kind}/${name}`, body, as('editor'));
      expect({ name, status: reply.status }).toEqual({ name, status });
    }
    expect((await call('DELETE', '/v1/documents/FirewallBaseline/base', undefined, as('editor'))).status).toBe(403);
    expect((await call('DELETE', '/v1/documents/FirewallBaseline/base', undefined, as('operator'))).status).toBe(200);
    expect((await call('DELETE', '/v1/documents/AddressGroup/bad', undefined, as('editor'))).status).toBe(200);
  });

  it('who it was is what the account says, and not what the request says', async () => {
    const body = { files: files([elasticIp('more', '203.0.113.30')]), by: 'somebody-else' };
    expect((await call('POST', '/v1/apply', body, as('editor'))).status).toBe(200);
    expect((await audit()).at(-1)).toMatchObject({
      who: { name: 'some-editor', via: 'Token', role: 'editor', from: '127.0.0.1' },
      action: 'Apply',
    });
    expect((await supervisor.get('/v1/history')).text).not.toContain('somebody-else');
  });

  it("a certificate of the authority's is an account, by its OU", async () => {
    const web = elasticIp('web', '203.0.113.12');
    expect((await call('PUT', '/v1/documents/ElasticIP/web', web, withCertificate('editor'))).status).toBe(200);
    expect((await audit()).at(-1)).toMatchObject({ who: { name: 'ci', via: 'Certificate', role: 'editor' } });
    expect((await call('POST', '/v1/rollback', {}, withCertificate('editor'))).status).toBe(403);
    for (const name of ['none', 'two roles', 'stranger'])
      expect({ name, status: (await call('GET', '/v1/status', undefined, withCertificate(name))).status }).toEqual({
        name,
        status: 401,
      });
    const both = { ...withCertificate('stranger'), ...as('viewer') };
    expect((await call('GET', '/v1/status', undefined, both)).status).toBe(200);
  });

  it('the tokens file is read again when it has changed, and while it is wrong nobody is let in', async () => {
    const replace = (text: string, mode = 0o600): void => {
      writeFileSync(`${tokenFile}.new`, text);
      chmodSync(`${tokenFile}.new`, mode);
      renameSync(`${tokenFile}.new`, tokenFile);
    };
    const allowed = async (role: Role): Promise<boolean> =>
      (await call('GET', '/v1/status', undefined, as(role))).status === 200;
    replace(accountsOf(['viewer']));
    expect([await allowed('viewer'), await allowed('operator')]).toEqual([true, false]);
    for (const [text, mode] of [
      ['[', 0o600],
      [accountsOf(ROLES), 0o644],
      ['- {name: x}', 0o600],
    ] as const) {
      replace(text, mode);
      expect(await allowed('viewer')).toBe(false);
    }
    expect(supervisor.logs()).toContain('has mode 644; it must be 600 or 640');
    replace(accountsOf(ROLES));
    expect([await allowed('viewer'), await allowed('operator')]).toEqual([true, true]);
  });

  it('no token is in a log, in the audit or in an answer', async () => {
    const told = [supervisor.logs(), readFileSync(join(supervisor.stateDirectory, 'audit.jsonl'), 'utf8')].join('\n');
    for (const { token } of Object.values(tokens)) expect(told).not.toContain(token);
    const refused = await call('GET', '/v1/status', undefined, { headers: { authorization: 'Bearer secret-thing' } });
    expect(refused.text).not.toContain('secret-thing');
  });

  it('the command line does all of it over HTTPS', () => {
    const token = privateFile('operator.token', `${tokens.operator.token}\n`);
    const connection = ['--server', `https://127.0.0.1:${PORT}`, '--ca', authority.ca];
    const run = (args: readonly string[], env: NodeJS.ProcessEnv = { VPCGW_TOKEN_FILE: token }) => {
      const [command = '', ...rest] = blue.gateway.inside([process.execPath, program, ...args]);
      const { status, stdout, stderr } = spawnSync(command, rest, {
        encoding: 'utf8',
        timeout: 30_000,
        env: { ...process.env, ...env },
      });
      return { code: status, stdout, stderr };
    };
    const cli = (...args: string[]) => run([...connection, ...args]);
    const more = privateFile('more.yaml', stringify(elasticIp('by-cli', '203.0.113.50')));
    expect(cli('plan', more)).toMatchObject({ code: 0, stderr: '' });
    expect(cli('apply', more, '--confirm-within', '60s')).toMatchObject({ code: 0, stderr: '' });
    expect(cli('confirm')).toMatchObject({ code: 0 });
    expect(cli('status').stdout).toMatch(/^blue {2}ready/);
    for (const command of [
      ['history'],
      ['export'],
      ['show', 'nat'],
      ['show', 'conntrack'],
      ['show', 'ports'],
      ['audit'],
    ])
      expect({ command, code: cli(...command).code }).toEqual({ command, code: 0 });
    expect(cli('get').stdout).toMatch(/^ElasticIP +by-cli/m);
    expect(cli('get', 'eip', 'by-cli').stdout).toBe(readFileSync(more, 'utf8'));
    expect(cli('delete', 'eip', 'by-cli', '--dry-run').stdout).toContain('- ElasticIP/by-cli');
    expect(cli('delete', 'eip', 'by-cli')).toMatchObject({ code: 0 });
    expect(cli('get', 'eip', 'by-cli')).toMatchObject({ code: 3, stdout: '' });
    expect(cli('audit').stdout).toMatch(
      /some-operator \(token\) +127\.0\.0\.1 +Delete +Done \d+ +-ElasticIP\/by-cli$/m,
    );
    expect(cli('rollback')).toMatchObject({ code: 0 });

    const { cert, key } = clients['editor'] as Certificate;
    const certified = run([...connection, '--cert', cert, '--key', key, 'status'], { VPCGW_TOKEN_FILE: '' });
    expect(certified).toMatchObject({ code: 0 });
    const unknown = run([...connection, 'status'], { VPCGW_TOKEN_FILE: privateFile('no.token', 'no') });
    expect(unknown).toMatchObject({ code: 3, stdout: '' });
    expect(unknown.stderr).toContain('Authorization: Bearer');
    expect(run(['--server', `https://127.0.0.1:${PORT}`, 'status'])).toMatchObject({ code: 5, stdout: '' });
    expect(run(['--server', 'nonsense', 'status'])).toMatchObject({ code: 2, stdout: '' });
    // A socket that was typed is meant, whatever the environment says.
    const typed = run(['status', '--socket', supervisor.socketPath], { VPCGW_SERVER: 'https://127.0.0.1:1' });
    expect(typed).toMatchObject({ code: 0 });
    expect(run(['status'], { VPCGW_SERVER: 'https://127.0.0.1:1' })).toMatchObject({ code: 5 });
  });

  it('the command line follows events', async () => {
    const token = privateFile('viewer.token', tokens.viewer.token);
    const options = ['--server', `https://127.0.0.1:${PORT}`, '--ca', authority.ca, '--token-file', token];
    const child = blue.gateway.spawn([process.execPath, program, ...options, 'events'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const heard = new Promise<string>((resolve) => child.stdout?.once('data', (chunk) => resolve(String(chunk))));
    // Until it listens there is nothing to hear.
    let number = 60;
    const changes = setInterval(
      () => void supervisor.post('/v1/apply', { files: files([elasticIp('told', `203.0.113.${number++}`)]) }),
      300,
    );
    expect(await heard).toMatch(/^\S+Z {2}Applied +revision \d+ by root: 1 document/);
    clearInterval(changes);
    child.kill();
  });
});

describe('without accounts', () => {
  it('the management address has health and metrics, and says how to get more', async () => {
    const red = topology.tenant('red');
    await launch(red, []);
    const socket = await relayInto(red.gateway, '127.0.0.1', PORT);
    for (const route of ROUTES) {
      const reply = await requestOver(socket, route.method, pathOf(route));
      const open = route.role === undefined || route.open === true;
      expect({ path: route.path, status: reply.status }).toEqual({ path: route.path, status: open ? 200 : 401 });
      if (!open) expect(reply.text).toContain('--tokens FILE');
    }
    expect((await requestOver(socket, 'HEAD', '/healthz')).status).toBe(200);
  });

  it('options that do not go together, or files that are no accounts, end the start with 2', async () => {
    const namespace = await Namespace.create('flags');
    const open = join(currentRun().directory, 'open.yaml');
    writeFileSync(open, accountsOf(ROLES));
    chmodSync(open, 0o644);
    const start = (args: readonly string[]) => {
      const state = ['--state', currentRun().directory, '--socket', join(currentRun().directory, 'flags.sock')];
      const argv = [process.execPath, program, 'run', '--source', 'api', ...state, ...args];
      const [command = '', ...rest] = namespace.inside(argv);
      const { status, stderr } = spawnSync(command, rest, { encoding: 'utf8', timeout: 20_000 });
      return { status, stderr: stderr.trim() };
    };
    const listen = ['--listen', `127.0.0.1:${PORT}`];
    try {
      for (const [args, words] of [
        [[...listen, '--tls-cert', server.cert], '--tls-cert and --tls-key go together'],
        [[...listen, '--tls-client-ca', authority.ca], '--tls-cert and --tls-key go together'],
        [[...listen, '--tls-cert', '/nowhere', '--tls-key', '/nowhere'], '/nowhere'],
        [[...listen, '--tokens', '/nowhere'], 'tokens /nowhere'],
        [[...listen, '--tokens', open], 'has mode 644'],
        [[...listen, '--tokens', privateFile('bad.yaml', '- {name: x, role: king}')], 'role'],
        [['--tokens', open], '--tokens needs --listen'],
      ] as const)
        expect(start(args)).toEqual({ status: 2, stderr: expect.stringContaining(words) as string });
    } finally {
      namespace.delete();
    }
  });
});

it('token new prints a token once, and the line that lets it in', () => {
  const { status, stdout } = spawnSync(process.execPath, [program, 'token', 'new', 'ci', '--role', 'editor'], {
    encoding: 'utf8',
  });
  expect(status).toBe(0);
  expect(stdout).toMatch(/^vpcgw_[\w-]{43}\n\nThe line.*\n- \{name: ci, role: editor, sha256: [0-9a-f]{64}\}\n$/);
});
