/**
 * Probes an address by ICMP without end: one program, of which every line is an answer or the lack of one. It ends with us,
 * and is started again when it ends by itself.
 */
import { Doorbell } from '../system/doorbell.js';
import type { ProbeLook } from './peer-state.js';

/** What is told is of the last so many. */
const REMEMBERED = 10;

export interface PingOptions {
  readonly address: string;
  /** One of the gateway's own addresses. */
  readonly from: string | undefined;
  readonly intervalMs: number;
}

export class PingWatch {
  /** Milliseconds, or `undefined` for a probe that was lost; the newest last. */
  #answers: (number | undefined)[] = [];
  readonly #doorbell: Doorbell;

  constructor(readonly options: PingOptions) {
    const { address, from, intervalMs } = options;
    const source = from === undefined ? [] : ['-I', from];
    this.#doorbell = new Doorbell(
      ['ping', '-n', '-O', '-i', String(intervalMs / 1000), ...source, address],
      (line) => this.hear(line),
      () => this.#add(undefined),
    );
    this.#doorbell.start();
  }

  stop(): void {
    this.#doorbell.stop();
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

  /** A line of `ping -O`. */
  hear(line: string): void {
    const ms = /icmp_seq=\d+ .*time=([\d.]+) ms/.exec(line)?.[1];
    if (ms !== undefined) this.#add(Number(ms));
    else if (/^no answer yet for icmp_seq=/.test(line)) this.#add(undefined);
  }

  #add(answer: number | undefined): void {
    this.#answers = [...this.#answers, answer].slice(-REMEMBERED);
  }
}
