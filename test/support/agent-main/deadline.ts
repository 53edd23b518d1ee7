import { once } from 'node:events';
import type { EventEmitter } from 'node:events';
import { Failure } from './failure.js';

/** One bound for an operation of several waits. */
export class Deadline {
  private readonly signal: AbortSignal;

  constructor(private readonly timeoutMs: number) {
    this.signal = AbortSignal.timeout(timeoutMs);
  }

  /** The event's arguments. An `error` event of the emitter fails it, so does the end of the time. */
  async event(emitter: EventEmitter, name: string, awaited: string): Promise<unknown[]> {
    try {
      return (await once(emitter, name, { signal: this.signal })) as unknown[];
    } catch (error) {
      if (this.signal.aborted) throw this.exceeded(awaited);
      throw error;
    }
  }

  get isOver(): boolean {
    return this.signal.aborted;
  }

  exceeded(awaited: string): Failure {
    return new Failure('TIMEOUT', `no ${awaited} within ${this.timeoutMs} ms`);
  }
}
