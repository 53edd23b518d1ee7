import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from './command.js';

// The program as another revision of this repository builds it, for what versions have to do together. Built once.

const root = fileURLToPath(new URL('../..', import.meta.url));
const BUILD_MS = 600_000;

/** A path; the revision as git names it. */
export async function programOf(revision: string): Promise<string> {
  const { stdout } = await runCommand(['git', '-C', root, 'rev-parse', '--verify', `${revision}^{commit}`]);
  const commit = stdout.trim();
  const builds = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'vpcgw', 'builds');
  const [kept, made] = [join(builds, commit), join(builds, `${commit}.${process.pid}`)];
  if (!existsSync(kept)) {
    mkdirSync(made, { recursive: true });
    try {
      const archive = join(made, 'source.tar');
      await runCommand(['git', '-C', root, 'archive', '--output', archive, commit]);
      await runCommand(['tar', '-x', '-f', archive, '-C', made]);
      await runCommand(['npm', '--prefix', made, 'ci', '--prefer-offline'], { timeoutMs: BUILD_MS });
      await runCommand(['npm', '--prefix', made, 'run', '-s', 'build'], { timeoutMs: BUILD_MS });
      renameSync(made, kept);
    } finally {
      rmSync(made, { recursive: true, force: true });
    }
  }
  return join(kept, 'dist', 'vpcgw.js');
}
