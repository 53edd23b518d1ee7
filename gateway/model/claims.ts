/**
 * Who takes which (address, protocol, ports). A feature that ends traffic on an elastic IP contributes claims; clashes
 * are found here and nowhere else. An elastic IP's own 1:1 binding is the fallback and clashes with whole-address
 * claims only.
 */
import { addressesOf, spanOf } from './balancer.js';
import type { GatewayModel, Origin, PortRange } from './gateway-model.js';
import { endsOf, ipsecSpeakersOf, wireGuardsOf } from './vpn.js';

export interface Claim {
  readonly address: string;
  /** `All`: every protocol and port. */
  readonly protocol: 'TCP' | 'UDP' | 'ICMP' | 'ESP' | 'All';
  readonly ports: PortRange;
  readonly what: string;
  readonly path: readonly PropertyKey[];
  readonly origin: Origin;
}

const EVERY_PORT: PortRange = { first: 0, last: 65535 };

export function claimsOf(model: GatewayModel): Claim[] {
  const claims: Claim[] = [];
  // A 1:1 binding can clash with nothing but another claim of the whole address.
  const whole = model.dnatRules.filter((rule) => rule.protocol === 'Any').map((rule) => rule.elasticIp);
  for (const { address, target, origin } of new Set(whole))
    if (target)
      claims.push({
        address: address.text,
        protocol: 'All',
        ports: EVERY_PORT,
        what: `the 1:1 binding of ${address.text}`,
        path: ['spec', 'target'],
        origin,
      });
  for (const balancer of model.loadBalancers)
    for (const { text } of addressesOf(balancer))
      balancer.listeners.forEach(({ protocol, ports }, i) =>
        claims.push({
          address: text,
          protocol,
          ports,
          what: `${protocol} ${text} port ${spanOf(ports)}`,
          path: ['spec', 'listeners', i, 'port'],
          origin: balancer.origin,
        }),
      );
  claims.push(...claimsOfTunnels(model));
  for (const { elasticIp, protocol, ports, origin } of model.dnatRules) {
    const address = elasticIp.address.text;
    const span = ports ? ` port ${spanOf(ports)}` : '';
    claims.push({
      address,
      protocol: protocol === 'Any' ? 'All' : protocol,
      ports: ports ?? EVERY_PORT,
      what: `${protocol === 'Any' ? 'all of' : protocol} ${address}${span}`,
      path: ['spec', ports ? 'port' : 'protocol'],
      origin,
    });
  }
  return claims;
}

function claimsOfTunnels(model: GatewayModel): Claim[] {
  return [...wireGuardsOf(model), ...ipsecSpeakersOf(model)].flatMap((connection) =>
    endsOf(connection).map(({ protocol, port }): Claim => {
      const address = connection.elasticIp.address.text;
      return {
        address,
        protocol: protocol === 'udp' ? 'UDP' : 'ESP',
        ports: { first: port, last: port },
        what: protocol === 'udp' ? `UDP ${address} port ${port}` : `ESP ${address}`,
        path: connection.type === 'IPsec' ? ['spec', 'type'] : ['spec', 'wireGuard', 'listenPort'],
        origin: connection.origin,
      };
    }),
  );
}

/** Pairs that overlap, the earlier first; each later claim is named once. */
export function clashOf(claims: readonly Claim[]): [Claim, Claim][] {
  const groups = new Map<string, Claim[]>();
  for (const claim of claims) {
    const key = `${claim.address} ${claim.protocol}`;
    const group = groups.get(key);
    if (group) group.push(claim);
    else groups.set(key, [claim]);
  }
  const clashes: [Claim, Claim][] = [];
  for (const group of groups.values()) {
    const sorted = [...group].sort((a, b) => a.ports.first - b.ports.first);
    let widest = sorted[0];
    for (const claim of sorted.slice(1)) {
      if (widest && claim.ports.first <= widest.ports.last) clashes.push([widest, claim]);
      if (!widest || claim.ports.last > widest.ports.last) widest = claim;
    }
  }
  return clashes;
}
