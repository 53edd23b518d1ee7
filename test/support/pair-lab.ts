import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { memberAddresses, memberAddresses6, secondPathAddresses } from './addresses.js';
import type { Agent } from './agent.js';
import { runCommand } from './command.js';
import type { Namespace } from './namespace.js';
import { Cables } from './pair-cables.js';
import { currentRun } from './run-name.js';
import { messageOf } from '../../gateway/errors.js';
import type { PairLook } from '../../gateway/reconcile/pair-status.js';
import { type Documents, Supervisor, type SupervisorOptions } from './supervisor.js';
import { type Tenant, Topology, type TopologyOptions, type VmOptions } from './topology.js';

// The standard picture with one tenant whose gateway is a pair: two real members, each with its supervisor, keepalived
// and conntrackd, in namespaces of their own.

export type Role = 'Active' | 'Standby' | 'Fault' | 'Unknown';

const READY_MS = 60_000;
const POLL_MS = 5;
const DISK_MIB = 64;
const SECRET = 'of the two members of the laboratory, and nobody else';

/** How members reach each other. */
export type Paths = 'IPv4' | 'IPv6' | 'Two';

/** One of the two. */
export class Member {
  constructor(
    readonly name: string,
    readonly namespace: Namespace,
    readonly supervisor: Supervisor,
    /** A small one, of its own: it can be filled. */
    readonly disk: string,
  ) {}

  static async launch(
    name: string,
    namespace: Namespace,
    index: number,
    { paths = 'IPv4', memberFile = {} }: Pick<PairLabOptions, 'paths' | 'memberFile'>,
    options: SupervisorOptions,
  ): Promise<Member> {
    const disk = mkdtempSync(join(currentRun().directory, 'member-'));
    await runCommand(['mount', '-t', 'tmpfs', '-o', `size=${DISK_MIB}m,mode=700`, 'tmpfs', disk]);
    const [file, secretFile] = [join(disk, 'member.yaml'), join(disk, 'secret')];
    writeFileSync(secretFile, `${SECRET}\n`, { mode: 0o600 });
    const both = paths === 'IPv6' ? memberAddresses6 : memberAddresses;
    const [address, peer] = index === 0 ? both : [...both].reverse();
    const [first, second] = index === 0 ? secondPathAddresses : [...secondPathAddresses].reverse();
    if (paths === 'Two') await namespace.ip([`address add ${first}/30 dev ext0`]);
    const secondPath = paths === 'Two' ? { secondPath: { interface: 'ext0', address: first, peer: second } } : {};
    writeFileSync(
      file,
      stringify({ name, interface: 'sync0', address, peer, secretFile, ...secondPath, ...memberFile }),
    );
    const supervisor = Supervisor.launch(namespace, {
      ...options,
      args: ['--member', file, ...(options.args ?? [])],
      directory: disk,
    });
    return new Member(name, namespace, supervisor, disk);
  }

  /** By API, as soon as it is served. */
  async give(documents: Documents): Promise<void> {
    await this.supervisor.statusWhen(() => true);
    const text = typeof documents === 'string' ? documents : documents.map((each) => stringify(each)).join('---\n');
    const reply = await this.supervisor.post('/v1/apply', { files: [{ file: 'given.yaml', text }] });
    if (reply.status !== 200) throw new Error(reply.text);
  }

  /** What it says of itself and of the other. */
  async look(): Promise<PairLook> {
    return JSON.parse((await this.supervisor.get('/v1/failover')).text) as PairLook;
  }

  /** Its conditions that are not as they should be. */
  async complaints(): Promise<Readonly<Record<string, string>>> {
    const { conditions } = (await this.supervisor.status()) as unknown as {
      conditions: readonly { type: string; status: string; message: string }[];
    };
    return Object.fromEntries(conditions.flatMap((one) => (one.status === 'True' ? [] : [[one.type, one.message]])));
  }

  async role(): Promise<Role> {
    const status = (await this.supervisor.status()) as unknown as { failover?: { role: Role } };
    return status.failover?.role ?? 'Unknown';
  }

  /** As the kernel has it: whether anything passes. */
  async holdsLease(): Promise<boolean> {
    const { stdout } = await this.namespace.exec(['nft', 'list', 'set', 'netdev', 'vpcgw_fence', 'lease']);
    return stdout.includes('expires');
  }

  /** All processes of a daemon. */
  daemonPids(name: 'keepalived' | 'conntrackd'): number[] {
    const file = join(this.supervisor.socketPath, '..', 'failover', `${name}.process`);
    const pid = Number(readFileSync(file, 'utf8').split(' ')[0]);
    return [pid, ...childrenOf(pid)];
  }

