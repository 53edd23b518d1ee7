import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';

// Counts the processes that a program starts, exactly and whatever else the machine does: the program runs in a process
// id namespace of its own, where the kernel gives the ids out one after the other and tells the last one.

/** Put before a program's argv. */
export const inOwnProcessIds = ['unshare', '--pid', '--fork', '--kill-child'];

// Fifth field: the last id given in the reader's namespace.
const reader =
  '$| = 1; while (<STDIN>) { open my $file, "<", "/proc/loadavg" or die; print((split " ", <$file>)[4], "\\n") }';

export class ProcessCount {
  private readonly answers: AsyncIterator<string, undefined>;

  private constructor(
    private readonly child: ChildProcessWithoutNullStreams,
    private readonly lines: Interface,
  ) {
    this.answers = lines[Symbol.asyncIterator]();
  }

  /** `unsharePid` is the process that `inOwnProcessIds` stands for. */
  static async start(unsharePid: number): Promise<ProcessCount> {
    const [inner = ''] = readFileSync(`/proc/${unsharePid}/task/${unsharePid}/children`, 'utf8').split(' ');
    const argv = [`--pid=/proc/${inner}/ns/pid`, 'perl', '-e', reader];
    const child = spawn('nsenter', argv, { stdio: 'pipe' });
    const count = new ProcessCount(child, createInterface({ input: child.stdout }));
    await count.soFar();
    return count;
  }

  /** Processes and threads that were ever started in there. */
  async soFar(): Promise<number> {
    this.child.stdin.write('\n');
    const answer = await this.answers.next();
    if (answer.done) throw new Error('the count of processes ended');
    return Number(answer.value);
  }

  stop(): void {
    this.lines.close();
    this.child.stdin.end();
  }
}
