/**
 * Where the peers of tunnels were seen last. A tunnel that is made anew, here or by the other member of a pair, is told.
 */
export class Endpoints {
  /** By the public keys of both ends. */
  readonly #known = new Map<string, string>();

  /** Counts what is new. */
  version = 0;

  of = (own: string, peer: string): string | undefined => this.#known.get(`${own} ${peer}`);

  saw(own: string, peer: string, endpoint: string): void {
    const key = `${own} ${peer}`;
    if (this.#known.get(key) === endpoint) return;
    this.#known.set(key, endpoint);
    this.version++;
  }

  get all(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#known);
  }

  /** From the other member, which is active. One that has just begun has seen nobody yet: what was known stays. */
  learn(all: Readonly<Record<string, string>>): void {
    for (const [key, endpoint] of Object.entries(all)) this.#known.set(key, endpoint);
  }
}