  get pids(): number[] {
    const { pid } = this.supervisor;
    // What it runs under, as faketime, has it as a child.
    const wrapped = childrenOf(pid).filter((child) => commandLine(child).includes('vpcgw.js'));
    return [pid, ...wrapped, ...this.daemonPids('keepalived'), ...this.daemonPids('conntrackd'), ...this.routingPids];
  }

  /** Where it speaks BGP. */
  get routingPids(): number[] {
    const file = join(this.supervisor.socketPath, '..', 'routing', 'bird.process');
    const pid = existsSync(file) ? Number(readFileSync(file, 'utf8').split(' ')[0]) : 0;
    return commandLine(pid).includes('bird') ? [pid] : [];
  }

  /** Of the peer's address there, as `ip neigh` shows it. */
  async neighbourState(device: string): Promise<string> {
    const { stdout } = await this.namespace.exec(['ip', '-4', 'neigh', 'show', 'dev', device]);
    return stdout;
  }

  /** conntrackd answers, and has read the kernel's table. */
  async knowsItsConnections(): Promise<boolean> {
    const { sync } = JSON.parse((await this.supervisor.get('/v1/failover')).text) as { sync?: { connections: number } };
    return (sync?.connections ?? 0) > 0;
  }

  /** As it does at times by itself: of all connections. */
  async tellAll(): Promise<void> {
    const config = join(this.supervisor.socketPath, '..', 'failover', 'conntrackd.conf');
    for (const question of ['-R', '-B']) await this.namespace.exec(['conntrackd', '-C', config, question]);
  }

  /** TCP connections in the kernel's own table, each with its translation. */
  async connections(): Promise<Set<string>> {
    const { stdout } = await this.namespace.exec(['conntrack', '-L', '-p', 'tcp', '--state', 'ESTABLISHED']);
    const ends = (line: string): string => [...line.matchAll(/(?:src|dst|sport|dport|mark)=\S+/g)].join(' ');
    return new Set(stdout.split('\n').filter(Boolean).map(ends));
  }

  /** Whatever of the same ports the kernel knows: it stands in that connection's way. */
  async atPortsOf(connection: string): Promise<string[]> {
    const ports = [...connection.matchAll(/port=\d+/g)].map(([port]) => port);
    const { stdout } = await this.namespace.exec(['conntrack', '-L', '-o', 'id']);
    return stdout.split('\n').filter((line) => ports.every((port) => line.includes(port)));
  }

