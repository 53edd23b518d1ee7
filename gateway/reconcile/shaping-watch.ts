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
  /** The last of each object that was not found right yet. */
  #notices = new Map<string, Notice>();
  #doubted: ReadonlySet<string> = new Set();
  #ended = false;

  constructor(
    private readonly run: CommandRunner,
    private readonly believed: () => Lines | undefined,
    private readonly onNotice: () => void,
    onMissed: () => void,
  ) {
    this.#doorbell = new Doorbell(['tc', '-d', 'monitor'], (line) => this.#hear(line), onMissed);
  }

  /** For good, also for a look that is under way. */
  stop(): void {
    this.#ended = true;
    this.#doorbell.stop();
  }

  /**
   * Whether something that was heard is not as it should be, at the second asking: the kernel tells of an edit before
   * the edit is through.
   */
  takeSuspicion(): boolean {
    const believed = this.believed() ?? new Map<string, Line>();
    const doubts = new Map<string, Notice>();
    for (const [key, notice] of this.#notices) if (differs(notice, believed)) doubts.set(key, notice);
    const suspicious = [...doubts.keys()].some((key) => this.#doubted.has(key));
    this.#notices = suspicious ? new Map<string, Notice>() : doubts;
    this.#doubted = new Set(this.#notices.keys());
    if (this.#notices.size > 0) this.onNotice();
    return suspicious;
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
    if (shapes && !this.#ended && !this.#doorbell.rings) this.#doorbell.start();
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
    this.#notices.set(notice.key, notice);
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
