import { afterAll, beforeAll } from 'vitest';
import type { Agent } from './agent.js';
import type { Document } from './documents.js';
import { showLogsOfFailures } from './show-logs.js';
import { Supervisor, type SupervisorOptions } from './supervisor.js';
import type { GatewayStatus } from './supervisor.js';
import { Topology } from './topology.js';
import type { Host, Tenant, TopologyOptions } from './topology.js';

// Called in a `describe`: the standard picture with a real supervisor in each tenant's gateway, for the tests there.

export interface GatewayLabOptions extends TopologyOptions {
  /** What each tenant's gateway starts with. */
  documents: (tenant: Tenant) => readonly Document[];
  /** How each supervisor is started. */
  supervisor?: Pick<SupervisorOptions, 'wrapper' | 'args'>;
  /** Between the wiring and the first supervisor. */
  prepare?: (topology: Topology) => Promise<void>;
}

/** Where every host of the laboratory answers, on each of its addresses. */
export const ports = { tcp: 80, udp: 53, udpEcho: 7 };

export class GatewayLab {
  private built: Topology | undefined;
  private readonly supervisors = new Map<string, Supervisor>();

  constructor(private readonly options: GatewayLabOptions) {}

  get topology(): Topology {
    if (!this.built) throw new Error('the laboratory stands only while its tests run');
    return this.built;
  }

  /** The first tenant: most pictures have one. */
  get tenant(): Tenant {
    return this.topology.tenants[0] as Tenant;
  }

  supervisor(tenant = this.tenant): Supervisor {
    return this.supervisors.get(tenant.name) as Supervisor;
  }

  get running(): readonly Supervisor[] {
    return [...this.supervisors.values()];
  }

  /** Instead of the documents so far. */
  apply(documents: readonly Document[], tenant = this.tenant, timeoutMs?: number): Promise<GatewayStatus> {
    return this.supervisor(tenant).apply(documents, timeoutMs);
  }

  vm(name: string, tenant = this.tenant): Promise<Agent> {
    return tenant.vm(name).agent();
  }

  inet(): Promise<Agent> {
    return this.topology.inet.agent();
  }

  async start(): Promise<void> {
    const { documents, prepare } = this.options;
    this.built = await Topology.build(this.options);
    await prepare?.(this.built);
    await Promise.all(
      this.built.tenants.map(async (tenant) => {
        const supervisor = Supervisor.launch(tenant.gateway, {
          ...this.options.supervisor,
          documents: documents(tenant),
        });
        this.supervisors.set(tenant.name, supervisor);
        await supervisor.ready();
      }),
    );
  }

  async end(): Promise<void> {
    await Promise.all(this.running.map((supervisor) => supervisor.stop()));
    this.built?.destroy();
  }
}

export function useGatewayLab(options: GatewayLabOptions): GatewayLab {
  const lab = new GatewayLab(options);
  showLogsOfFailures(() => lab.running);
  beforeAll(() => lab.start());
  afterAll(() => lab.end());
  return lab;
}

/** Servers on the well-known `ports` of the laboratory: TCP echo, UDP that tells who it is, UDP echo. */
export async function serve(...hosts: readonly Host[]): Promise<void> {
  await Promise.all(
    hosts.map(async (host) => {
      const agent = await host.agent();
      await agent.tcpServer({ port: ports.tcp });
      for (const address of host.addresses) {
        await agent.udpServer({ port: ports.udp, address, mode: 'whoami' });
        await agent.udpServer({ port: ports.udpEcho, address });
      }
    }),
  );
}
