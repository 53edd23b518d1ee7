import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Authority, type Certificate } from '../../support/certificates.js';
import { runCommand } from '../../support/command.js';
import type { Namespace } from '../../support/namespace.js';
import { apiPort, apiServerUrl, nodeNetwork } from './addresses.js';
import { KubernetesApi } from './kubernetes-api.js';

// A real control plane in one namespace: etcd, API server, controllers and scheduler. The API server can be killed and
// started again; etcd keeps what it had.

const etcd = { client: 'http://127.0.0.1:2379', peer: 'http://127.0.0.1:2380' };
const nodeMissingAfter = '10s';
export const STRANGER = 'stranger';

export class ControlPlane {
  private readonly children = new Map<string, ChildProcess>();
  readonly kubeconfig: string;
  private server: Certificate = { cert: '', key: '' };
  private kubelets: Certificate = { cert: '', key: '' };

  private constructor(
    private readonly namespace: Namespace,
    private readonly programs: string,
    private readonly directory: string,
    private readonly authority: Authority,
    readonly token: string,
  ) {
    this.kubeconfig = join(directory, 'kubeconfig');
  }

  static async start(namespace: Namespace, programs: string, directory: string): Promise<ControlPlane> {
    mkdirSync(directory, { mode: 0o700 });
    const token = randomBytes(16).toString('hex');
    const plane = new ControlPlane(namespace, programs, directory, await Authority.create(), token);
    await plane.writeKeys();
    plane.launch('etcd', plane.etcdArguments());
    plane.startApiServer();
    const relay = [`UNIX-LISTEN:${plane.socketPath},fork`, `TCP:${nodeNetwork.controlPlane}:${apiPort}`];
    plane.launch('socat', relay, 'socat');
    await plane.ready();
    const access = [`--kubeconfig=${plane.kubeconfig}`, '--bind-address=127.0.0.1', '--port=0', '--leader-elect=false'];
    plane.launch('kube-scheduler', access);
    plane.launch('kube-controller-manager', [...access, ...plane.controllerArguments()]);
    return plane;
  }

  get authorityFile(): string {
    return this.authority.ca;
  }

  get tokenFile(): string {
    return join(this.directory, 'token');
  }

  /** Of a user without any rights but those that he is given. */
  get strangerTokenFile(): string {
    return join(this.directory, 'stranger');
  }

  get api(): KubernetesApi {
    return new KubernetesApi(this.socketPath, this.authority.ca, this.token);
  }

  startApiServer(): void {
    this.launch('kube-apiserver', this.apiServerArguments());
  }

  async killApiServer(): Promise<void> {
    const child = this.children.get('kube-apiserver') as ChildProcess;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  async ready(): Promise<void> {
    await this.api
      .until('ready API server', async () => {
        for (const [name, child] of this.children) if (child.exitCode !== null) throw new Error(`${name} ended`);
        return (await this.api.get('/readyz')) === 'ok' ? true : undefined;
      })
      .catch((error: unknown) => {
        throw new Error(`${String(error)}\n${this.logs()}`, { cause: error });
      });
  }

  /** The end of what each program logged. */
  logs(): string {
    return [...this.children.keys()]
      .map((name) => join(this.directory, `${name}.log`))
      .filter(existsSync)
      .map((file) => `${file}:\n${readFileSync(file, 'utf8').split('\n').slice(-15).join('\n')}`)
      .join('\n');
  }

  private get socketPath(): string {
    return join(this.directory, 'api.sock');
  }

  private launch(name: string, args: readonly string[], program = join(this.programs, 'bin', name)): void {
    const log = openSync(join(this.directory, `${name}.log`), 'a');
    const stdio = ['ignore', log, log] as ['ignore', number, number];
    this.children.set(name, this.namespace.spawn([program, ...args], { stdio, cwd: this.directory }));
    closeSync(log);
  }

  private async writeKeys(): Promise<void> {
    const at = (name: string): string => join(this.directory, name);
    await runCommand([
      'openssl',
      'genpkey',
      '-algorithm',
      'RSA',
      '-pkeyopt',
      'rsa_keygen_bits:2048',
      '-out',
      at('sa.key'),
    ]);
    await runCommand(['openssl', 'pkey', '-in', at('sa.key'), '-pubout', '-out', at('sa.pub')]);
    writeFileSync(this.tokenFile, this.token, { mode: 0o600 });
    const stranger = randomBytes(16).toString('hex');
    writeFileSync(this.strangerTokenFile, stranger, { mode: 0o600 });
    const users = [`${this.token},admin,admin,"system:masters"`, `${stranger},${STRANGER},${STRANGER}`];
    writeFileSync(at('tokens.csv'), `${users.join('\n')}\n`, { mode: 0o600 });
    const cluster = { server: apiServerUrl, 'certificate-authority': this.authority.ca };
    const kubeconfig = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'lab', cluster }],
      users: [{ name: 'admin', user: { token: this.token } }],
      contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'admin' } }],
      'current-context': 'lab',
    };
    // JSON is YAML.
    writeFileSync(this.kubeconfig, JSON.stringify(kubeconfig), { mode: 0o600 });
    const names = `IP:${nodeNetwork.controlPlane},DNS:localhost,DNS:kubernetes.default.svc`;
    this.server = await this.authority.sign('apiserver', '/CN=kube-apiserver', names);
    this.kubelets = await this.authority.sign('kubelets', '/O=system:masters/CN=apiserver', names);
  }

  private etcdArguments(): string[] {
    return [
      ...['--data-dir', 'etcd', '--name', 'lab', '--unsafe-no-fsync', '--log-level', 'warn', '--logger', 'zap'],
      ...['--listen-client-urls', etcd.client, '--advertise-client-urls', etcd.client],
      ...['--listen-peer-urls', etcd.peer, '--initial-advertise-peer-urls', etcd.peer],
      ...['--initial-cluster', `lab=${etcd.peer}`],
    ];
  }

  private apiServerArguments(): string[] {
    const { server, kubelets } = this;
    return [
      `--etcd-servers=${etcd.client}`,
      `--secure-port=${apiPort}`,
      `--bind-address=${nodeNetwork.controlPlane}`,
      `--advertise-address=${nodeNetwork.controlPlane}`,
      '--endpoint-reconciler-type=none',
      `--tls-cert-file=${server.cert}`,
      `--tls-private-key-file=${server.key}`,
      `--client-ca-file=${this.authority.ca}`,
      '--token-auth-file=tokens.csv',
      '--authorization-mode=RBAC',
      '--service-account-key-file=sa.pub',
      '--service-account-signing-key-file=sa.key',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-cluster-ip-range=${nodeNetwork.services}`,
      '--kubelet-preferred-address-types=InternalIP',
      `--kubelet-client-certificate=${kubelets.cert}`,
      `--kubelet-client-key=${kubelets.key}`,
      `--cert-dir=${this.directory}`,
    ];
  }

  private controllerArguments(): string[] {
    return [
      '--service-account-private-key-file=sa.key',
      `--root-ca-file=${this.authority.ca}`,
      '--use-service-account-credentials=false',
      '--node-monitor-period=1s',
      `--node-monitor-grace-period=${nodeMissingAfter}`,
    ];
  }
}
