import fc from 'fast-check';
import {
  type Bandwidth,
  type Document,
  ipsecConnection,
  type RuleOptions,
  vpnConnection,
  vpnPeer,
} from './documents.js';
import { examplePublicKey } from './example-keys.js';

// Tunnels of IPsec, and of WireGuard with peers in the connection's document and in documents of their own; some lack a key.

export interface ChosenTunnel {
  readonly there: boolean;
  readonly ipsec: boolean;
  readonly eip: number;
  readonly keyless: boolean;
  readonly translated: boolean;
  readonly limited: boolean;
  readonly judged: boolean;
  /** Which of three peers there are, inline and by themselves. */
  readonly inline: number;
  readonly own: number;
  /** 0 is none, 1 a key that is missing. */
  readonly psk: number;
  readonly moved: boolean;
}

export const chosenTunnels: fc.Arbitrary<readonly ChosenTunnel[]> = fc.array(
  fc.record({
    there: fc.boolean(),
    ipsec: fc.integer({ min: 0, max: 2 }).map((n) => n === 0),
    eip: fc.nat(7),
    keyless: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    translated: fc.boolean(),
    limited: fc.boolean(),
    judged: fc.boolean(),
    inline: fc.nat(7),
    own: fc.nat(7),
    psk: fc.nat(2),
    moved: fc.boolean(),
  }),
  { minLength: 2, maxLength: 2 },
);

const RULES: readonly RuleOptions[] = [
  { action: 'Allow', direction: 'Ingress', peers: [{ cidr: '172.20.0.0/16' }, { cidr: '172.31.0.0/24' }] },
  { action: 'Reject', direction: 'Egress', ports: [{ protocol: 'TCP', port: 25 }], log: true },
];
const LIMITS: Bandwidth = { ingress: '20M', egress: '10M' };

/** On elastic IPs of IPv4. */
export function tunnelsOf(tunnels: readonly ChosenTunnel[], four: readonly { name: string }[]): Document[] {
  return tunnels.flatMap(({ there, ipsec, eip, keyless, translated, limited, judged, inline, own, psk, moved }, i) => {
    const elastic = four[eip % Math.max(1, four.length)];
    if (!there || !elastic) return [];
    const name = `tunnel${i}`;
    const peersOf = (chosen: number, from: number) =>
      [0, 1, 2]
        .filter((k) => (chosen >> k) & 1)
        .map((k) => ({
          name: `peer${i}-${from + k}`,
          publicKey: examplePublicKey(`${name}-${from + k}`),
          networks: [`172.${20 + i}.${from + k + (moved ? 100 : 0)}.0/24`, `fd00:${i + 1}:${from + k}::/64`],
          ...(k === 1 ? { endpoint: `198.51.100.${10 + k}:51820`, keepalive: '25s' } : {}),
          ...(psk > 0 && k === 2 ? { psk: psk === 1 ? 'missing-psk' : 'psk' } : {}),
        }));
    const common = {
      elasticIP: elastic.name,
      localNetworks: ['10.0.0.0/24', 'fd00:a::/64'],
      ...(translated ? { translate: [{ network: '10.0.0.0/24', as: `100.127.${i}.0/24` }] } : {}),
      ...(limited ? { bandwidth: LIMITS } : {}),
      ...(judged ? { rules: RULES } : {}),
      ...(moved ? { priority: 10 + i } : {}),
    };
    if (ipsec) {
      const networks = [`172.${20 + i}.${moved ? 201 : 200}.0/24`, `fd00:${i + 1}:200::/64`];
      const peer = `198.51.100.${20 + i}`;
      // Half of them show certificates, and of those the ones with rules call from anywhere.
      const known =
        psk === 0
          ? { peer, psk: keyless ? 'missing' : 'psk' }
          : {
              ...(judged ? { more: { peerId: `${name}.example.com` } } : { peer }),
              certificates: [keyless ? 'missing' : name, `${name}.key`, 'ca'] as const,
            };
      return [ipsecConnection(name, { ...common, ...known, networks })];
    }
    return [
      vpnConnection(name, {
        ...common,
        key: keyless ? 'missing' : name,
        listenPort: 51_820 + i,
        peers: peersOf(inline, 0),
      }),
      ...peersOf(own, 3).map((peer) => vpnPeer(name, peer)),
    ];
  });
}
