import type { ChildProcess } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { layManagement } from './management-network.js';
import type { Namespace } from './namespace.js';
import { currentRun } from './run-name.js';
import type { Tenant, Topology } from './topology.js';

// A real etcd, which both members of a pair reach by a management network of its own, and which can be frozen.

const ADDRESS = '172.30.255.1';
const READY_MS = 20_000;
export const voteOf = { engine: 'Etcd', servers: [`http://${ADDRESS}:2379`] };

export class ThirdVoter {
  private constructor(
    private readonly place: Namespace,
    private readonly process: ChildProcess,
  ) {}

  static async start({ switch: place }: Topology, tenant: Tenant): Promise<ThirdVoter> {
    await layManagement(place, tenant, ADDRESS);
    const [client, peer] = [`http://${ADDRESS}:2379`, `http://${ADDRESS}:2380`];
    const process = place.spawn(
      [
        ...['etcd', '--name', 'v', '--data-dir', mkdtempSync(join(currentRun().directory, 'etcd-'))],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `v=${peer}`],
      ],
      { stdio: ['ignore', 'ignore', 'ignore'], env: { PATH: globalThis.process.env['PATH'], GOMAXPROCS: '1' } },
    );
    const voter = new ThirdVoter(place, process);
    await voter.answers();
    return voter;
  }

  /** It answers nobody, and nobody is told. */
  freeze(): void {
    this.process.kill('SIGSTOP');
  }

  async thaw(): Promise<void> {
    this.process.kill('SIGCONT');
    await this.answers();
  }

  private async answers(): Promise<void> {
    const url = `http://${ADDRESS}:2379/health`;
    const deadline = performance.now() + READY_MS;
    for (;;) {
      const { exitCode } = await this.place.exec(['curl', '-sf', '-m', '2', url], { okExitCodes: [0, 7, 22, 28, 52] });
      if (exitCode === 0) return;
      if (performance.now() > deadline) throw new Error(`etcd does not answer within ${READY_MS} ms`);
      await sleep(50);
    }
  }
}
