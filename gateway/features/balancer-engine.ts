/** What leads a listener's connections to its members: IPVS, or rules. */
import type { Line } from '../kernel/state.js';
import { type Listener, type LoadBalancer, spanOf } from '../model/balancer.js';
import type { Family, IpAddress } from '../model/ip.js';
import type { CompileContext, Contribution } from './feature.js';

/** A listener on those of its balancer's addresses that are of one family. */
export interface Place {
  readonly balancer: LoadBalancer;
  readonly listener: Listener;
  readonly family: Family;
}

export type Part = Pick<Contribution, 'inbound' | 'admitted' | 'sets' | 'chains' | 'ipvs' | 'idle'>;

/** How a listener's connections come to its members. */
export interface Engine {
  /** All that its answers about a balancer depend on, besides the balancer and which of its members are down. */
  termsOf(balancer: LoadBalancer): string;
  /** What the tree of destinations does with them; the rule that counts for the document has its name. */
  verdict(place: Place, chain: string): Line;
  /** The last rule of what is admitted. */
  admits(place: Place): readonly string[];
  lead(place: Place, addresses: readonly IpAddress[], chain: string, context: CompileContext): Part;
}

/** The first packets of its connections, on its address. */
export function matchOf({ protocol, ports }: Listener): string {
  const name = protocol.toLowerCase();
  return `-p ${name} -m ${name} --dport ${spanOf(ports).replace('-', ':')} `;
}
