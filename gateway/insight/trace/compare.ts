/** The walk through the model beside what the kernel did: any difference is a defect of ours, or somebody else's rule. Pure. */
import type { Flow } from '../../model/flow.js';
import { EGRESS_CHAIN, INGRESS_CHAIN, LIMIT_CHAIN, SITE_CHAINS, SOURCE_LIMIT_CHAIN } from '../../model/ownership.js';
import type { Observed } from './kernel-trace.js';
import type { Outcome } from './traveller.js';
import type { Walk } from './walk.js';

/** Chains that decide something: those that the kernel asked must be hops of the walk. */
const DECIDING = new Set([INGRESS_CHAIN, LIMIT_CHAIN, SOURCE_LIMIT_CHAIN, EGRESS_CHAIN, 'VG-D', 'VG-FWD', 'VG-IN']);
const decides = (chain: string): boolean =>
  DECIDING.has(chain) || Object.values(SITE_CHAINS).some((name) => chain.startsWith(name));

/** `flow`: as the connection table has it. Each difference is a sentence. */
export function differences(walk: Walk, { chains, outcome }: Observed, flow: Flow | undefined): string[] {
  if (isLimit(walk, outcome)) return [];
  const hops = walk.hops.map(({ at }) => at).filter((at) => at.startsWith('VG-'));
  return [
    ...outcomeDifferences(walk.outcome, outcome, isShared(walk)),
    ...hops.filter((at) => !chains.includes(at)).map((at) => `the kernel did not ask ${at}`),
    ...[...new Set(chains)]
      .filter((chain) => decides(chain) && !hops.includes(chain))
      .map((chain) => `the kernel asked ${chain}, which the model passes by`),
    ...(flow && !isShared(walk) ? flowDifferences(walk.outcome, flow) : []),
  ];
}

/** Which of several members a connection comes to, the walk does not know. */
const isShared = ({ hops }: Walk): boolean => hops.some(({ what }) => what.includes('to one of '));

/** A limit depends on the moment, and the walk has said so. */
export const isLimit = (walk: Walk, { reason }: Outcome): boolean =>
  reason === 'ConnectionLimit' && walk.hops.some(({ what }) => what.includes('unless'));

function outcomeDifferences(model: Outcome, kernel: Outcome, shared: boolean): string[] {
  const end = shared ? [] : (['destination', 'port'] as const);
  const fields = ['kind', 'reason', 'source', ...end, 'link'] as const;
  return fields
    .filter((name) => model[name] !== kernel[name])
    .map((name) => `${name}: ${model[name] ?? 'none'} by the model, ${kernel[name] ?? 'none'} in the kernel`);
}

function flowDifferences({ kind, source, destination }: Outcome, { reply }: Flow): string[] {
  if (kind !== 'Delivered') return [];
  return [
    ...(reply.source === destination ? [] : [`conntrack: leads to ${reply.source}, and ${destination} by the model`]),
    ...(reply.destination === source ? [] : [`conntrack: seen as ${reply.destination}, and ${source} by the model`]),
  ];
}
