/** Listeners of load balancers: what they take, and where it is led. Pure. */
import { byIpvs } from '../../features/feature.js';
import { type Member, servingOf, spanOf } from '../../model/balancer.js';
import { contains } from '../../model/ip.js';
import { LISTENER_CHAIN, roleLink, TABLE_VPC } from '../../model/ownership.js';
import { sharingEnds } from '../../model/shared-ends.js';
import { conntrackProtocol, endText } from './packet.js';
import { type Step, type Traveller, VPC } from './traveller.js';

const placed = ({ judge, packet }: Traveller) =>
  judge.listenerFor(packet.destination.text, conntrackProtocol(packet), packet.port);

const servingFor = (traveller: Traveller): readonly Member[] => {
  const place = placed(traveller);
  return place ? servingOf(place.listener.pool, traveller.destination.family, traveller.context.pressure.down) : [];
};

/** Before policies: who may connect, and whether anybody serves. */
export const admitted: Step = (traveller) => {
  const place = placed(traveller);
  if (!place) return undefined;
  const { listener, balancer } = place;
  const name = `${listener.protocol} ${spanOf(listener.ports)} of ${balancer.origin.id}`;
  const { source } = traveller.packet;
  if (listener.allowedSources && !listener.allowedSources.some((cidr) => contains(cidr, source)))
    return traveller.drop(
      LISTENER_CHAIN,
      `${source.text} is no allowed source of ${name}`,
      'Firewall',
      balancer.origin,
    );
  const limit = listener.maxConnections === undefined ? '' : `, unless it has ${listener.maxConnections} connections`;
  if (servingFor(traveller).length > 0)
    return traveller.pass(LISTENER_CHAIN, `${name} takes it${limit}`, balancer.origin);
  traveller.opening = 'Reject';
  return traveller.pass(LISTENER_CHAIN, `nobody serves ${name}: it is answered further on`, balancer.origin);
};

/** To the first of those that it may go to: which one is the engine's to choose. */
export const balanced: Step = (traveller) => {
  const place = placed(traveller);
  const [first, ...others] = servingFor(traveller);
  if (!place || !first || traveller.opening === 'Reject') return undefined;
  const { model, context, port } = traveller;
  const all = [first, ...others].map(({ address, port: own }) => endText(address, own ?? port));
  const to = `to ${all.length > 1 ? `one of ${all.slice(0, 5).join(', ')}` : all[0]}`;
  traveller.led = true;
  if (byIpvs(model, context) && !sharingEnds(model.loadBalancers).has(place.listener)) {
    traveller.pass('VG-D', 'stays for IPVS', place.balancer.origin);
    traveller.pass('table local', `${traveller.destination.text} is an address of the gateway's`);
    traveller.pass('VG-IN', `IPVS takes it, ${to}`, place.balancer.origin);
    traveller.route = { side: VPC, link: roleLink(model.internal.interface), table: TABLE_VPC, via: undefined };
  } else traveller.pass('VG-D', to, place.balancer.origin);
  traveller.destination = first.address;
  traveller.port = first.port ?? port;
  return undefined;
};
