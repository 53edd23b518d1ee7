/**
 * `nft` in a process of its own that holds a table and follows the trace: the table is the process's, so that the kernel
 * takes it away when the process ends, and the process ends with the supervisor, however that ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { VpcgwError } from '../errors.js';

const MAX_TROUBLE = 2_000;

export class NftTrace {
  readonly #child: ChildProcess;
  #stopped = false;

  /** `onTrouble` is called when it ends by itself. */
  constructor(script: string, onLine: (line: string) => void, onTrouble: (error: VpcgwError) => void) {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'nft', '-n', '-i'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    });
    this.#child = child;
    let trouble = '';
    child.stderr.on('data', (text: Buffer) => (trouble = `${trouble}${text.toString()}`.slice(0, MAX_TROUBLE)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!this.#stopped) onLine(line);
    });
    const fail = (why: string): void => {
      if (!this.#stopped) onTrouble(new VpcgwError('CommandFailed', `nft cannot follow the trace: ${why}`));
      this.stop();
    };
    child.on('error', (error) => fail(error.message));
    child.on('close', () => fail(trouble.trim() || 'it has ended'));
    child.stdin.on('error', () => undefined);
    // Kept open: at the end of its input nft would end, and the table with it.
    child.stdin.write(script);
  }

  stop(): void {
    this.#stopped = true;
    this.#child.kill('SIGKILL');
  }
}
