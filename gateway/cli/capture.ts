/** `capture`: what passes an elastic IP on both sides, into one file. */
import { createWriteStream } from 'node:fs';
import { Client } from './client.js';
import type { Target } from './options.js';

export interface CaptureOptions {
  readonly target: Target;
  readonly filter: string | undefined;
  readonly seconds: number;
  readonly maxBytes: number;
  readonly payload: boolean;
  /** `-` for standard output. */
  readonly file: string;
}

export async function capture(elasticIP: string, { target, file, ...request }: CaptureOptions): Promise<void> {
  // Nothing is written over before the supervisor has said yes.
  const open = () => (file === '-' ? process.stdout : createWriteStream(file, { mode: 0o600 }));
  process.stderr.write(`capturing for ${request.seconds} s at most; Ctrl-C ends it, and keeps what is there\n`);
  const bytes = await new Client(target).download('/v1/capture', { elasticIP, ...request }, open);
  process.stderr.write(`${bytes} bytes${file === '-' ? '' : ` in ${file}`}\n`);
}
