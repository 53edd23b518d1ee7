/** `support-bundle`: one file with all that somebody far away needs, and nothing secret. */
import { createWriteStream } from 'node:fs';
import { Client } from './client.js';
import type { Target } from './options.js';

export async function supportBundle(target: Target, given: string | undefined): Promise<void> {
  const file = given ?? `vpcgw-support-${new Date().toISOString().slice(0, 19).replace(/\W/g, '')}.tar.gz`;
  const open = () => (file === '-' ? process.stdout : createWriteStream(file, { mode: 0o600 }));
  const bytes = await new Client(target).download('/v1/support-bundle', {}, open);
  if (file !== '-') process.stderr.write(`${bytes} bytes in ${file}; its manifest.json says what is in it\n`);
}
