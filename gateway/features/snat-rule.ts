/** Shared ways out: many sources leave by one elastic IP or a pool of them. */
import type { Line } from '../kernel/state.js';
import type { ElasticIp, SnatRule } from '../model/gateway-model.js';
import { bitsOf, type Family, type IpAddress, ipFromValue } from '../model/ip.js';
import { CHAIN_PREFIX } from '../model/ownership.js';
import { bracketed } from './dnat-rule.js';
import {
  type CompileContext,
  type Contribution,
  FAMILIES,
  type Feature,
  type NatEntry,
  OUTBOUND_RANK,
} from './feature.js';
import { planPool, type PoolPlan, type Slot } from './pool.js';

export const snatRule: Feature = {
  name: 'snat-rule',
  compile(model, context) {
    const parts = model.snatRules.flatMap((rule) => FAMILIES.map((family) => compileRule(rule, family, context)));
    return {
      sources: parts.flatMap((part) => part?.sources ?? []),
      outbound: parts.flatMap((part) => part?.outbound ?? []),
      chains: parts.flatMap((part) => part?.chains ?? []),
    };
  },
};

type Compiled = Required<Pick<Contribution, 'sources' | 'outbound' | 'chains'>>;

function compileRule(rule: SnatRule, family: Family, context: CompileContext): Compiled | undefined {
  const pool = rule.pool.filter((eip) => eip.address.family === family);
  const sources = rule.sources.filter((source) => source.family === family);
  const [first] = pool;
  if (!first || sources.length === 0) return undefined;
  const addresses = pool.map((eip) => eip.address);
  const plan = poolPlan(rule, family, context);
  const chain = `${CHAIN_PREFIX}P${context.snatIndex(rule.name)}`;
  const chains = bucketChains(chain, plan, addresses, rule);
  const entry = (prefix: NatEntry['prefix']): NatEntry => ({
    prefix,
    rank: OUTBOUND_RANK.shared,
    rules: [{ text: `-j ${chain}`, origin: rule.origin }],
  });
  return {
    sources: sources.map((prefix) => ({ prefix, external: first.external, origin: rule.origin })),
    outbound: sources.map(entry),
    chains: [...chains].map(([name, lines]) => ({ family, table: 'nat' as const, chain: name, lines })),
  };
}

/** Also what `explain` and `show ports` answer from: which elastic IP and ports a source gets. */
export function poolPlan(rule: SnatRule, family: Family, { pressure }: Pick<CompileContext, 'pressure'>): PoolPlan {
  const shortest = Math.min(
    ...rule.sources.filter((source) => source.family === family).map((source) => source.length),
  );
  return planPool({
    members: rule.pool.filter((eip) => eip.address.family === family).map((eip) => eip.address.text),
    exhausted: pressure.exhausted,
    portsPerSource: rule.portsPerSource,
    sourceBits: bitsOf(family) - shortest,
  });
}

/** Which elastic IP of its pool a rule gives a source, and which of its ports where they are shared out. */
export function slotOf(
  rule: SnatRule,
  source: IpAddress,
  context: Pick<CompileContext, 'pressure'>,
): { readonly elasticIp: ElasticIp; readonly ports: Slot['ports'] } | undefined {
  const pool = rule.pool.filter((eip) => eip.address.family === source.family);
  if (pool.length === 0) return undefined;
  const { bits, slots } = poolPlan(rule, source.family, context);
  const slot = slots[Number(source.value & ((1n << BigInt(bits)) - 1n))];
  const elasticIp = slot && pool[slot.member];
  return elasticIp && { elasticIp, ports: slot.ports };
}

const BITS_PER_CHAIN = 4;

/** A tree over the low bits of the source, four at a time from the lowest, as wide masks are free in iptables. */
function bucketChains(
  root: string,
  plan: PoolPlan,
  addresses: readonly IpAddress[],
  rule: SnatRule,
): Map<string, Line[]> {
  const chains = new Map<string, Line[]>();
  const family = addresses[0]?.family ?? 4;
  const fill = (chain: string, value: number, shift: number): void => {
    const lines: Line[] = [];
    chains.set(chain, lines);
    const slot = shift >= plan.bits ? plan.slots[value] : undefined;
    if (slot) return void lines.push(...slotRules(slot, addresses, rule));
    const width = Math.min(BITS_PER_CHAIN, plan.bits - shift);
    for (let digit = 0; digit < 1 << width; digit++) {
      const bucket = value | (digit << shift);
      const match = `-s ${lowBits(family, digit << shift)}/${lowBits(family, ((1 << width) - 1) << shift)}`;
      const last = shift + width >= plan.bits ? plan.slots[bucket] : undefined;
      const rules = last ? slotRules(last, addresses, rule) : [];
      if (rules.length === 1) lines.push({ ...rules[0], text: `${match} ${rules[0]?.text ?? ''}` });
      else {
        const name = `${root}-${bucket.toString(16)}.${shift + width}`;
        lines.push({ text: `${match} -g ${name}`, origin: rule.origin });
        fill(name, bucket, shift + width);
      }
    }
  };
  fill(root, 0, 0);
  return chains;
}

const lowBits = (family: Family, value: number): string => ipFromValue(family, BigInt(value)).text;

function slotRules({ member, ports }: Slot, addresses: readonly IpAddress[], { origin }: SnatRule): Line[] {
  const address = addresses[member];
  if (!address) return [];
  if (!ports) return [{ text: `-j SNAT --to-source ${address.text} --random-fully`, origin }];
  const range = `${bracketed(address)}:${ports.first}-${ports.last}`;
  return [
    { text: `-p tcp -j SNAT --to-source ${range} --random-fully`, origin },
    { text: `-p udp -j SNAT --to-source ${range} --random-fully`, origin },
    { text: `-j SNAT --to-source ${address.text}`, origin },
  ];
}
