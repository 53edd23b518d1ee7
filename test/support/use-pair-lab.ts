import { afterAll, beforeAll } from 'vitest';
import { PairLab, type PairLabOptions } from './pair-lab.js';
import { showLogsOfFailures } from './show-logs.js';

/** Called in a `describe`: the pair stands for the tests there. */
export function usePairLab(options: PairLabOptions): PairLab {
  const lab = new PairLab(options);
  showLogsOfFailures(() => lab.members.map(({ supervisor }) => supervisor));
  beforeAll(() => lab.start());
  afterAll(() => lab.end());
  return lab;
}