  signal(pids: readonly number[], signal: NodeJS.Signals): void {
    for (const pid of pids)
      try {
        process.kill(pid, signal);
      } catch (error) {
        // keepalived's child is killed by its parent's death, sooner than by us.
        if (signal !== 'SIGKILL' || (error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
  }
}

const commandLine = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
};

/** By each process's own account of its parent: not every kernel lists children. */
function childrenOf(pid: number): number[] {
  const processes = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  return processes.filter((entry) => parentOf(entry) === pid).map(Number);
}

function parentOf(entry: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

export interface PairLabOptions extends Omit<TopologyOptions, 'tenants'> {
  vms: readonly (string | VmOptions)[];
  documents: (tenant: Tenant) => Documents;
  /** What has to be there when the members start. */
  before?: (topology: Topology, tenant: Tenant) => Promise<void>;
  /** Further arguments of both supervisors. */
  args?: readonly string[];
  /** IPv4 on the members' network, where nothing else is said. */
  paths?: Paths;
  /** Further fields of both members' files. */
  memberFile?: object;
  /** Further tenants with two gateways each, in which nothing runs. */
  beside?: readonly string[];
  /** By API, documents are given to the first member alone. */
  source?: 'folder' | 'api';
  /** What the second member's supervisor runs under, or which build it is. */
  secondUnder?: Pick<SupervisorOptions, 'wrapper' | 'env' | 'program'>;
}

export class PairLab {
  private built: Topology | undefined;
  private owner: Tenant | undefined;
  private plugged: Cables | undefined;
  members: readonly Member[] = [];
  /** What both started with. */
  documents: Documents = [];

  constructor(private readonly options: PairLabOptions) {}

  /** A pair beside others: of a tenant that was built with two gateways. */
  static async within(topology: Topology, tenant: Tenant, documents: Documents): Promise<PairLab> {
    const lab = new PairLab({ vms: [], documents: () => documents });
    await lab.launch(topology, tenant);
    return lab;
  }

  get topology(): Topology {
    if (!this.built) throw new Error('the laboratory stands only while its tests run');
    return this.built;
  }

  get tenant(): Tenant {
    if (!this.owner) throw new Error('the pair stands only while its tests run');
    return this.owner;
  }

  inet(): Promise<Agent> {
    return this.topology.inet.agent();
  }

  async start(): Promise<void> {
    const { vms, beside = [], routes, secondExternal, farMtu } = this.options;
    const more = { routes, secondExternal, farMtu };
    const idle = beside.map((name) => ({ name, vms: [], pair: true }));
    const topology = await Topology.build({ ...more, tenants: [{ name: 'blue', vms, pair: true }, ...idle] });
    await this.launch(topology, topology.tenants[0] as Tenant);
  }

  private async launch(topology: Topology, tenant: Tenant): Promise<void> {
    this.built = topology;
    this.owner = tenant;
    const { source = 'folder', secondUnder = {}, args = [], before } = this.options;
    await before?.(topology, tenant);
    this.documents = this.options.documents(tenant);
    const given = source === 'folder' ? { source, documents: this.documents } : { source };
    const launched = tenant.gateways.map((namespace, index) =>
      Member.launch(index === 0 ? 'a' : 'b', namespace, index, this.options, {
        ...given,
        args,
        ...(index === 0 ? {} : secondUnder),
      }),
    );
    this.members = await Promise.all(launched);
    if (source === 'api') await (this.members[0] as Member).give(this.documents);
    this.plugged = await Cables.of(tenant.name, tenant.gateways, topology.switch);
    await Promise.all(this.members.map((member) => member.supervisor.ready()));
    await this.settled();
  }

  /** One is active and the other ready to take over. */
  async settled(timeoutMs = READY_MS): Promise<{ active: Member; standby: Member }> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const roles = await Promise.all(this.members.map((member) => member.role().catch(() => 'Unknown' as const)));
      const [active, standby] = [roles.indexOf('Active'), roles.indexOf('Standby')];
      if (active >= 0 && standby >= 0)
        return { active: this.members[active] as Member, standby: this.members[standby] as Member };
      if (performance.now() > deadline)
        throw new Error(`no active and standby within ${timeoutMs} ms: ${roles.join()}\n${this.lastWords()}`);
      await sleep(POLL_MS);
    }
  }

  private lastWords(): string {
    const tail = (text: string): string => text.trimEnd().split('\n').slice(-12).join('\n');
    return this.members.map(({ name, supervisor }) => `${name}:\n${tail(supervisor.logs())}`).join('\n');
  }

  get cables(): Cables {
    if (!this.plugged) throw new Error('the pair stands only while its tests run');
    return this.plugged;
  }

  /** Both members find nothing wrong with themselves, and each knows it of the other. */
  sound(): Promise<void> {
    return this.until('both members are sound', async () => {
      const looks = await Promise.all(this.members.map((member) => member.look()));
      return looks.every(
        ({ faults, eligible, other }) => eligible && faults.length === 0 && other?.faults.length === 0,
      );
    });
  }

  /** As it is planned: the other one is known to be ready. */
  async switchover(member: Member): Promise<void> {
    await this.sound();
    const { status, text } = await member.supervisor.post('/v1/failover/switchover', {});
    if (status !== 200) throw new Error(`no switchover: ${status} ${text}`);
  }

  /** What a pulled cable looks like to both ends: the switch's port goes down. */
  cable(member: Member, names: readonly string[], state: 'up' | 'down'): Promise<void> {
    return this.cables.pull(member.namespace, names, state);
  }

  /** Of what is open now, as much stands in the other member's kernel. */
  async connectionsKnown(active: Member): Promise<void> {
    const other = this.members.find((member) => member !== active) as Member;
    let unknown: string[] = [];
    await this.until('connections are known', async () => {
      const [own, others] = await Promise.all([active.connections(), other.connections()]);
      unknown = [...own].filter((connection) => !others.has(connection));
      return unknown.length === 0;
    }).catch(async (error: unknown) => {
      const some = unknown.slice(0, 3);
      const inTheWay = await Promise.all(some.map((connection) => other.atPortsOf(connection)));
      throw new Error(
        [
          `${messageOf(error)}: ${unknown.length}, such as`,
          ...some.flatMap((connection, index) => [`  ${connection}`, ...(inTheWay[index] ?? [])]),
        ].join('\n'),
      );
    });
  }

  async until(what: string, holds: () => Promise<boolean>, timeoutMs = READY_MS): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await holds().catch(() => false))) {
      if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
      await sleep(POLL_MS);
    }
  }

  /** For what is measured over time. */
  wait(ms: number): Promise<void> {
    return sleep(ms);
  }

  async end(): Promise<void> {
    await Promise.all(this.members.map((member) => member.supervisor.stop()));
    this.built?.destroy();
  }
}
