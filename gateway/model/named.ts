/** What a document names, or a complaint with the nearest name that there is. */
import type { GatewayDocument } from '../documents/document.js';
import { nearest } from '../documents/explain.js';
import type { Complaints } from './complaints.js';
import type { ElasticIp } from './gateway-model.js';

const NAMES_COMPARED = 10_000;

export function named<Thing>(
  kind: string,
  name: string,
  things: ReadonlyMap<string, Thing>,
  document: GatewayDocument,
  path: readonly PropertyKey[],
  complaints: Complaints,
): Thing | undefined {
  const found = things.get(name);
  if (found === undefined && complaints.complete)
    complaints.at(
      document,
      path,
      `there is no ${kind} ${name}${nearest(name, [...things.keys()].slice(0, NAMES_COMPARED))}`,
    );
  return found;
}

export const elasticIpNamed = (
  name: string,
  elasticIps: ReadonlyMap<string, ElasticIp>,
  document: GatewayDocument,
  path: readonly PropertyKey[],
  complaints: Complaints,
): ElasticIp | undefined => named('ElasticIP', name, elasticIps, document, path, complaints);
