import { parseArgs } from 'node:util';
import { judge } from './bars.js';
import { benches } from './benches.js';
import type { Row } from './row.js';

// npm run -s bench -- [NAME…] [--json] [--short]
//
// Measures a real supervisor on this machine's kernel, in namespaces of its own. A NAME is a bench or one of its rows;
// without one, all benches run. With --json one object a line, else a table with what each figure has to reach; then a
// figure that misses its bar makes the exit code 1.

const { values: flags, positionals: names } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, short: { type: 'boolean', default: false } },
});

function chosen(): string[] {
  if (names.length === 0) return Object.keys(benches);
  return Object.keys(benches).filter((bench) => names.some((name) => belongs(bench, name)));
}

const belongs = (bench: string, name: string): boolean =>
  name === bench || benches[bench]?.rows.includes(name) === true;

/** Every row of a bench that was named; of others the rows that were named. */
function isWanted(bench: string, row: Row): boolean {
  return names.length === 0 || names.includes(bench) || names.includes(row.name);
}

function print(row: Row): boolean {
  if (flags.json) {
    console.log(JSON.stringify(row));
    return true;
  }
  const verdict = judge(row);
  const against = row.baseline === null ? '' : `/ ${row.baseline} = ${row.ratio}`;
  const figure = `${String(row.value).padStart(8)} ${row.unit.padEnd(11)} ${against.padEnd(18)}`;
  console.log(`${row.name.padEnd(25)} ${figure} ${(verdict?.bar ?? '').padEnd(14)} ${word(verdict?.passed)}`);
  return verdict?.passed !== false;
}

const word = (passed: boolean | undefined): string => (passed === undefined ? '' : passed ? 'PASS' : 'MISS');

const unknown = names.filter((name) => !Object.keys(benches).some((bench) => belongs(bench, name)));
if (unknown.length > 0) {
  console.error(`bench: there is no ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}
let allPassed = true;
for (const name of chosen()) {
  const rows = (await benches[name]?.run({ short: flags.short })) ?? [];
  for (const row of rows) if (isWanted(name, row)) allPassed = print(row) && allPassed;
}
process.exit(allPassed ? 0 : 1);
