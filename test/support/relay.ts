import { existsSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Namespace } from './namespace.js';
import { currentRun } from './run-name.js';

/** A unix socket that leads to a TCP port in a namespace, where this process itself is not. Ends with the namespace. */
export async function relayInto(namespace: Namespace, address: string, port: number): Promise<string> {
  const path = join(mkdtempSync(join(currentRun().directory, 'relay-')), 'sock');
  namespace.spawn(['socat', `UNIX-LISTEN:${path},fork,backlog=512`, `TCP:${address}:${port}`], { stdio: 'ignore' });
  const deadline = performance.now() + 10_000;
  while (!existsSync(path)) {
    if (performance.now() > deadline) throw new Error(`socat does not listen at ${path}`);
    await sleep(5);
  }
  return path;
}
