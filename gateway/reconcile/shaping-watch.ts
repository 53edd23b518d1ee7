/**
 * Notices what somebody else changed of traffic control, and compares the kernel's own notice of each of our changes
 * with what it should have come to. Nothing runs as long as nothing is shaped.
 */
import type { CommandRunner } from '../kernel/command.js';
import { parseNotice, type Notice } from '../kernel/shaping/parse.js';
import type { KernelState, Line } from '../kernel/state.js';
import { SHAPING } from '../model/ownership.js';
import { Doorbell } from '../system/doorbell.js';

type Lines = KernelState['shaping'];

export class ShapingWatch {
  readonly #doorbell: Doorbell;
  #notices: Notice[] = [];

  constructor(
    private readonly run: CommandRunner,
    private readonly believed: () => Lines | undefined,
    private readonly onNotice: () => void,
    onMissed: () => void,
  ) {
    this.#doorbell = new Doorbell(['tc', '-d', 'monitor'], (line) => this.#hear(line), onMissed);
  }

  stop(): void {
    this.#doorbell.stop();
  }

  /** Whether anything that was heard since is not as it should be. */
  takeSuspicion(): boolean {
    const believed = this.believed();
    const notices = this.#notices;
    this.#notices = [];
    return believed !== undefined && notices.some((notice) => differs(notice, believed));
  }

  /**
   * To be called now and then: starts or ends the listening. Returns what hangs on the ingress hooks, as old kernels
   * tell nobody when one is taken away; empty when nothing is shaped.
   */
  async look(): Promise<string> {
    const believed = this.believed();
    const hooks: string[] = [];
    for (const [key, { text }] of believed ?? []) if (text === 'ingress') hooks.push(key.split(' ')[0] ?? '');
    const shapes = believed !== undefined && believed.size > 0;
    if (shapes && !this.#doorbell.rings) this.#doorbell.start();
    if (!shapes && this.#doorbell.rings) this.#doorbell.stop();
    if (hooks.length === 0) return '';
    const stdin = hooks.map((device) => `filter show dev ${device} parent ${SHAPING.ingress}\n`).join('');
    const { stdout, stderr } = await this.run.run({
      argv: ['tc', '-force', '-batch', '-'],
      stdin,
      okExitCodes: [0, 1, 2, 255],
    });
    return stdout + stderr;
  }

  #hear(line: string): void {
    const notice = parseNotice(line);
    if (!notice) return;
    this.#notices.push(notice);
    this.onNotice();
  }
}

function differs({ key, text, gone }: Notice, believed: Lines): boolean {
  const wanted: Line | undefined = believed.get(key);
  if (gone || wanted === undefined) return (wanted !== undefined) === gone;
  return text !== undefined && ratesOf(wanted.text) !== ratesOf(text);
}

/** A class's line tells nothing of its queue, and of a quantum also where it means nothing. */
const ratesOf = (text: string): string => text.replace(/ quantum \d+/, '').replace(/ leaf .*/, '');
