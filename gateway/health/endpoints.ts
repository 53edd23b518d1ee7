/**
 * Where the peers of tunnels were seen last. A tunnel that is made anew, here, by the other member of a pair or by the next
 * supervisor, is told.
 */
import { isIP } from 'node:net';

const MOST_KEPT = 10_000;

export class Endpoints {
  /** By the public keys of both ends; who was seen last stands last. */
  readonly #known = new Map<string, string>();
  readonly #earlier: Map<string, string>;

  /** Counts what is new. */
  version = 0;

  /** `earlier`: what a former supervisor knew. */
  constructor(earlier: Readonly<Record<string, string>> = {}) {
    this.#earlier = new Map(Object.entries(earlier).filter(([, endpoint]) => isEndpoint(endpoint)));
  }

  /** `meant`: where its document has it, which may be a newer one than what was known earlier. */
  of = (own: string, peer: string, meant: string | undefined): string | undefined => {
    const key = keyOf(own, peer);
    return this.#known.get(key) ?? (meant === undefined ? this.#earlier.get(key) : undefined);
  };

  saw(own: string, peer: string, endpoint: string): void {
    if (this.#know(keyOf(own, peer), endpoint)) this.version++;
  }

  #know(key: string, endpoint: string): boolean {
    if (this.#known.get(key) === endpoint || !isEndpoint(endpoint)) return false;
    this.#known.delete(key);
    this.#known.set(key, endpoint);
    this.#earlier.delete(key);
    return true;
  }

  /** The peers that a tunnel has: one that comes back is where its document says. */
  follow(own: string, peers: ReadonlySet<string>): void {
    for (const map of [this.#known, this.#earlier])
      for (const key of map.keys()) {
        const [tunnel, peer = ''] = key.split(' ');
        if (tunnel === own && !peers.has(peer)) map.delete(key);
      }
  }

  get all(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#known);
  }

  /** For the next supervisor: not without end, where tunnels come and go for years. */
  get kept(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#earlier, ...this.#known].slice(-MOST_KEPT));
  }

  /** From the other member, which is active. One that has just begun has seen nobody yet: what was known stays. */
  learn(all: Readonly<Record<string, string>>): void {
    for (const [key, endpoint] of Object.entries(all)) this.#know(key, endpoint);
  }
}

const keyOf = (own: string, peer: string): string => `${own} ${peer}`;

/** That `wg` takes on any day: of a link-local address it would have to know the interface, which may be gone by then. */
function isEndpoint(text: string): boolean {
  const [, six, four = '', port] = /^(?:\[([\da-f:.]+)\]|([\d.]+)):(\d+)$/.exec(text) ?? [];
  return isIP(six ?? four) > 0 && Number(port) > 0 && Number(port) < 65_536;
}
