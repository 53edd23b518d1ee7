import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Namespace } from '../support/namespace.js';
import type { Arrival } from './timeline.js';

// What ordinary programs receive, and when: a ping's answers, a download's bytes.

export interface Pings {
  readonly arrivals: readonly Arrival[];
  stop(): Promise<void>;
}

export function ping(from: Namespace, to: string, everyMs: number): Pings {
  const child = from.spawn(['ping', '-n', '-i', String(everyMs / 1000), to], { stdio: ['ignore', 'pipe', 'inherit'] });
  const arrivals: Arrival[] = [];
  createInterface({ input: child.stdout as Readable }).on('line', (line) => {
    if (line.includes('bytes from')) arrivals.push({ atMs: performance.now(), amount: 1 });
  });
  const ended = once(child, 'close');
  return {
    arrivals,
    stop: async () => {
      child.kill('SIGINT');
      await ended;
    },
  };
}

export interface Download {
  readonly arrivals: readonly Arrival[];
  /** Whether all came, as it was sent. */
  readonly whole: Promise<boolean>;
}

/** From one of the laboratory's `source` servers: a greeting, what it is going to send, and that. */
export function download(from: Namespace, to: string, port: number): Download {
  const child = from.spawn(['socat', '-u', `TCP:${to}:${port}`, '-'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const arrivals: Arrival[] = [];
  const chunks: Buffer[] = [];
  (child.stdout as Readable).on('data', (chunk: Buffer) => {
    arrivals.push({ atMs: performance.now(), amount: chunk.length });
    chunks.push(chunk);
  });
  const whole = once(child, 'close').then(() => isWhole(Buffer.concat(chunks)));
  return { arrivals, whole };
}

function isWhole(received: Buffer): boolean {
  const greeting = received.indexOf('\n');
  const announcement = received.indexOf('\n', greeting + 1);
  const announced = JSON.parse(received.subarray(greeting + 1, announcement).toString()) as { sha256: string };
  const digest = createHash('sha256').update(received.subarray(announcement + 1));
  return digest.digest('hex') === announced.sha256;
}
