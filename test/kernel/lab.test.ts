import { execFileSync } from 'node:child_process';
import { release } from 'node:os';
import { expect, test } from 'vitest';

// One `modprobe` for all of them: in the lab a new process is dear.
const modules = ['ip_vs', 'wireguard', 'sch_netem', 'sch_fq_codel', 'cls_flower', '8021q', 'vrf', 'dummy', 'esp4'];

test('the lab kernel runs these tests and has what a machine may lack', () => {
  expect(release(), 'run by `npm run test:kernel`').toMatch(/-klab$/);
  execFileSync('modprobe', ['-a', ...modules]);
});
