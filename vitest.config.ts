import { defineConfig } from 'vitest/config';
import { SkippedTests } from './test/support/skipped-tests.js';

// Tests that change the kernel take turns, in one process: they share its names, its CPU and its event streams, and in
// the lab kernel a process for each file would cost a second and a half.
const oneAtATime = { fileParallelism: false, isolate: false, testTimeout: 60_000, hookTimeout: 120_000 };

// In the lab kernel a process costs 50 ms, on some machines three times that. There run, beside what needs it, the tests of
// what its kernel does in place of a program of ours, or of the machine's kernel: the machine's own kernel runs all.
const alsoInLab = ['golden', 'lab', 'line-vlan', 'load-balancer', 'vpn', 'vpn-edits', 'vpn-ipsec'];
// `npm run test:kernel:whole` leaves out only what is the same on every kernel, being about documents, disks and commands,
const sameOnEveryKernel = [
  'cli',
  'explain',
  'http-access',
  'http-api',
  'http-api.property',
  'http-hostile',
  'supervisor-api',
  'supervisor-state',
  'convergence.property',
];
// and pairs under traffic: two supervisors with their daemons and hundreds of connections, for which the lab's one processor
// takes longer than adverts and tests wait; but for what members say by the kernel's WireGuard, with which that kernel hung
// once in four runs.
const tooMuchForLab = ['failover!(-encrypted)', 'failover-encrypted-links'];
const { KERNEL_LAB: inLab, LAB_SUITE: suite } = process.env;
const files = (names: readonly string[]): string[] => names.map((name) => `test/netns/${name}.test.ts`);
const isShort = inLab !== undefined && suite !== 'whole';

const reportFile = process.env.TEST_REPORT;

export default defineConfig({
  test: {
    reporters: ['default', new SkippedTests(), ...(reportFile ? ['json'] : [])],
    outputFile: { json: reportFile ?? '' },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,golden,property}/**/*.test.ts'],
          sequence: { groupOrder: 0 },
          // Some write to the disk a thousand times, and others may do so meanwhile.
          testTimeout: 60_000,
        },
      },
      // Real packets in network namespaces, on whatever kernel runs the tests.
      {
        test: {
          name: 'netns',
          include: isShort ? files(alsoInLab) : ['test/netns/**/*.test.ts'],
          exclude: inLab === undefined ? [] : files([...sameOnEveryKernel, ...tooMuchForLab]),
          sequence: { groupOrder: 1 },
          ...oneAtATime,
        },
      },
      // What needs more kernel than a machine may have: run by `npm run test:kernel`.
      {
        test: { name: 'kernel', include: ['test/kernel/**/*.test.ts'], sequence: { groupOrder: 2 }, ...oneAtATime },
      },
      // Gateways as pods of a two-node cluster: run by `npm run test:cluster`.
      {
        test: {
          name: 'cluster',
          include: ['test/cluster/**/*.test.ts'],
          sequence: { groupOrder: 3 },
          ...oneAtATime,
          testTimeout: 180_000,
        },
      },
    ],
  },
});
