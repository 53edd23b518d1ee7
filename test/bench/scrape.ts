import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Supervisor } from '../support/supervisor.js';
import { gatewayPlan } from './documents.js';
import { startGateway } from './gateway.js';
import { buildNetwork } from './network.js';
import { type Bench, plain, say } from './row.js';
import { median } from './statistics.js';

// How long a scrape of `/metrics` with 5,000 elastic IPs holds the event loop: the longest that anybody who asks for
// `/healthz` again and again meanwhile has to wait. The scrape is another process's, so that its reading is not counted.

const plan = gatewayPlan('gateway', 1, 5_000);

export const scrape: Bench = {
  rows: ['scrape'],
  async run({ short }) {
    const network = await buildNetwork([plan], []);
    try {
      say(`scrape: ${plan.elasticIps} elastic IPs`);
      const supervisor = await startGateway(network.namespace('gateway'), plan);
      const longest: number[] = [];
      for (let round = 0; round < (short ? 3 : 15); round++) longest.push(await longestWait(supervisor));
      await confirm(supervisor);
      return [plain('scrape', median(longest), 'ms')];
    } finally {
      network.destroy();
    }
  },
};

async function longestWait(supervisor: Supervisor): Promise<number> {
  const scraper = spawn('socat', ['-t', '0.1', '-', `UNIX-CONNECT:${supervisor.socketPath}`], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = once(scraper, 'close');
  let over = false;
  void ended.then(() => (over = true));
  scraper.stdin.write('GET /metrics HTTP/1.1\r\nHost: vpcgw\r\nConnection: close\r\n\r\n');
  let longest = 0;
  while (!over) {
    const began = performance.now();
    await supervisor.get('/healthz');
    longest = Math.max(longest, performance.now() - began);
  }
  return longest;
}

async function confirm(supervisor: Supervisor): Promise<void> {
  const { length } = (await supervisor.metrics()).all('vpcgw_connections_total');
  if (length < plan.elasticIps) throw new Error(`the scrape tells of ${length} elastic IPs only`);
}
