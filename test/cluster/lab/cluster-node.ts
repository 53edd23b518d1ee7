import type { ChildProcess } from 'node:child_process';
import {
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  copyFileSync,
  readdirSync,
  openSync,
  closeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { runCommand } from '../../support/command.js';
import type { CommandOptions, CommandResult } from '../../support/command.js';
import type { Namespace } from '../../support/namespace.js';
import { apiServerUrl, nodeNetwork } from './addresses.js';
import { makeControlGroup } from '../../support/control-groups.js';
import type { ControlPlane } from './control-plane.js';
import type { Pod } from './kubernetes-api.js';

// A real node in a network, mount and process namespace of its own: containerd and kubelet. Killing its first process is
// the death of the machine: everything in it ends in the same moment.

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export interface NodeOptions {
  number: number;
  /** Docker archives, put into containerd before the kubelet starts. */
  images: readonly string[];
  /** What pods may set beside the few sysctls that the kubelet thinks safe. */
  allowedUnsafeSysctls: readonly string[];
}

export class ClusterNode {
  private child: ChildProcess | undefined;

  constructor(
    readonly namespace: Namespace,
    private readonly programs: string,
    private readonly directory: string,
    private readonly controlPlane: ControlPlane,
    private readonly options: NodeOptions,
  ) {}

  /** Its name in the cluster. */
  get name(): string {
    return this.namespace.name;
  }

  async start(): Promise<void> {
    mkdirSync(this.directory, { mode: 0o700 });
    makeControlGroup(this.name);
    this.linkPlugins();
    this.write('cni/10-lab.conflist', this.podNetwork());
    this.write('containerd.toml', this.containerdConfig());
    this.write('kubelet.yaml', stringify(this.kubeletConfig()));
    copyFileSync(this.controlPlane.kubeconfig, join(this.directory, 'kubeconfig'));
    this.write('container.json', await this.containerDefaults());
    const apart = ['unshare', '--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc', '--'];
    const init = [file('node-init'), this.directory, this.programs, this.name, ...this.options.images];
    const log = openSync(join(this.directory, 'node.log'), 'a');
    this.child = this.namespace.spawn([...apart, ...init], { stdio: ['ignore', log, log] });
    closeSync(log);
  }

  get running(): boolean {
    return this.child?.exitCode === null && this.child.signalCode === null;
  }

  /** As by the loss of power. */
  async kill(): Promise<void> {
    if (!this.child || !this.running) return;
    const ended = new Promise((resolve) => this.child?.once('exit', resolve));
    this.child.kill('SIGKILL');
    await ended;
  }

  /** A command in the node. */
  exec(argv: readonly string[], options?: CommandOptions): Promise<CommandResult> {
    return runCommand([...this.enter(), ...argv], options);
  }

  /** A command in a pod's container, with the container's rights. */
  execIn(pod: Pod, argv: readonly string[], options?: CommandOptions): Promise<CommandResult> {
    const session = `x${(sessions += 1)}`;
    return this.exec([...this.ctr(), 'tasks', 'exec', '--exec-id', session, containerOf(pod), ...argv], options);
  }

  /** Kills the first process of a pod's container; returns once it is gone. */
  async killContainer(pod: Pod): Promise<void> {
    const container = containerOf(pod);
    await this.exec([...this.ctr(), 'tasks', 'kill', '--signal', 'SIGKILL', container]);
    const runs = new RegExp(`^${container}\\s.*RUNNING`, 'm');
    while (runs.test((await this.exec([...this.ctr(), 'tasks', 'ls'])).stdout)) await sleep(pollMs);
  }

  async containerLogs(pod: Pod): Promise<string> {
    const { name, uid } = pod.metadata;
    const { stdout } = await this.exec(['sh', '-c', 'cat /var/log/pods/*_"$1"_"$2"/*/*.log', 'sh', name, uid]);
    return stdout;
  }

  logs(): string {
    return ['node.log', 'kubelet.log', 'containerd.log']
      .map((name) => `${name}:\n${readFileSync(join(this.directory, name), 'utf8').split('\n').slice(-25).join('\n')}`)
      .join('\n');
  }

  private enter(): string[] {
    const pid = this.child?.pid;
    const init = pid && readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0];
    if (!init) throw new Error(`the node ${this.name} does not run`);
    return ['nsenter', '--target', init, '--mount', '--pid', '--net', '--'];
  }

  private ctr(): string[] {
    const socket = join(this.directory, 'containerd.sock');
    return [join(this.programs, 'bin', 'ctr'), '--address', socket, '--namespace', 'k8s.io'];
  }

  private write(name: string, content: string | object): void {
    const path = join(this.directory, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o600 });
  }

  private linkPlugins(): void {
    mkdirSync(join(this.directory, 'cni-bin'));
    for (const name of readdirSync(join(this.programs, 'cni')))
      symlinkSync(join(this.programs, 'cni', name), join(this.directory, 'cni-bin', name));
    symlinkSync(file('attach'), join(this.directory, 'cni-bin', 'attach'));
  }

  /** Routed, as a small site's network may be, and with what an annotation asks for. */
  private podNetwork(): object {
    const ipam = {
      type: 'host-local',
      ranges: [[{ subnet: nodeNetwork.pods(this.options.number) }]],
      routes: [{ dst: '0.0.0.0/0' }],
      dataDir: join(this.directory, 'ipam'),
    };
    const attach = {
      type: 'attach',
      server: apiServerUrl,
      authority: this.controlPlane.authorityFile,
      token: this.controlPlane.tokenFile,
      state: join(this.directory, 'attached'),
    };
    return {
      cniVersion: '0.4.0',
      name: 'pods',
      plugins: [{ type: 'bridge', bridge: 'pods', isGateway: true, ipam }, attach],
    };
  }

  private containerdConfig(): string {
    const at = (name: string): string => JSON.stringify(join(this.directory, name));
    const cri = 'plugins."io.containerd.grpc.v1.cri"';
    return `version = 2
root = ${at('containerd')}
state = ${at('containerd-run')}
[grpc]
  address = ${at('containerd.sock')}
[${cri}]
  sandbox_image = "localhost/vpcgw-pause:lab"
  restrict_oom_score_adj = true
  disable_apparmor = true
  stream_server_address = "127.0.0.1"
[${cri}.cni]
  bin_dir = ${at('cni-bin')}
  conf_dir = ${at('cni')}
[${cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  base_runtime_spec = ${at('container.json')}
`;
  }

  /** containerd's own, with a limit that may be lower than the machine's: raising one is a right that may lack. */
  private async containerDefaults(): Promise<object> {
    const { stdout } = await runCommand([join(this.programs, 'bin', 'ctr'), 'oci', 'spec']);
    const spec = JSON.parse(stdout) as { process: object };
    return { ...spec, process: { ...spec.process, rlimits: [{ type: 'RLIMIT_NOFILE', hard: 4096, soft: 4096 }] } };
  }

  private kubeletConfig(): object {
    return {
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      address: nodeNetwork.node(this.options.number),
      healthzPort: 0,
      cgroupDriver: 'cgroupfs',
      cgroupRoot: `/${this.name}`,
      enforceNodeAllocatable: [],
      failSwapOn: false,
      resolvConf: '',
      oomScoreAdj: 0,
      makeIPTablesUtilChains: false,
      allowedUnsafeSysctls: this.options.allowedUnsafeSysctls,
      authentication: {
        anonymous: { enabled: false },
        webhook: { enabled: false },
        x509: { clientCAFile: this.controlPlane.authorityFile },
      },
      authorization: { mode: 'AlwaysAllow' },
      evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
      imageGCHighThresholdPercent: 100,
      imageGCLowThresholdPercent: 99,
      nodeStatusUpdateFrequency: '2s',
      nodeLeaseDurationSeconds: 4,
      // How late an edited ConfigMap may reach its pods; a minute where nobody says otherwise.
      syncFrequency: '2s',
    };
  }
}

const pollMs = 20;
let sessions = 0;

function containerOf({ metadata, status }: Pod): string {
  const id = status.containerStatuses?.[0]?.containerID?.replace('containerd://', '');
  if (!id) throw new Error(`pod ${metadata.name} has no container yet`);
  return id;
}
