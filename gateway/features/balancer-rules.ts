/**
 * Load balancing by rules of iptables, on any kernel: each connection meets them once, and keeps its member for its life,
 * whatever is edited beside it.
 */
import type { Line } from '../kernel/state.js';
import { type Listener, type LoadBalancer, type Member, servingOf } from '../model/balancer.js';
import type { Engine } from './balancer-engine.js';
import { bracketed } from './dnat-rule.js';
import { ownersOf, PARTS_BITS, PARTS_LEVELS, probabilitiesOf } from './shares.js';

export const RULES: Engine = {
  termsOf: () => 'rules',
  verdict: (_place, chain) => ({ text: `-g ${chain}` }),
  admits: () => [],
  lead: ({ balancer, listener, family }, _addresses, chain, { pressure }) => ({
    chains: spread(chain, listener, servingOf(listener.pool, family, pressure.down), balancer).map((part) => ({
      family,
      table: 'nat' as const,
      ...part,
    })),
  }),
};

/** By hash where a client is to come back to its member, else by chance. */
export const isByHash = ({ algorithm, affinityMs }: Listener): boolean =>
  algorithm === 'SourceHash' || algorithm === 'Maglev' || affinityMs !== undefined;

interface Spread {
  readonly chain: string;
  readonly lines: readonly Line[];
}

/** The chains that a listener leads to; the first is `chain`. */
function spread(chain: string, listener: Listener, serving: readonly Member[], { origin }: LoadBalancer): Spread[] {
  const protocol = `-p ${listener.protocol.toLowerCase()} `;
  /** A port to translate to is taken only with the protocol, which stands before all matches. */
  const line = (member: Member, condition = ''): Line => ({
    text:
      member.port === undefined
        ? `${condition}-j DNAT --to-destination ${member.address.text}`
        : `${protocol}${condition}-j DNAT --to-destination ${bracketed(member.address)}:${member.port}`,
    origin,
  });
  const [only] = serving;
  if (serving.length <= 1) return [{ chain, lines: only ? [line(only)] : [] }];
  if (isByHash(listener)) return byHash(chain, serving, line);
  const probabilities = probabilitiesOf(serving);
  const lines = serving.map((member, i) => {
    const share = probabilities[i];
    return line(member, share === undefined ? '' : `-m statistic --mode random --probability ${share} `);
  });
  return [{ chain, lines }];
}

const WAYS = 1 << PARTS_BITS;
const hashMatch = (level: number, mask: number): string =>
  mask === (1 << WAYS) - 1
    ? ''
    : `-m cluster --cluster-local-nodemask 0x${mask.toString(16).padStart(8, '0')} --cluster-total-nodes ${WAYS} --cluster-hash-seed 0x${(0x76706301 + level).toString(16)} `;

/** A tree of chains over the parts, each level by a hash of its own; what leads to one member is one rule. */
function byHash(root: string, serving: readonly Member[], line: (member: Member, condition: string) => Line): Spread[] {
  const owners = ownersOf(serving);
  const spreads: Spread[] = [];
  const fill = (chain: string, level: number, first: number): void => {
    const size = 1 << (PARTS_BITS * (PARTS_LEVELS - level - 1));
    const masks = new Map<number, number>();
    const deeper: number[] = [];
    for (let way = 0; way < WAYS; way++) {
      const [owner = 0, ...others] = new Set(owners.slice(first + way * size, first + (way + 1) * size));
      if (others.length > 0) deeper.push(way);
      else masks.set(owner, (masks.get(owner) ?? 0) | (1 << way));
    }
    const jumps = deeper.map((way): Line => ({ text: `${hashMatch(level, 1 << way)}-g ${chain}${below(level, way)}` }));
    const lines = [...masks].flatMap(([owner, mask]) => {
      const member = serving[owner];
      return member ? [line(member, hashMatch(level, mask))] : [];
    });
    spreads.push({ chain, lines: [...jumps, ...lines] });
    for (const way of deeper) fill(`${chain}${below(level, way)}`, level + 1, first + way * size);
  };
  fill(root, 0, 0);
  return spreads;
}

const below = (level: number, way: number): string => `${level === 0 ? '-' : ''}${way}`;
