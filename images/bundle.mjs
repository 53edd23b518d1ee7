// Bundles the supervisor with all of its packages into one executable file, dist/vpcgw.js: it starts in half the time
// of the unbundled one, and the image needs no node_modules.
import { chmod, rename } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const bundle = `${root}dist/vpcgw.js`;
const unfinished = `${bundle}.${process.pid}.tmp`;

// Packages written as CommonJS call `require` for Node's own modules, which an ES module does not have.
const banner = `#!/usr/bin/env node
import { createRequire as createBundleRequire } from 'node:module';
const require = createBundleRequire(import.meta.url);`;

await build({
  entryPoints: [`${root}gateway/main.ts`],
  outfile: unfinished,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  banner: { js: banner },
  // Judging bodies and writing answers is zod's work and JSON.stringify's: fastify's own compilers are never called.
  alias: {
    '@fastify/ajv-compiler': `${root}images/never-called.mjs`,
    '@fastify/fast-json-stringify-compiler': `${root}images/never-called.mjs`,
  },
  // Less text to read and to hold; names stay, for the sake of stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'eof',
  logLevel: 'warning',
}).catch(() => process.exit(1)); // esbuild has said why
await chmod(unfinished, 0o755);
// In one step, so that a supervisor that starts meanwhile never reads half a file.
await rename(unfinished, bundle);
