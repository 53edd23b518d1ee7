// results.mjs - reads vitest's JSON reports for .ci/run.
//
//   failed REPORT    the test files in which something failed, one a line
//   count FOLDER     "passed failed skipped" over all reports; of a file that was run again, the second run counts
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const resultsOf = (file) => JSON.parse(readFileSync(file, 'utf8')).testResults;
const [command, path] = process.argv.slice(2);

if (command === 'failed') {
  for (const { name, status } of resultsOf(path)) if (status === 'failed') console.log(name);
} else {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const report of readdirSync(path).filter((name) => name.endsWith('.json'))) {
    const again = join(path, `${report}.again`);
    const anew = existsSync(again) ? resultsOf(again) : [];
    const kept = resultsOf(join(path, report)).filter(({ name }) => !anew.some((file) => file.name === name));
    for (const { status, assertionResults } of [...kept, ...anew]) {
      // A file that could not be loaded has no tests.
      if (assertionResults.length === 0 && status === 'failed') counts.failed++;
      for (const test of assertionResults) counts[test.status in counts ? test.status : 'skipped']++;
    }
  }
  console.log(counts.passed, counts.failed, counts.skipped);
}
