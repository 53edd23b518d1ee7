import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Namespace } from './namespace.js';

const program = fileURLToPath(new URL('./syn-flood.pl', import.meta.url));

export interface SynFlood {
  to: string;
  port: number;
  seconds: number;
}

/**
 * First packets of connections, from thousands of addresses of 198.19.0.0/16, as fast as one process sends them. `over`
 * comes when the last is sent, and is how many a second there were.
 */
export function startSynFlood(from: Namespace, { to, port, seconds }: SynFlood): { over: Promise<number> } {
  const child = from.spawn(['perl', program, to, String(port), String(seconds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  (child.stdout as Readable).on('data', (chunk: Buffer) => (said += chunk.toString()));
  const over = new Promise<number>((resolve, reject) =>
    child.once('close', (code) => (code === 0 ? resolve(Number(said)) : reject(new Error(`syn-flood.pl: ${code}`)))),
  );
  return { over };
}
