import { afterEach } from 'vitest';
import type { Supervisor } from './supervisor.js';

/** Called in a `describe`: a test that fails there prints what the supervisors logged. */
export function showLogsOfFailures(supervisors: () => readonly (Supervisor | undefined)[]): void {
  afterEach(({ task }) => {
    if (task.result?.state !== 'fail') return;
    for (const supervisor of supervisors()) if (supervisor) console.error(supervisor.logs());
  });
}
