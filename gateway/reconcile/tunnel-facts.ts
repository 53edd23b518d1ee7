/** What tunnels depend on beside documents: what this machine has for them, keys and certificates. */
import type { CertificateFact, Facts, KeyFact, Tunnels } from '../kernel/state.js';
import { certificateKey, type CertificateFiles, ipsecsOf, type VpnConnection, wireGuardsOf } from '../model/vpn.js';

export interface ReadSecrets {
  readonly key: (file: string, use: 'private' | 'preshared' | 'password') => KeyFact;
  readonly certificates: (files: CertificateFiles) => CertificateFact;
}

type Found = Pick<Facts, 'tunnels' | 'ipsec' | 'keys' | 'certificates'>;

export class TunnelFacts {
  #tunnels: Tunnels | undefined;
  #ipsec: Facts['ipsec'];
  #keys: ReadonlyMap<string, KeyFact> = new Map();
  #certificates: ReadonlyMap<string, CertificateFact> = new Map();

  constructor(
    /** Find out what this machine has; each called once, when a document first wants such a tunnel. */
    private readonly choose: {
      readonly wireGuard: () => Promise<Tunnels>;
      readonly ipsec: () => Promise<NonNullable<Facts['ipsec']>>;
    },
    private readonly read: ReadSecrets,
  ) {}

  /** Files are read each time; the very same maps when nothing in them has changed. */
  async of(vpnConnections: readonly VpnConnection[]): Promise<Found> {
    const [wireGuards, ipsecs] = [wireGuardsOf({ vpnConnections }), ipsecsOf({ vpnConnections })];
    if (wireGuards.length > 0) this.#tunnels ??= await this.choose.wireGuard();
    if (ipsecs.length > 0) this.#ipsec ??= await this.choose.ipsec();
    const keys = new Map<string, KeyFact>();
    const certificates = new Map<string, CertificateFact>();
    for (const { credentials } of ipsecs.map(({ ipsec }) => ipsec))
      if (credentials.kind === 'preshared') keys.set(credentials.key, this.read.key(credentials.key, 'password'));
      else certificates.set(certificateKey(credentials), this.read.certificates(credentials));
    for (const { wireGuard } of wireGuards) {
      keys.set(wireGuard.key, this.read.key(wireGuard.key, 'private'));
      for (const { presharedKey } of wireGuard.peers)
        if (presharedKey !== undefined && !keys.has(presharedKey))
          keys.set(presharedKey, this.read.key(presharedKey, 'preshared'));
    }
    if (!same(this.#keys, keys)) this.#keys = keys;
    if (!same(this.#certificates, certificates)) this.#certificates = certificates;
    return {
      ...(this.#tunnels ? { tunnels: this.#tunnels } : {}),
      ...(this.#ipsec ? { ipsec: this.#ipsec } : {}),
      keys: this.#keys,
      certificates: this.#certificates,
    };
  }
}

type Fact = KeyFact | CertificateFact;

function textOf(fact: Fact | undefined): string {
  if (fact === undefined) return '';
  if ('wrong' in fact) return `wrong ${fact.wrong}`;
  return 'key' in fact ? `key ${fact.key.fingerprint}` : `certificates ${fact.certificates.fingerprint}`;
}

const same = (a: ReadonlyMap<string, Fact>, b: ReadonlyMap<string, Fact>): boolean =>
  a.size === b.size && [...b].every(([file, fact]) => textOf(a.get(file)) === textOf(fact));
