import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Namespace } from '../support/namespace.js';
import { median, percentile } from './statistics.js';
import { undisturbed } from './undisturbed.js';

// How long connect() takes from one namespace over two or more paths, measured in turn, so that whatever else the
// machine does meets all paths alike.

const program = fileURLToPath(new URL('./connect-client.pl', import.meta.url));

export interface ConnectOptions {
  port: number;
  /** Connections on each path. */
  count: number;
  /** By the path's name: the addresses to connect to, one after the other. */
  paths: Readonly<Record<string, readonly string[]>>;
  timeoutMs?: number;
  /** Rounds a second; as fast as they go where it is left out. */
  rate?: number;
  /** See `undisturbed`. */
  processor?: number;
}

export class ConnectTimes {
  readonly all: number[] = [];
  readonly byAddress = new Map<string, number[]>();

  add(address: string, ms: number): void {
    this.all.push(ms);
    const ofAddress = this.byAddress.get(address) ?? [];
    ofAddress.push(ms);
    this.byAddress.set(address, ofAddress);
  }

  get p50(): number {
    return median(this.all);
  }

  get p99(): number {
    return percentile(this.all, 99);
  }

  /** Of each address its median. */
  get p50ByAddress(): Map<string, number> {
    return new Map([...this.byAddress].map(([address, times]) => [address, median(times)]));
  }
}

/** Times in milliseconds, by path. Needs `acceptConnections` at the other ends. */
export async function connectTimes(client: Namespace, options: ConnectOptions): Promise<Map<string, ConnectTimes>> {
  const { port, count, paths, rate, processor, timeoutMs = 120_000 } = options;
  const targets = Object.entries(paths).flatMap(([path, addresses]) =>
    addresses.map((address) => `${path} ${address}\n`),
  );
  const argv = ['perl', program, rate === undefined ? 'connect' : 'pace', String(port), String(count)];
  if (rate !== undefined) argv.push(String(rate));
  const pinned = undisturbed(processor, argv);
  const { stdout } = await client.exec(pinned, { stdin: targets.join(''), timeoutMs });
  const times = new Map(Object.keys(paths).map((path) => [path, new ConnectTimes()]));
  for (const line of stdout.trimEnd().split('\n')) {
    const [path = '', address = '', nanoseconds] = line.split(' ');
    times.get(path)?.add(address, Number(nanoseconds) / 1e6);
  }
  return times;
}

/** How many connections a second one process opens, one after the other. */
export async function connectRate(
  client: Namespace,
  { port, addresses, seconds }: { port: number; addresses: readonly string[]; seconds: number },
): Promise<number> {
  const stdin = addresses.map((address) => `all ${address}\n`).join('');
  const { stdout } = await client.exec(['perl', program, 'saturate', String(port), String(seconds)], {
    stdin,
    timeoutMs: (seconds + 20) * 1000,
  });
  return Number(stdout) / seconds;
}

/** Listens until the returned function is called or the namespace goes. */
export async function acceptConnections(server: Namespace, port: number): Promise<() => void> {
  const argv = ['perl', program, 'accept', String(port)];
  const child = server.spawn(argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve, reject) => {
    (child.stdout as Readable).once('data', resolve);
    child.once('exit', (code) => reject(new Error(`connect-client.pl accept ended: ${code}`)));
  });
  return () => void child.kill();
}
