import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

// The agent is TypeScript, and a process per namespace should start fast: bundled once for each state of its source.

const sources = fileURLToPath(new URL('./agent-main/', import.meta.url));
const operations = fileURLToPath(new URL('./agent-operations.ts', import.meta.url));
const cache = fileURLToPath(new URL('../../node_modules/.cache/vpcgw-lab/', import.meta.url));

let program: Promise<string> | undefined;

/** A file that plain Node runs. */
export function agentProgram(): Promise<string> {
  program ??= bundled();
  return program;
}

async function bundled(): Promise<string> {
  const hash = createHash('sha256').update(readFileSync(operations));
  for (const file of readdirSync(sources).sort()) hash.update(file).update(readFileSync(sources + file));
  const file = `${cache}agent-${hash.digest('hex').slice(0, 16)}.mjs`;
  if (existsSync(file)) return file;
  const { build } = await import('esbuild');
  await mkdir(cache, { recursive: true });
  const unfinished = `${file}.${process.pid}`;
  await build({
    entryPoints: [`${sources}main.ts`],
    outfile: unfinished,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
  });
  // By rename: another run may look for it at this moment.
  await rename(unfinished, file);
  return file;
}
