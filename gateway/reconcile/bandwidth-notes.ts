/** What a document's limits come to where that is not what it says. */
import type { GatewayDocument } from '../documents/document.js';
import type { Shaper } from '../kernel/state.js';
import { DIRECTIONS, formatRate, limitOf, membershipsOf } from '../model/bandwidth.js';
import type { GatewayModel } from '../model/gateway-model.js';

export const NOT_ENFORCED = 'limits of bandwidth are not enforced';

export function bandwidthNotes(
  { kind, metadata: { name } }: GatewayDocument,
  model: GatewayModel,
  shaper: Shaper | undefined,
): string[] {
  if (kind === 'VpcGateway' && shaper?.lacking === undefined && shaper?.leaf === 'bfifo')
    return ['the kernel has no fq_codel: the connections of one elastic IP share a plain queue'];
  const eip = kind === 'ElasticIP' ? model.elasticIps.get(name) : undefined;
  if (!eip) return [];
  return DIRECTIONS.flatMap((direction) => {
    const own = eip.bandwidth[direction];
    const ceiling = limitOf(eip, model, direction)?.ceiling ?? Infinity;
    if (own === undefined || ceiling >= own) return [];
    const pack = membershipsOf(model.packages).get(name)?.package;
    const whose = ceiling === model.bandwidth[direction] || !pack ? "the gateway's" : `the package ${pack.name}'s`;
    return [`${direction} gets ${formatRate(ceiling)}, ${whose} ceiling, and not ${formatRate(own)}`];
  });
}
