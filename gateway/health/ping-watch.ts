/**
 * Asks an address by ICMP through one tunnel without end. Guarantees:
 * 1. A probe that was not answered by the time of the next is lost, and is told then.
 * 2. It leaves by its own tunnel, whatever else leads there; the answer counts whichever it comes by.
 */
import type { EchoProbe } from '../system/echo-probe.js';
import type { ProbeLook } from './peer-state.js';

/** What is told is of the last so many. */
const REMEMBERED = 10;

export interface PingOptions {
  readonly address: string;
  /** One of the gateway's own addresses. */
  readonly from: string;
  /** Of the tunnel. */
  readonly link: string;
  readonly intervalMs: number;
}

export class PingWatch {
  /** Milliseconds, or `undefined` for a probe that was lost; the newest last. */
  #answers: (number | undefined)[] = [];
  readonly #timer: NodeJS.Timeout;
  #stopped = false;

  constructor(
    readonly options: PingOptions,
    private readonly echo: Pick<EchoProbe, 'ping'>,
    private readonly onAnswer: () => void,
  ) {
    this.#timer = setInterval(() => void this.#ask(), options.intervalMs);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  get look(): ProbeLook {
    const answered = this.#answers.filter((ms) => ms !== undefined);
    const sum = answered.reduce((total, ms) => total + ms, 0);
    return {
      address: this.options.address,
      sent: this.#answers.length,
      lost: this.#answers.length - answered.length,
      roundTripMs: answered.length > 0 ? Math.round((sum / answered.length) * 100) / 100 : undefined,
    };
  }

  /** Since the last that was answered. */
  get lostInRow(): number {
    return this.#answers.length - 1 - this.#answers.findLastIndex((answer) => answer !== undefined);
  }

  async #ask(): Promise<void> {
    const { from, address, intervalMs, link } = this.options;
    const askedMs = performance.now();
    const echoed = await this.echo.ping(from, address, intervalMs, link);
    if (this.#stopped) return;
    this.#answers = [...this.#answers, echoed === 'Answered' ? performance.now() - askedMs : undefined];
    this.#answers = this.#answers.slice(-REMEMBERED);
    this.onAnswer();
  }
}
