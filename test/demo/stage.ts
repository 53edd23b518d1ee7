import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Agent } from '../support/agent.js';
import { Capture } from '../support/capture.js';
import { type GatewayStatus, Supervisor } from '../support/supervisor.js';
import { Keys } from '../support/plain-wireguard.js';
import { type Tenant, Topology } from '../support/topology.js';

// Who takes part: the internet, two tenants with VMs that serve, and a supervisor in each tenant's gateway. A third
// tenant's pair of gateways is there for the scene that needs it, which starts and ends its supervisors.

const examples = fileURLToPath(new URL('../../manifests/examples/', import.meta.url));

export const exampleText = (file: string): string => readFileSync(examples + file, 'utf8');

export class Gateway {
  constructor(
    readonly tenant: Tenant,
    readonly supervisor: Supervisor,
    readonly keys: Keys,
  ) {}

  vm(name: string): Promise<Agent> {
    return this.tenant.vm(name).agent();
  }

  /** Lays an example beside the tenant's documents; returns once the supervisor has taken or refused the folder. */
  async lay(example: string, text = exampleText(example)): Promise<GatewayStatus> {
    const path = join(this.supervisor.configDirectory, example);
    writeFileSync(`${path}.unfinished`, text);
    renameSync(`${path}.unfinished`, path);
    return this.judged();
  }

  async takeAway(example: string): Promise<GatewayStatus> {
    rmSync(join(this.supervisor.configDirectory, example));
    return this.judged();
  }

  private judged(): Promise<GatewayStatus> {
    const { configDirectory } = this.supervisor;
    const hash = createHash('sha256');
    const files = readdirSync(configDirectory).filter((name) => name.endsWith('.yaml'));
    for (const file of files.sort()) hash.update(readFileSync(join(configDirectory, file), 'utf8'));
    const digest = hash.digest('hex');
    return this.supervisor.statusWhen(({ folder, ready }) => folder?.digest === digest && (ready || !folder.taken));
  }
}

export class Stage {
  private constructor(
    readonly topology: Topology,
    readonly blue: Gateway,
    readonly green: Gateway,
    readonly inet: Agent,
    /** Every packet with a tenant's private source that reached the internet, since before the first supervisor. */
    readonly leaks: Capture,
  ) {}

  static async build(): Promise<Stage> {
    const topology = await Topology.build({
      tenants: [
        { name: 'blue', vms: ['web', 'app', 'db'] },
        { name: 'green', vms: ['web', 'app'] },
        { name: 'red', vms: ['web', 'app'], pair: true },
      ],
    });
    const leaks = await Capture.start(topology.inet.namespace, { interface: 'ext', filter: leakFilter });
    const [blue, green] = await Promise.all(['blue', 'green'].map((name) => open(topology.tenant(name))));
    const inet = await topology.inet.agent();
    await inet.tcpServer({ port: 8080 });
    await inet.udpServer({ port: 5353, address: '198.51.100.1', mode: 'whoami' });
    await inet.udpServer({ port: 5354, address: '198.51.100.1' });
    return new Stage(topology, blue as Gateway, green as Gateway, inet, leaks);
  }
}

const leakFilter = '(ip and src net 10.0.0.0/8) or (ip6 and src net fd00::/8)';

async function open(tenant: Tenant): Promise<Gateway> {
  const keys = new Keys();
  const documents = exampleText(`${tenant.name}.yaml`);
  const supervisor = await Supervisor.start(tenant.gateway, { documents, args: keys.args });
  const gateway = new Gateway(tenant, supervisor, keys);
  const names = tenant.name === 'blue' ? ['web', 'app', 'db'] : ['web', 'app'];
  await Promise.all(names.map(async (name) => serve(await gateway.vm(name), tenant.vm(name).address)));
  return gateway;
}

/** What a VM answers on: a web server, a shell's port, a name server; each says who it is and whom it sees. */
async function serve(vm: Agent, address: string): Promise<void> {
  await vm.tcpServer({ port: 80 });
  await vm.tcpServer({ port: 22 });
  await vm.udpServer({ port: 53, address, mode: 'whoami' });
}
