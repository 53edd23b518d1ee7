/** Files in memory, gone with their last reader: for programs that take or give what is better not streamed. */
import { createHash } from 'node:crypto';
import { openSync, readSync, unlinkSync, writeSync } from 'node:fs';

let number = 0;

/** Written by position, so that the reader begins at its beginning. */
export function anonymousFile(text: string): number {
  const path = `/dev/shm/vpcgw-${process.pid}-${number++}`;
  const file = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  writeSync(file, text, 0);
  return file;
}

const chunk = Buffer.alloc(64 * 1024);

/** SHA-256 of all that stands in the file, which is never held as a whole. */
export function digestOf(file: number): string {
  const hash = createHash('sha256');
  for (let at = 0, length; (length = readSync(file, chunk, 0, chunk.length, at)) > 0; at += length)
    hash.update(chunk.subarray(0, length));
  return hash.digest('hex');
}
