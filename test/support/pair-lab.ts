import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { memberAddresses } from './addresses.js';
import type { Agent } from './agent.js';
import type { Document } from './documents.js';
import type { Namespace } from './namespace.js';
import { currentRun } from './run-name.js';
import type { PairLook } from '../../gateway/reconcile/pair.js';
import { Supervisor, type SupervisorOptions } from './supervisor.js';
import { type Tenant, Topology, type TopologyOptions, type VmOptions } from './topology.js';

// The standard picture with one tenant whose gateway is a pair: two real members, each with its supervisor, keepalived
// and conntrackd, in namespaces of their own.

export type Role = 'Active' | 'Standby' | 'Fault' | 'Unknown';

const READY_MS = 60_000;
const POLL_MS = 5;
const SECRET = 'of the two members of the laboratory, and nobody else';

/** One of the two. */
export class Member {
  constructor(
    readonly name: string,
    readonly namespace: Namespace,
    readonly supervisor: Supervisor,
  ) {}

  static launch(name: string, namespace: Namespace, index: number, options: SupervisorOptions): Member {
    const directory = mkdtempSync(join(currentRun().directory, 'member-'));
    const [file, secretFile] = [join(directory, 'member.yaml'), join(directory, 'secret')];
    writeFileSync(secretFile, `${SECRET}\n`, { mode: 0o600 });
    const [address, peer] = index === 0 ? memberAddresses : [...memberAddresses].reverse();
    writeFileSync(file, stringify({ name, interface: 'sync0', address, peer, secretFile }));
    return new Member(name, namespace, Supervisor.launch(namespace, { ...options, args: ['--member', file] }));
  }

  /** By API, as soon as it is served. */
  async give(documents: readonly Document[]): Promise<void> {
    await this.supervisor.statusWhen(() => true);
    const text = documents.map((each) => stringify(each)).join('---\n');
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
    return [this.supervisor.pid, ...this.daemonPids('keepalived'), ...this.daemonPids('conntrackd')];
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

  /** TCP connections in the kernel's own table, each with its translation. */
  async connections(): Promise<Set<string>> {
    const { stdout } = await this.namespace.exec(['conntrack', '-L', '-p', 'tcp', '--state', 'ESTABLISHED']);
    const ends = (line: string): string => [...line.matchAll(/(?:src|dst|sport|dport|mark)=\S+/g)].join(' ');
    return new Set(stdout.split('\n').filter(Boolean).map(ends));
  }

  signal(pids: readonly number[], signal: NodeJS.Signals): void {
    for (const pid of pids) process.kill(pid, signal);
  }
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

export interface PairLabOptions extends Omit<TopologyOptions, 'tenants'> {
  vms: readonly (string | VmOptions)[];
  documents: (tenant: Tenant) => readonly Document[];
  /** By API, documents are given to the first member alone. */
  source?: 'folder' | 'api';
  /** What the second member's supervisor runs under. */
  secondUnder?: Pick<SupervisorOptions, 'wrapper' | 'env'>;
}

export class PairLab {
  private built: Topology | undefined;
  members: readonly Member[] = [];

  constructor(private readonly options: PairLabOptions) {}

  get topology(): Topology {
    if (!this.built) throw new Error('the laboratory stands only while its tests run');
    return this.built;
  }

  get tenant(): Tenant {
    return this.topology.tenants[0] as Tenant;
  }

  inet(): Promise<Agent> {
    return this.topology.inet.agent();
  }

  async start(): Promise<void> {
    const { vms, documents, source = 'folder', secondUnder = {}, ...more } = this.options;
    this.built = await Topology.build({ ...more, tenants: [{ name: 'blue', vms, pair: true }] });
    const given = documents(this.tenant);
    this.members = this.tenant.gateways.map((namespace, index) =>
      Member.launch(index === 0 ? 'a' : 'b', namespace, index, {
        source,
        ...(source === 'folder' ? { documents: given } : {}),
        ...(index === 0 ? {} : secondUnder),
      }),
    );
    if (source === 'api') await (this.members[0] as Member).give(given);
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
        throw new Error(`no active and standby within ${timeoutMs} ms: ${roles.join()}`);
      await sleep(POLL_MS);
    }
  }

  /** What a pulled cable looks like to both ends: the switch's port goes down. */
  async cable(member: Member, names: readonly string[], state: 'up' | 'down'): Promise<void> {
    const { stdout } = await member.namespace.exec(['ip', '-j', 'link']);
    const links = JSON.parse(stdout) as { ifname: string; link_index?: number }[];
    const ports = links.filter(({ ifname }) => names.includes(ifname)).map(({ link_index: index }) => index);
    const there = await this.topology.switch.exec(['ip', '-j', 'link']);
    const ends = (JSON.parse(there.stdout) as { ifname: string; ifindex: number }[])
      .filter(({ ifindex }) => ports.includes(ifindex))
      .map(({ ifname }) => ifname);
    await this.topology.switch.ip(ends.map((name) => `link set ${name} ${state}`));
  }

  /** Of what is open now, as much stands in the other member's kernel. */
  async connectionsKnown(active: Member): Promise<void> {
    const other = this.members.find((member) => member !== active) as Member;
    await this.until('connections are known', async () => {
      const [own, others] = await Promise.all([active.connections(), other.connections()]);
      return [...own].every((connection) => others.has(connection));
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
