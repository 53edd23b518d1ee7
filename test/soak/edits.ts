import { bandwidthPackage, dnatRule, type Document, elasticIp, firewallPolicy } from '../support/documents.js';
import type { PairLab } from '../support/pair-lab.js';
import type { Random } from './random.js';

// Documents beside those that the traffic needs: any number of each sort, so that from one edit to the next some come,
// some go and some change.

const MOST = 20;

export function randomDocuments(lab: PairLab, random: Random): Document[] {
  const several = <Value>(make: (index: number) => Value): Value[] =>
    Array.from({ length: random.below(MOST) }, (_, index) => index)
      .filter(() => random.next() < 0.7)
      .map(make);
  const addresses = several((index) => index);
  return [
    ...(lab.documents as Document[]),
    ...addresses.map((index) =>
      elasticIp(`more-${index}`, `203.0.113.${100 + index}`, {
        ...(random.next() < 0.5 ? { target: `10.0.0.${225 + index}` } : {}),
        ...(random.next() < 0.5 ? { bandwidth: { ingress: `${1 + random.below(500)}M` } } : {}),
      }),
    ),
    ...several((index) =>
      dnatRule(`port-${index}`, {
        elasticIP: 'nat',
        protocol: random.of(['TCP', 'UDP'] as const),
        port: 5000 + index,
        target: '10.0.0.6',
        targetPort: 1 + random.below(65_535),
      }),
    ),
    ...several((index) =>
      firewallPolicy(`policy-${index}`, { matchLabels: { tier: `t${index}` } }, [
        { action: random.of(['Allow', 'Deny'] as const), ports: [{ protocol: 'TCP', port: 1 + random.below(1_000) }] },
      ]),
    ),
    ...(addresses[0] !== undefined && random.next() < 0.5
      ? [bandwidthPackage('all', { egress: '800M' }, [{ elasticIP: 'nat' }])]
      : []),
  ];
}
