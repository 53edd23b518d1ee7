import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Namespace } from '../support/namespace.js';
import { undisturbed } from './undisturbed.js';

export interface ThroughputOptions {
  to: string;
  port?: number;
  from?: string;
  seconds?: number;
  /** Connections at the same time. */
  streams?: number;
  /** At the beginning, that do not count. */
  omittedSeconds?: number;
  /** From the server to the client. */
  reverse?: boolean;
  /** See `undisturbed`; the server needs another. */
  processor?: number;
}

const defaultPort = 5201;
/** A server sees a moment later that the client before has ended, and then opens its port anew. */
const MOST_ATTEMPTS = 50;

interface Report {
  error?: string;
  end?: { sum_received?: { bits_per_second: number } };
}

/** What arrived at the receiver of a TCP stream, in bits a second. Needs `iperfServer` at the other end. */
export async function throughput(client: Namespace, options: ThroughputOptions): Promise<number> {
  const { to, port = defaultPort, from, seconds = 1, streams = 1, omittedSeconds = 0, reverse = false } = options;
  const { processor } = options;
  const argv = ['iperf3', '--json', '--client', to, '--port', String(port), '--time', String(seconds)];
  argv.push('--parallel', String(streams), ...(from === undefined ? [] : ['--bind', from]));
  if (reverse) argv.push('--reverse');
  if (omittedSeconds > 0) argv.push('--omit', String(omittedSeconds));
  const timeoutMs = (omittedSeconds + seconds + 20) * 1000;
  let report: Report = {};
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const { stdout } = await client.exec(undisturbed(processor, argv), { okExitCodes: [0, 1], timeoutMs });
    report = JSON.parse(stdout) as Report;
    if (!/busy|refused/.test(report.error ?? '')) break;
  }
  if (report.error !== undefined) throw new Error(`iperf3 to ${to}: ${report.error}`);
  const bitsPerSecond = report.end?.sum_received?.bits_per_second;
  if (bitsPerSecond === undefined) throw new Error(`iperf3 to ${to} reports no sum`);
  return bitsPerSecond;
}

/** Serves one client after the other, until the returned function is called or the namespace goes. */
export async function iperfServer(
  server: Namespace,
  { port = defaultPort, processor }: { port?: number; processor?: number } = {},
): Promise<() => void> {
  const argv = ['iperf3', '--server', '--forceflush', '--port', String(port)];
  const child = server.spawn(undisturbed(processor, argv), { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout as Readable });
  const listening = new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      if (line.startsWith('Server listening')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`iperf3 server ended: ${code}`)));
  });
  await listening;
  return () => void child.kill();
}
