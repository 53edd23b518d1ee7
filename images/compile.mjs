// Reads the bundled program from standard input and writes what V8 made of it to file descriptor 3. So that the functions
// of a start are among it, two commands are carried out first that touch nothing: one that is refused when everything
// is loaded, and one that judges documents.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

const commands = [
  ['run', '--source', 'kubernetes'],
  ['validate', fileURLToPath(new URL('../manifests/examples/blue.yaml', import.meta.url))],
];

const script = new Script(readFileSync(0, 'utf8'), { filename: 'program.js' });
process.exit = () => undefined;
for (const command of commands) {
  process.argv = [process.execPath, 'vpcgw.js', ...command];
  script.runInThisContext()(createRequire(import.meta.url), { exports: {} }, {});
}
process.on('exit', () => writeFileSync(3, script.createCachedData()));
