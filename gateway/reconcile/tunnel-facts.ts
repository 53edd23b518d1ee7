/** What tunnels depend on beside documents: what this machine has for them, and the keys. */
import type { Facts, KeyFact, Tunnels } from '../kernel/state.js';
import { ipsecsOf, type VpnConnection, wireGuardsOf } from '../model/vpn.js';

type ReadKey = (file: string, use: 'private' | 'preshared' | 'password') => KeyFact;

export class TunnelFacts {
  #tunnels: Tunnels | undefined;
  #ipsec: Facts['ipsec'];
  #keys: ReadonlyMap<string, KeyFact> | undefined;

  constructor(
    /** Find out what this machine has; each called once, when a document first wants such a tunnel. */
    private readonly choose: {
      readonly wireGuard: () => Promise<Tunnels>;
      readonly ipsec: () => Promise<NonNullable<Facts['ipsec']>>;
    },
    private readonly readKey: ReadKey,
  ) {}

  /** Keys are read each time; the very same map when none has changed. */
  async of(vpnConnections: readonly VpnConnection[]): Promise<Pick<Facts, 'tunnels' | 'ipsec' | 'keys'>> {
    const [wireGuards, ipsecs] = [wireGuardsOf({ vpnConnections }), ipsecsOf({ vpnConnections })];
    if (wireGuards.length > 0) this.#tunnels ??= await this.choose.wireGuard();
    if (ipsecs.length > 0) this.#ipsec ??= await this.choose.ipsec();
    const keys = new Map<string, KeyFact>();
    for (const { ipsec } of ipsecs) keys.set(ipsec.presharedKey, this.readKey(ipsec.presharedKey, 'password'));
    for (const { wireGuard } of wireGuards) {
      keys.set(wireGuard.key, this.readKey(wireGuard.key, 'private'));
      for (const { presharedKey } of wireGuard.peers)
        if (presharedKey !== undefined && !keys.has(presharedKey))
          keys.set(presharedKey, this.readKey(presharedKey, 'preshared'));
    }
    if (!this.#keys || !sameKeys(this.#keys, keys)) this.#keys = keys;
    return {
      ...(this.#tunnels ? { tunnels: this.#tunnels } : {}),
      ...(this.#ipsec ? { ipsec: this.#ipsec } : {}),
      keys: this.#keys,
    };
  }
}

const textOf = (fact: KeyFact | undefined): string =>
  fact === undefined ? '' : 'key' in fact ? `key ${fact.key.fingerprint}` : `wrong ${fact.wrong}`;

const sameKeys = (a: ReadonlyMap<string, KeyFact>, b: ReadonlyMap<string, KeyFact>): boolean =>
  a.size === b.size && [...b].every(([file, fact]) => textOf(a.get(file)) === textOf(fact));
