import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { memberAddresses } from '../support/addresses.js';
import { Agent } from '../support/agent.js';
import type { Namespace } from '../support/namespace.js';
import { Cables } from '../support/pair-cables.js';
import { currentRun } from '../support/run-name.js';
import type { Topology } from '../support/topology.js';

// What a pair is compared with: keepalived alone, with one address and nothing else, in two namespaces of a tenant whose
// gateways do nothing. Its address answers datagrams itself.

const ADDRESS = '203.0.113.99';
const ECHO = 7;
const GOES_ON_MS = 300;

export class BareKeepalived {
  private readonly running = new Map<Namespace, ChildProcess>();

  private constructor(
    private readonly members: readonly Namespace[],
    private readonly cables: Cables,
    private readonly inet: Agent,
    private readonly advertMs: number,
  ) {}

  static async start(topology: Topology, tenant: string, advertMs: number): Promise<BareKeepalived> {
    const { gateways } = topology.tenant(tenant);
    const cables = await Cables.of(tenant, gateways, topology.switch);
    const bare = new BareKeepalived(gateways, cables, await topology.inet.agent(), advertMs);
    for (const [index, member] of gateways.entries()) {
      await member.ip([`address add 100.64.0.${21 + index}/24 dev ext0`, 'route add default via 100.64.0.1']);
      await member.setSysctls({ 'ipv4/ip_nonlocal_bind': 1 });
      await (await Agent.start(member)).udpServer({ port: ECHO, address: ADDRESS });
      await bare.elect(member);
    }
    return bare;
  }

  /** The longest time without an answer when the node of the active one dies, in ms. */
  async nodeDeath(): Promise<number> {
    const active = await this.active();
    const stream = await this.inet.udpStream({ to: ADDRESS, from: '198.51.100.1', port: ECHO, intervalMs: 2 });
    await sleep(GOES_ON_MS);
    const child = this.running.get(active);
    await this.cables.silence(active);
    child?.kill('SIGKILL');
    const other = this.members.find((member) => member !== active) as Namespace;
    while (!(await holds(other))) await sleep(2);
    await sleep(GOES_ON_MS);
    const { longestGapMs } = await stream.stop();
    await stream.close();
    // Its child may have ended by itself, and taken the address away.
    await active.exec(['ip', 'address', 'delete', `${ADDRESS}/32`, 'dev', 'ext0'], { okExitCodes: [0, 2] });
    await this.cables.unsilence(active);
    await this.elect(active);
    return longestGapMs;
  }

  private async active(): Promise<Namespace> {
    for (;;) {
      for (const member of this.members) if (await holds(member)) return member;
      await sleep(2);
    }
  }

  private async elect(member: Namespace): Promise<void> {
    const directory = mkdtempSync(join(currentRun().directory, 'bare-'));
    const at = (name: string): string => join(directory, name);
    writeFileSync(at('keepalived.conf'), this.config(this.members.indexOf(member)));
    const argv = ['keepalived', '--dont-fork', '--log-console', '--vrrp', '--use-file', at('keepalived.conf')];
    const pids = ['--pid', at('parent'), '--vrrp_pid', at('vrrp')];
    const child = member.spawn([...argv, ...pids], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.running.set(member, child);
    await new Promise<void>((resolve, reject) => {
      const hear = (line: string): void => {
        if (line.includes('BACKUP STATE')) resolve();
      };
      for (const output of [child.stdout, child.stderr])
        createInterface({ input: output as Readable }).on('line', hear);
      child.once('close', () => reject(new Error('keepalived ended')));
    });
  }

  private config(index: number): string {
    const [own, peer] = index === 0 ? memberAddresses : [...memberAddresses].reverse();
    return `global_defs {
  vrrp_version 3
  vrrp_rt_priority 10
}
vrrp_instance bare {
  state BACKUP
  nopreempt
  interface sync0
  virtual_router_id 77
  priority ${254 - index}
  advert_int ${this.advertMs / 1000}
  unicast_src_ip ${own}
  unicast_peer {
    ${peer}
  }
  virtual_ipaddress {
    ${ADDRESS}/32 dev ext0
  }
}
`;
  }
}

async function holds(member: Namespace): Promise<boolean> {
  return (await member.exec(['ip', 'address', 'show', 'dev', 'ext0'])).stdout.includes(ADDRESS);
}
