import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Namespace } from '../support/namespace.js';
import { hasIpvs } from '../support/has-ipvs.js';
import type { Supervisor } from '../support/supervisor.js';
import { balanced, balancerDocuments, type BalancersPlan, before } from './balancers.js';
import { startEmpty, submit } from './gateway.js';
import { type Checker, countUp, startCheckers } from './bare-checkers.js';
import { buildNetwork, plainRange } from './network.js';
import { cpuMs, rssMb } from './process-figures.js';
import { type Bench, compared, plain, type Row, say } from './row.js';
import { median } from './statistics.js';

// What it costs to check 1,000 members every two seconds, over TCP and by HTTP; and how much later than its interval and
// threshold say a member that died takes no more connections. Where the kernel has IPVS, keepalived's checkers do the same
// after it.

const PORT = 7_000;
/** A connection costs so much there that figures only compare, and fewer members do. */
const IN_LAB = process.env['KERNEL_LAB'] === '1';
const EACH = IN_LAB ? 10 : 50;
const MEMBERS = 20 * EACH;
const plan = (healthCheck: string): BalancersPlan => ({
  balancers: 4,
  listeners: 5,
  members: EACH,
  port: PORT,
  healthCheck,
});
const SETTLES_MS = 6_000;
const bare = { label: 'bare', number: 2, destination: plainRange(2) };

/** Behind a router, which is the server: on one link they would be more neighbours than the kernel keeps, 1,024. */
const ROUTED = '10.1.64.0/18';
const PREFIXES = `[{cidr: ${ROUTED}, via: 10.0.0.5}]`;
const memberAddress = (index: number): string => `10.1.${64 + (index >> 8)}.${index & 255}`;
const documents = (size: BalancersPlan): string => balancerDocuments(size, memberAddress);

/** Answers TCP and HTTP on every address of the server's. */
const SERVER = `
const http = require('node:http');
const serve = (port) => http.createServer((_, response) => response.end('ok')).listen({ port, host: '0.0.0.0', backlog: 4096 });
for (let port = ${PORT}; port < ${PORT} + 5; port++) serve(port);
console.log('ready');
`;

async function serve(namespace: Namespace): Promise<void> {
  await namespace.ip([`route add local ${ROUTED} dev lo`]);
  const child = namespace.spawn([process.execPath, '-e', SERVER], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout as Readable, 'data');
}

export const lbChecks: Bench = {
  rows: ['lb-checks-cpu', 'lb-checks-http-cpu', 'lb-checks-rss', 'lb-checks-keepalived', 'lb-checks-http-keepalived'],
  async run({ short }) {
    const network = await buildNetwork([balanced], [bare]);
    try {
      await serve(network.server);
      const [namespace, other] = [network.namespace('gateway'), network.namespace('bare')];
      await other.ip([`route add ${ROUTED} via 10.0.0.5`]);
      const supervisor = await startEmpty(namespace);
      await submit(supervisor, [{ file: 'before.yaml', text: before({ balancers: 4 }, PREFIXES) }]);
      const windowMs = short ? 6_000 : 20_000;
      await sleep(SETTLES_MS);
      const resting = await shareOf(supervisor.pid, windowMs);
      say(`lb-checks: ${resting.toFixed(1)} % of a core without any member`);
      const rows: Row[] = [];
      for (const [name, type] of [
        ['lb-checks', 'TCP'],
        ['lb-checks-http', 'HTTP'],
      ] as const) {
        say(`${name}: ${MEMBERS} members, every 2 s`);
        const text = documents(plan(`{type: ${type}, interval: 2s, timeout: 1s}`));
        await submit(supervisor, [{ file: 'lb.yaml', text }]);
        await sleep(SETTLES_MS);
        const share = await shareOf(supervisor.pid, windowMs);
        const down = supervisor.logged('MemberDown').length;
        if (down > 0) throw new Error(`${down} members were found down, which none is`);
        if (!IN_LAB) rows.push(plain(`${name}-cpu`, share, '% of a core'));
        if (hasIpvs()) {
          const keepalived = await ofKeepalived(other, type, windowMs, supervisor.pid);
          rows.push(compared(`${name}-keepalived`, share, '% of a core', keepalived));
        }
      }
      return IN_LAB ? rows : [...rows, plain('lb-checks-rss', rssMb(supervisor.pid), 'MB')];
    } finally {
      network.destroy();
    }
  },
};

/** The same members, while the supervisor rests. */
async function ofKeepalived(namespace: Namespace, type: Checker, windowMs: number, resting: number): Promise<number> {
  process.kill(resting, 'SIGSTOP');
  const members = Array.from({ length: MEMBERS }, (_, i) => ({
    address: memberAddress(i),
    port: PORT + (Math.floor(i / EACH) % 5),
  }));
  const { pid } = startCheckers(namespace, type, members);
  await sleep(SETTLES_MS);
  const share = await shareOf(pid, windowMs);
  const up = await countUp(namespace);
  if (up !== MEMBERS) throw new Error(`keepalived found ${MEMBERS - up} members down, which none is`);
  process.kill(pid, 'SIGTERM');
  process.kill(resting, 'SIGCONT');
  return share;
}

async function shareOf(pid: number, windowMs: number): Promise<number> {
  const [was, began] = [cpuMs(pid), performance.now()];
  await sleep(windowMs);
  return ((cpuMs(pid) - was) / (performance.now() - began)) * 100;
}

const INTERVAL_MS = 500;
const THRESHOLD = 3;
/** A member that died in silence is found down so much later each time, which is no doing of ours. */
const TIMEOUT_MS = 100;

export const lbDetect: Bench = {
  rows: ['lb-detect', 'lb-detect-p50'],
  async run({ short }) {
    const network = await buildNetwork([balanced], []);
    try {
      await serve(network.server);
      const supervisor = await startEmpty(network.namespace('gateway'));
      const check = `{type: TCP, interval: ${INTERVAL_MS}ms, timeout: ${TIMEOUT_MS}ms, unhealthyThreshold: ${THRESHOLD}}`;
      const size: BalancersPlan = { ...plan(check), listeners: 2, members: 10 };
      await submit(supervisor, [{ file: 'all.yaml', text: `${before(size, PREFIXES)}---\n${documents(size)}` }]);
      await sleep(2 * INTERVAL_MS);
      const beyond: number[] = [];
      for (let i = 0; i < (short ? 3 : 12); i++) {
        // Not in step with its checks.
        await sleep(37 * i);
        beyond.push((await deathOf(memberAddress(i), network.server, supervisor)) - INTERVAL_MS * THRESHOLD);
      }
      say(`lb-detect: ${beyond.map((ms) => ms.toFixed(0)).join(', ')} ms`);
      return [plain('lb-detect', Math.max(...beyond), 'ms'), plain('lb-detect-p50', median(beyond), 'ms')];
    } finally {
      network.destroy();
    }
  },
};

/** Until its removal was verified in the kernel, in ms. */
async function deathOf(address: string, server: Namespace, supervisor: Supervisor): Promise<number> {
  const began = Date.now();
  await server.ip([`route add prohibit ${address}/32 table local`]);
  for (;;) {
    const [found] = supervisor.logged('MemberDown').filter(({ msg }) => String(msg).includes(` ${address}:`));
    if (found) return Date.parse(String(found['time'])) - began;
    if (Date.now() - began > 20_000) throw new Error(`${address} was not found down`);
    await sleep(5);
  }
}
