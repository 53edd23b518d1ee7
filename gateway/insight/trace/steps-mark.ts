/** Which side a packet is of, and the external network that its connection uses. Pure. */
import type { Origin } from '../../model/gateway-model.js';
import type { WayOut } from '../../model/flow.js';
import type { Outcome, Step, Traveller } from './traveller.js';

export const markedFromOutside: Step = (traveller) => {
  const { source, side } = traveller;
  if (traveller.isOfVpc(source))
    return traveller.drop('VG-MARK', `${source.text} is the VPC's, and cannot come from outside`, 'Spoof');
  return claimsOurs(traveller) ?? traveller.pass('VG-MARK', `the connection uses external network ${side}`);
};

export const ownSource: Step = (traveller) => {
  const { source } = traveller;
  if (!traveller.isOfVpc(source))
    return traveller.drop('VG-MARK', `${source.text} is in no prefix of the VPC`, 'Spoof');
  return claimsOurs(traveller) ?? traveller.pass('VG-MARK', `${source.text} is the VPC's`);
};

function claimsOurs(traveller: Traveller): Outcome | undefined {
  const { source, judge, model } = traveller;
  const isOwn = judge.isOwn(source.text) || traveller.lineAt(source) !== undefined;
  if (!isOwn && !model.byAddress.has(source.text)) return undefined;
  return traveller.drop('VG-MARK', `${source.text} is the gateway's own`, 'Spoof');
}

/** Chosen by the source alone, and kept although the packet may never leave the VPC. */
export const chosenNetwork: Step = (traveller) => {
  const way = traveller.judge.wayOut(traveller.source.text);
  if (!way) return undefined;
  const name = externalOf(way, traveller.source.family);
  traveller.external = traveller.model.externals.find((external) => external.name === name);
  return traveller.pass('VG-NEW', `its connections use external network ${name}`, documentOf(way));
};

export const documentOf = (way: WayOut): Origin =>
  way.kind === 'Bound' ? way.elasticIp.origin : way.kind === 'Shared' ? way.rule.origin : way.prefix.origin;

function externalOf(way: WayOut, family: 4 | 6): string | undefined {
  if (way.kind === 'Bound') return way.elasticIp.external;
  if (way.kind === 'Prefix') return way.prefix.external;
  return way.rule.pool.find((eip) => eip.address.family === family)?.external;
}
