/** Packages of bandwidth, with their members found. */
import type { DocumentOf } from '../documents/document.js';
import { type BandwidthPackage, NO_LIMIT } from './bandwidth.js';
import type { Complaints } from './complaints.js';
import type { ElasticIp } from './gateway-model.js';
import { elasticIpNamed } from './named.js';
import { originOf } from './origin.js';

export function resolvePackage(
  document: DocumentOf<'BandwidthPackage'>,
  elasticIps: ReadonlyMap<string, ElasticIp>,
  complaints: Complaints,
): BandwidthPackage {
  const { spec, metadata } = document;
  const members = spec.members.flatMap(({ elasticIP, guaranteed = NO_LIMIT, max = NO_LIMIT }, i) => {
    const path = ['spec', 'members', i, 'elasticIP'];
    const elasticIp = elasticIpNamed(elasticIP, elasticIps, document, path, complaints);
    return elasticIp ? [{ elasticIp, guaranteed, max }] : [];
  });
  return {
    name: metadata.name,
    external: members[0]?.elasticIp.external ?? '',
    bandwidth: spec.bandwidth,
    members,
    origin: originOf(document),
  };
}
