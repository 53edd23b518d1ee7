/**
 * Load balancers: a listener is asked before port forwards and 1:1, and leads each new connection to one of the members
 * that serve, by IPVS where the kernel has it and else by rules. Guarantees:
 * 1. A connection keeps its member for its life, whatever is edited beside it.
 * 2. Who may not connect, and what nobody serves, is judged before any translation, on the listener's own address.
 */
import type { Line } from '../kernel/state.js';
import { addressesOf, type LoadBalancer, memberId, servingOf, spanOf } from '../model/balancer.js';
import { fnv1a64 } from '../model/hash.js';
import { type Family, hostCidr } from '../model/ip.js';
import { CHAIN_PREFIX, dropChain, MARK, markBit, SET_PREFIX } from '../model/ownership.js';
import { rememberBy } from '../model/remember.js';
import { aroundIpvs, Ipvs } from './balancer-ipvs.js';
import { type Engine, matchOf, type Part, type Place } from './balancer-engine.js';
import { RULES } from './balancer-rules.js';
import { byIpvs, type CompileContext, type Contribution, FAMILIES, type Feature, INBOUND_RANK } from './feature.js';
import { rejectChain } from './firewall-rules.js';

export const loadBalancer: Feature = {
  name: 'load-balancer',
  compile(model, context): Contribution {
    const { loadBalancers, internal } = model;
    if (loadBalancers.length === 0) return {};
    const engine = byIpvs(model, context) ? new Ipvs(model, context) : RULES;
    const parts = loadBalancers.flatMap((balancer) => partsOf(balancer, engine, context));
    const ipvs = parts.flatMap((part) => part.ipvs ?? []);
    const around = engine instanceof Ipvs ? aroundIpvs(model, context, engine, ipvs) : {};
    return {
      ...around,
      addresses: loadBalancers.flatMap(({ address, origin }) =>
        address ? [{ parent: internal.interface, text: hostCidr(address).text, origin }] : [],
      ),
      inbound: parts.flatMap(({ inbound }) => inbound ?? []),
      admitted: parts.flatMap(({ admitted }) => admitted ?? []),
      sets: parts.flatMap(({ sets }) => sets ?? []),
      chains: [...FAMILIES.map(rejectChain), ...parts.flatMap(({ chains }) => chains ?? []), ...(around.chains ?? [])],
      ipvs: [...ipvs, ...(around.ipvs ?? [])],
      idle: context.facts.balancing?.untimed === undefined ? parts.flatMap(({ idle }) => idle ?? []) : [],
    };
  },
};

/** Kept while nothing that they depend on changes, so that an edit of one balancer costs no look at a thousand others. */
const remembered = rememberBy<LoadBalancer, readonly Part[]>();

function partsOf(balancer: LoadBalancer, engine: Engine, context: CompileContext): readonly Part[] {
  const { down } = context.pressure;
  const ids =
    down.size > 0 ? balancer.pools.flatMap((pool) => pool.members.map((member) => memberId(pool, member))) : [];
  const terms = `${engine.termsOf(balancer)} ${ids.filter((id) => down.has(id)).join()}`;
  return remembered(balancer, terms, () =>
    balancer.listeners.flatMap((listener) =>
      FAMILIES.flatMap((family) => listenerPart({ balancer, listener, family }, engine, context)),
    ),
  );
}

function listenerPart(place: Place, engine: Engine, context: CompileContext): Part[] {
  const { balancer, listener, family } = place;
  const addresses = addressesOf(balancer).filter((address) => address.family === family);
  if (addresses.length === 0) return [];
  const key = fnv1a64(`${balancer.name} ${listener.protocol} ${spanOf(listener.ports)}`);
  const match = matchOf(listener);
  const entries = (rank: number, lines: readonly Line[]) =>
    addresses.map((address) => ({
      prefix: hostCidr(address),
      rank,
      rules: lines.map(({ text, origin }) => ({ text: `${match}${text}`, origin })),
    }));
  const chain = `${CHAIN_PREFIX}BL-${key}`;
  const lead = engine.lead(place, addresses, chain, context);
  const admission = admissionOf(place, key, context);
  const { idleMs, protocol, ports } = listener;
  const admitted = [...admission.lines, ...engine.admits(place)].map((text): Line => ({
    text,
    origin: balancer.origin,
  }));
  return [
    {
      ...lead,
      inbound: entries(INBOUND_RANK.localClaim, [engine.verdict(place, chain)]),
      admitted: admitted.length > 0 ? entries(0, admitted) : [],
      sets: admission.sets,
      chains: [...(lead.chains ?? []), ...admission.chains],
      idle:
        idleMs === undefined
          ? []
          : addresses.map(({ text }) => ({
              ...{ protocol, family, seconds: Math.round(idleMs / 1000) },
              listener: `${text} . ${spanOf(ports)}`,
            })),
    },
  ];
}

interface Admission {
  readonly lines: readonly string[];
  readonly sets: NonNullable<Contribution['sets']>;
  readonly chains: NonNullable<Contribution['chains']>;
}

/** What goes on after its connection was forgotten: its member would take it for the same connection, and so would IPVS. */
const REFUSE_FORGOTTEN = `! --tcp-flags FIN,SYN,RST,ACK SYN -j MARK --set-xmark ${markBit(MARK.rejected)}`;

/** What is dropped or refused before it reaches a member. */
function admissionOf({ balancer, listener, family }: Place, key: string, { pressure }: CompileContext): Admission {
  const { allowedSources, maxConnections, pool, protocol, idleMs } = listener;
  const set = `${SET_PREFIX}b${key}`;
  const chain = `${CHAIN_PREFIX}BC-${key}`;
  const served = servingOf(pool, family, pressure.down).length > 0;
  return {
    lines: [
      ...(allowedSources ? [`-m set ! --match-set ${set}${family} src -j ${dropChain('Firewall')}`] : []),
      ...(idleMs !== undefined && protocol === 'TCP' ? [REFUSE_FORGOTTEN] : []),
      ...(served ? [] : [`-j MARK --set-xmark ${markBit(MARK.rejected)}`]),
      ...(maxConnections === undefined ? [] : [`-j ${chain}`]),
    ],
    sets: allowedSources
      ? [{ family, name: set, prefixes: allowedSources.filter((cidr) => cidr.family === family) }]
      : [],
    // A chain of its own: what counts is forgotten with the chain, which must not be when a neighbour is edited.
    chains: maxConnections === undefined ? [] : [limitChain(family, chain, maxConnections, balancer)],
  };
}

const limitChain = (family: Family, chain: string, most: number, { origin }: LoadBalancer) => ({
  family,
  table: 'mangle' as const,
  chain,
  lines: [
    {
      text: `-m connlimit --connlimit-above ${most} --connlimit-mask 0 --connlimit-daddr -j ${dropChain('ConnectionLimit')}`,
      origin,
    },
  ],
});
