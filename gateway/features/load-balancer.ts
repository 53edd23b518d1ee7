/**
 * Load balancers by iptables, on any kernel: a listener is asked before port forwards and 1:1, and leads each new
 * connection to one of the members that serve. Guarantees:
 * 1. A connection keeps its member for its life, whatever is edited beside it: only its first packet is asked.
 * 2. Who may not connect, and what nobody serves, is judged before any translation, on the listener's own address.
 */
import type { Line } from '../kernel/state.js';
import {
  addressesOf,
  type Down,
  type Listener,
  type LoadBalancer,
  type Member,
  servingOf,
  spanOf,
} from '../model/balancer.js';
import type { Origin } from '../model/gateway-model.js';
import { fnv1a64 } from '../model/hash.js';
import { type Family, hostCidr } from '../model/ip.js';
import { CHAIN_PREFIX, dropChain, MARK, markBit, SET_PREFIX } from '../model/ownership.js';
import { bracketed } from './dnat-rule.js';
import { type Contribution, FAMILIES, type Feature, INBOUND_RANK, type NatEntry } from './feature.js';
import { rejectChain } from './firewall-rules.js';
import { ownersOf, PARTS_BITS, PARTS_LEVELS, probabilitiesOf } from './shares.js';

export const loadBalancer: Feature = {
  name: 'load-balancer',
  compile({ loadBalancers, internal }, { pressure: { down } }): Contribution {
    if (loadBalancers.length === 0) return {};
    const parts = loadBalancers.flatMap((balancer) =>
      balancer.listeners.flatMap((listener) =>
        FAMILIES.flatMap((family) => compileListener(balancer, listener, family, down)),
      ),
    );
    return {
      addresses: loadBalancers.flatMap(({ address, origin }) =>
        address ? [{ parent: internal.interface, text: hostCidr(address).text, origin }] : [],
      ),
      inbound: parts.flatMap(({ inbound }) => inbound),
      admitted: parts.flatMap(({ admitted }) => admitted),
      sets: parts.flatMap(({ sets }) => sets),
      chains: [...FAMILIES.map(rejectChain), ...parts.flatMap(({ chains }) => chains)],
    };
  },
};

type Part = Required<Pick<Contribution, 'inbound' | 'admitted' | 'sets' | 'chains'>>;

function compileListener(balancer: LoadBalancer, listener: Listener, family: Family, down: Down): Part[] {
  const addresses = addressesOf(balancer).filter((address) => address.family === family);
  if (addresses.length === 0) return [];
  const key = fnv1a64(`${balancer.name} ${listener.protocol} ${spanOf(listener.ports)}`);
  const chain = `${CHAIN_PREFIX}BL-${key}`;
  const set = `${SET_PREFIX}b${key}`;
  const serving = servingOf(listener.pool, family, down);
  const match = matchOf(listener);
  const entries = (rank: number, texts: readonly string[], origin?: Origin): NatEntry[] =>
    texts.length === 0
      ? []
      : addresses.map((address) => ({
          prefix: hostCidr(address),
          rank,
          rules: texts.map((text) => ({ text: `${match}${text}`, origin })),
        }));
  return [
    {
      // What is counted for the document are the rules that choose a member.
      inbound: entries(INBOUND_RANK.localClaim, [`-g ${chain}`], undefined),
      admitted: entries(0, admissionOf(listener, `${set}${family}`, serving.length > 0), balancer.origin),
      sets: listener.allowedSources
        ? [{ family, name: set, prefixes: listener.allowedSources.filter((cidr) => cidr.family === family) }]
        : [],
      chains: spread(chain, listener, serving, balancer).map((part) => ({ family, table: 'nat' as const, ...part })),
    },
  ];
}

function matchOf({ protocol, ports }: Listener): string {
  const name = protocol.toLowerCase();
  return `-p ${name} -m ${name} --dport ${spanOf(ports).replace('-', ':')} `;
}

/** What is dropped or refused before it reaches a member. */
function admissionOf({ allowedSources, maxConnections }: Listener, set: string, served: boolean): string[] {
  return [
    ...(allowedSources ? [`-m set ! --match-set ${set} src -j ${dropChain('Firewall')}`] : []),
    ...(served ? [] : [`-j MARK --set-xmark ${markBit(MARK.rejected)}`]),
    ...(maxConnections === undefined
      ? []
      : [
          `-m connlimit --connlimit-above ${maxConnections} --connlimit-mask 0 --connlimit-daddr -j ${dropChain('ConnectionLimit')}`,
        ]),
  ];
}

/** By hash where a client is to come back to its member, else by chance. */
export const isByHash = ({ algorithm, affinityMs }: Listener): boolean =>
  algorithm === 'SourceHash' || algorithm === 'Maglev' || affinityMs !== undefined;

interface Spread {
  readonly chain: string;
  readonly lines: readonly Line[];
}

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
