// Bundles the supervisor with all of its packages: it starts in half the time of the unbundled one, and the image needs no
// node_modules. dist/vpcgw.js is what one runs: a few lines that load dist/program.js, and by dist/program.js.cache, its
// compiled form, save a start another 70 ms of CPU. A cache that is missing or not the program's own is ignored.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const program = `${root}dist/program.js`;

// The garbage of a start alone would have V8 keep 16 MB for the next. A program that rests most of the time gains nothing by a
// second compiler, by a copy of V8's own code beside its own, and by four helpers: they cost 3 MB, and an edit is not slower
// without. V8 takes compiled code from a process of equal options.
const options = ['--max-semi-space-size=1', '--no-sparkplug', '--no-short-builtin-calls', '--v8-pool-size=1'];

const { outputFiles } = await build({
  entryPoints: [`${root}gateway/main.ts`],
  outfile: program,
  write: false,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
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

// Strict, as the modules were from which it comes. Its first line, a digest, is that of its compiled form too: V8 itself
// compares no more than lengths.
const body = `(function (require, module, exports) { 'use strict'; ${outputFiles[0].text}\n})`;
const firstLine = `//${createHash('sha256').update(body).digest('hex')}\n`;
const source = firstLine + body;

// V8 takes compiled code only with its source at hand, and must not have compiled that already: so it is read as a text.
const launcher = `#!/usr/bin/env -S node ${options.join(' ')}
const builtin = (name) => process.getBuiltinModule('node:' + name);
const { readFileSync, realpathSync } = builtin('fs');
const filename = realpathSync(process.argv[1]).replace(/[^/]*$/, 'program.js');
const compiledFor = (source) => {
  try {
    const kept = readFileSync(filename + '.cache');
    return source.startsWith(kept.latin1Slice(0, ${firstLine.length})) ? kept.subarray(${firstLine.length}) : undefined;
  } catch {
    return undefined;
  }
};
// A function of its own, so that nothing holds the compiled form while the program runs.
const load = () => {
  const source = readFileSync(filename, 'utf8');
  return new (builtin('vm').Script)(source, { filename, cachedData: compiledFor(source) }).runInThisContext();
};
load()(builtin('module').createRequire(filename), { exports: {} }, {});
`;

const warmUp = spawnSync(process.execPath, [...options, `${root}images/compile.mjs`], {
  input: source,
  stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
  maxBuffer: 64 * 1024 * 1024,
});
if (warmUp.status !== 0) throw new Error(`images/compile.mjs: ${warmUp.stderr.toString()}`);

mkdirSync(`${root}dist`, { recursive: true });
replace(`${program}.cache`, Buffer.concat([Buffer.from(firstLine), warmUp.output[3]]));
replace(program, source);
replace(`${root}dist/vpcgw.js`, launcher);

/** In one step, so that a supervisor that starts meanwhile never reads half a file. */
function replace(path, content) {
  const unfinished = `${path}.${process.pid}.tmp`;
  writeFileSync(unfinished, content);
  chmodSync(unfinished, 0o755);
  renameSync(unfinished, path);
}
