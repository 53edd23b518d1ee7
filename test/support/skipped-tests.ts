import type { Reporter, TestModule } from 'vitest/node';

/** Says at the end of a run which tests were skipped, and why: the usual reporters only count them. */
export class SkippedTests implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const result = test.result();
        const reason = (result.state === 'skipped' && result.note) || 'no reason given';
        console.log(`SKIPPED  ${module.relativeModuleId} > ${test.fullName}: ${reason}`);
      }
    }
  }
}
