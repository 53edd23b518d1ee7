/** Named timers: one of a name at a time, the later replaces the earlier. */
import type { Clock } from './clock.js';

export class Timers {
  readonly #running = new Map<string, { cancel(): void }>();

  constructor(
    private readonly clock: Clock,
    private readonly onFailure: (name: string, error: unknown) => void,
  ) {}

  set(name: string, ms: number, work: () => Promise<unknown>): void {
    this.cancel(name);
    const timer = this.clock.later(ms, () => {
      this.#running.delete(name);
      work().catch((error: unknown) => this.onFailure(name, error));
    });
    this.#running.set(name, timer);
  }

  has(name: string): boolean {
    return this.#running.has(name);
  }

  cancel(name: string): void {
    this.#running.get(name)?.cancel();
    this.#running.delete(name);
  }

  cancelAll(): void {
    for (const name of [...this.#running.keys()]) this.cancel(name);
  }
}
