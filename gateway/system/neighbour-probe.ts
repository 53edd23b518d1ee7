/**
 * Whether anybody answers behind each link, also behind one that must not speak for the gateway. One child for all links
 * of a gateway, which the kernel ends with us; nothing is known while it does not run.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { ProbedLink } from '../failover/probed-links.js';
import type { CommandRunner } from '../kernel/command.js';
import { bitsOf, type IpAddress } from '../model/ip.js';
import { NEIGHBOUR_PROGRAM } from './neighbour-program.js';

/** Of one link, ms ago; `undefined`: never. */
export interface Answers {
  /** Three questions in a row were not answered, the last of which had its time too. */
  readonly gone: boolean;
  readonly answeredMsAgo: number | undefined;
  readonly watchedMsAgo: number | undefined;
}

export const QUESTION_EVERY_MS = 100;
/** Of the pair's own address: who answered by then does not any more. */
export const WATCHED_FOR_MS = 3 * QUESTION_EVERY_MS;
const RESTART_AFTER_MS = 1_000;

export class NeighbourProbe {
  #child: ChildProcess | undefined;
  #links: readonly ProbedLink[] = [];
  #key = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly run: CommandRunner,
    private readonly onAnswers: (answers: ReadonlyMap<string, Answers>) => void,
  ) {}

  /** None: it ends. */
  set(links: readonly ProbedLink[]): void {
    const key = links
      .map(({ link, watched, neighbours }) => [link, watched?.text, ...neighbours.map(({ text }) => text)].join())
      .join(' ');
    if (key === this.#key) return;
    this.#key = key;
    this.#links = links;
    this.#end();
    if (links.length > 0) this.#begin();
  }

  stop(): void {
    this.set([]);
  }

  /** What it knows is told as soon as can be. */
  ask(): void {
    this.#child?.stdin?.write('\n');
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  #begin(): void {
    this.#start().catch(() => this.#beginAgain());
  }

  #beginAgain(): void {
    this.#afterPause(() => this.#begin());
  }

  async #start(): Promise<void> {
    const key = this.#key;
    const interfaces = await this.#interfaces();
    if (key !== this.#key) return;
    const links = this.#links.flatMap((link) => argumentOf(link, interfaces.get(link.link)) ?? []);
    if (links.length < this.#links.length) this.#lookForMore(links.length);
    const argv = ['--pdeathsig', 'KILL', 'perl', '-e', NEIGHBOUR_PROGRAM, `${QUESTION_EVERY_MS}`, ...links];
    const child = spawn('setpriv', argv, {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    });
    this.#child = child;
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (this.#child === child) this.onAnswers(answersIn(line));
    });
    child.on('error', () => undefined);
    child.on('close', () => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.onAnswers(new Map());
      this.#beginAgain();
    });
  }

  /** Nobody tells that an interface has come which was not there. */
  #lookForMore(than: number): void {
    this.#afterPause(async () => {
      const [child, found] = [this.#child, await this.#interfaces().catch(() => new Map<string, Interface>())];
      if (child !== this.#child) return;
      if (this.#links.filter(({ link }) => found.has(link)).length <= than) return this.#lookForMore(than);
      this.#end();
      this.#begin();
    });
  }

  #afterPause(run: () => unknown): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, RESTART_AFTER_MS).unref();
  }

  /** Asked at each start: one that was made anew has another number. */
  async #interfaces(): Promise<Map<string, Interface>> {
    const { stdout } = await this.run.run({ argv: ['ip', '-j', 'link', 'show'] });
    return new Map((JSON.parse(stdout) as Interface[]).map((each) => [each.ifname, each]));
  }
}

interface Interface {
  readonly ifname: string;
  readonly ifindex: number;
  readonly address: string;
}

/** One that is not there now is left out until the next start. */
function argumentOf({ link, watched, neighbours }: ProbedLink, found: Interface | undefined): string | undefined {
  const addresses = neighbours.map(hexadecimal).join(',');
  return found && [link, found.ifindex, found.address, watched ? hexadecimal(watched) : '', addresses].join('/');
}

const hexadecimal = ({ family, value }: IpAddress): string => value.toString(16).padStart(bitsOf(family) / 4, '0');

function answersIn(line: string): Map<string, Answers> {
  const ago = (text = ''): number | undefined => (Number(text) < 0 ? undefined : Number(text));
  return new Map(
    line.split(' ').map((word) => {
      const [link = '', gone, answered, watched] = word.split('/');
      return [link, { gone: gone === '1', answeredMsAgo: ago(answered), watchedMsAgo: ago(watched) }];
    }),
  );
}
