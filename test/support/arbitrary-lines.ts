import fc from 'fast-check';
import { dedicatedLine, type Document } from './documents.js';

// Lines that share networks or follow each other, with and without a port, static and learning.

export interface ChosenLine {
  readonly there: boolean;
  readonly shares: boolean;
  readonly later: boolean;
  readonly portless: boolean;
  readonly learns: boolean;
  readonly limited: boolean;
  readonly judged: boolean;
  readonly narrow: boolean;
}

export const chosenLines: fc.Arbitrary<readonly ChosenLine[]> = fc.array(
  fc.record({
    there: fc.boolean(),
    shares: fc.boolean(),
    later: fc.boolean(),
    portless: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    learns: fc.boolean(),
    limited: fc.boolean(),
    judged: fc.boolean(),
    narrow: fc.boolean(),
  }),
  { minLength: 2, maxLength: 2 },
);

export const linesOf = (lines: readonly ChosenLine[]): Document[] =>
  lines.flatMap(({ there, shares, later, portless, learns, limited, judged, narrow }, i) => {
    if (!there) return [];
    const networks = [`172.24.${i}.0/24`, `fd00:24:${i}::/48`, ...(shares ? ['172.25.0.0/16'] : [])];
    return [
      dedicatedLine(`line${i}`, {
        number: i,
        port: portless ? `away${i}` : `line${i}`,
        localNetworks: ['10.0.0.0/24'],
        networks,
        // One that learns has a priority of its own.
        priority: (learns ? 50 : 100) + (later ? 10 : 0),
        ...(learns ? { bgp: { localASN: 65_001, peerASN: 65_010, bfd: { interval: '50ms' } } } : {}),
        ...(limited ? { bandwidth: { ingress: '20M', egress: '10M' } } : {}),
        ...(judged ? { rules: [{ action: 'Allow', ports: [{ protocol: 'TCP', port: 443 }] }] } : {}),
        ...(narrow ? { mtu: 1_400 } : {}),
      }),
    ];
  });
