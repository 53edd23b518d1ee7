/** What tunnels depend on beside documents: what this machine has for them, and the keys. */
import type { Facts, KeyFact, Tunnels } from '../kernel/state.js';
import type { VpnConnection } from '../model/vpn.js';

type ReadKey = (file: string, use: 'private' | 'preshared') => KeyFact;

export class TunnelFacts {
  #tunnels: Tunnels | undefined;
  #keys: ReadonlyMap<string, KeyFact> | undefined;

  constructor(
    /** Finds out what this machine has; called once, when a document first wants a tunnel. */
    private readonly choose: () => Promise<Tunnels>,
    private readonly readKey: ReadKey,
  ) {}

  /** Keys are read each time; the very same map when none has changed. */
  async of(connections: readonly VpnConnection[]): Promise<Pick<Facts, 'tunnels' | 'keys'>> {
    this.#tunnels ??= await this.choose();
    const keys = new Map<string, KeyFact>();
    for (const { wireGuard } of connections) {
      keys.set(wireGuard.key, this.readKey(wireGuard.key, 'private'));
      for (const { presharedKey } of wireGuard.peers)
        if (presharedKey !== undefined && !keys.has(presharedKey))
          keys.set(presharedKey, this.readKey(presharedKey, 'preshared'));
    }
    if (!this.#keys || !sameKeys(this.#keys, keys)) this.#keys = keys;
    return { tunnels: this.#tunnels, keys: this.#keys };
  }
}

const textOf = (fact: KeyFact | undefined): string =>
  fact === undefined ? '' : 'key' in fact ? `key ${fact.key.fingerprint}` : `wrong ${fact.wrong}`;

const sameKeys = (a: ReadonlyMap<string, KeyFact>, b: ReadonlyMap<string, KeyFact>): boolean =>
  a.size === b.size && [...b].every(([file, fact]) => textOf(a.get(file)) === textOf(fact));
