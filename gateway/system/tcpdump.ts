/** One tcpdump on one link: it ends with the supervisor, writes to nobody but us, and has begun before anybody waits. */
import { type ChildProcess, spawn } from 'node:child_process';
import { VpcgwError } from '../errors.js';

const MAX_WORDS = 2_000;

export class Tcpdump {
  readonly #child: ChildProcess;
  #words = '';
  /** Resolves when packets are captured; rejects with why not. */
  readonly listening: Promise<void>;
  readonly ended: Promise<void>;

  constructor(link: string, filter: string, snaplen: number, onData: (piece: Buffer) => void) {
    const options = ['-n', '-U', '--immediate-mode', '-s', `${snaplen}`, '-i', link, '-w', '-'];
    // As who we are: a container without SETUID lets nobody become another, and we have no rights but two.
    const argv = ['--pdeathsig', 'KILL', '--no-new-privs', 'tcpdump', '-Z', 'root', ...options, '--', filter];
    const child = spawn('setpriv', argv, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    });
    this.#child = child;
    child.stdout.on('data', onData);
    this.ended = new Promise((resolve) => {
      child.once('error', () => resolve());
      child.once('close', () => resolve());
    });
    this.listening = new Promise((resolve, reject) => {
      child.stderr.on('data', (text: Buffer) => {
        this.#words = `${this.#words}${text.toString()}`.slice(0, MAX_WORDS);
        if (this.#words.includes('listening on')) resolve();
      });
      void this.ended.then(() =>
        reject(new VpcgwError('CommandFailed', `tcpdump: ${this.#words.trim() || 'not started'}`)),
      );
    });
    // Who waits for one of two learns of the other's failure first.
    this.listening.catch(() => undefined);
  }

  /** What the kernel had captured by then still comes, before `ended`. */
  finish(): void {
    this.#child.kill('SIGTERM');
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
