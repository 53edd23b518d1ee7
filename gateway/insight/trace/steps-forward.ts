/** What may pass, and what the gateway answers itself. Pure. */
import { isHeld } from '../../features/elastic-ip.js';
import { judges, verdictOf } from '../../model/firewall.js';
import { contains } from '../../model/ip.js';
import { type DedicatedLine, peerOf } from '../../model/line.js';
import { EGRESS_CHAIN } from '../../model/ownership.js';
import { conntrackProtocol, type Packet } from './packet.js';
import { byOf, saidBy } from './steps-opening.js';
import { endAt } from '../../model/vpn.js';
import { judgedBySite } from './steps-site.js';
import { type Outcome, type Route, type Step, type Traveller, VPC } from './traveller.js';

export const inputOrForward: Step = (traveller) => {
  const { route, opening, fromVpc, site } = traveller;
  // What IPVS has taken is sent on, not forwarded.
  if (route && traveller.hops.some(({ at }) => at === 'VG-IN')) return undefined;
  const at = route ? 'VG-FWD' : 'VG-IN';
  if (opening === 'Reject') {
    const answer = traveller.packet.protocol === 'tcp' ? 'a TCP reset' : 'administratively prohibited';
    return traveller.end(at, `answered with ${answer}`, { kind: 'Rejected', reason: 'Firewall' });
  }
  if (!route) return input(traveller);
  if (site) {
    traveller.pass(at, `what ${site.origin.id} may open is its own to say`);
    return judgedBySite(traveller, site, 'Ingress');
  }
  return fromVpc ? forwardFromVpc(traveller, route) : forwardFromOutside(traveller, route.side);
};

/** The gateway answers ping at the addresses of the side that it comes from; else it hears tunnels and sessions alone. */
function input(traveller: Traveller): Outcome {
  const { model, fromVpc, site, met, destination, packet } = traveller;
  const own = fromVpc || site ? model.internal.addresses : model.externals.flatMap(({ addresses }) => addresses);
  if (packet.protocol === 'icmp' && (met || own.some(({ address }) => address.text === destination.text)))
    return traveller.end('VG-IN', `the gateway answers ping at ${destination.text}`, { kind: 'Answered' });
  if (met && isSession(met, packet))
    return traveller.end('VG-IN', `the session of ${met.origin.id} takes it`, { kind: 'Answered' }, met.origin);
  const tunnel = fromVpc || site ? undefined : endAt(model, destination.text, packet.protocol, packet.port);
  if (tunnel)
    return traveller.end('VG-IN', `the tunnel of ${tunnel.origin.id} takes it`, { kind: 'Answered' }, tunnel.origin);
  const eip = model.byAddress.get(destination.text);
  if (eip && isHeld(eip, model.frame))
    return traveller.drop('VG-IN', `${eip.address.text} is held: nothing is bound to it`, 'Hold', eip.origin);
  const what = eip ? `no rule leads it on from ${eip.address.text}` : 'the gateway offers nothing here';
  return traveller.drop('VG-IN', what, 'NoRule', eip?.origin);
}

/** BGP, and the BFD beside it, with the other end alone. */
function isSession(line: DedicatedLine, { source, protocol, port }: Packet): boolean {
  const { bgp } = line;
  if (!bgp || peerOf(line, source.family)?.text !== source.text) return false;
  return (protocol === 'tcp' && port === 179) || (bgp.bfd !== undefined && protocol === 'udp' && port === 3784);
}

function forwardFromOutside(traveller: Traveller, to: string): Outcome | undefined {
  const { led, model, destination } = traveller;
  if (to === VPC && led) return traveller.pass('VG-FWD', 'from outside into the VPC: it was led there');
  const open = model.ipv6Prefixes.find(
    ({ prefix, internalPrefix, mode }) => mode === 'Full' && !internalPrefix && contains(prefix, destination),
  );
  if (to === VPC && open) return traveller.pass('VG-FWD', `${open.prefix.text} is open to outside`, open.origin);
  return traveller.drop('VG-FWD', `nothing leads ${destination.text} into the VPC`, 'NoRule');
}

function forwardFromVpc(traveller: Traveller, { side: to, site }: Route): Outcome | undefined {
  const most = traveller.model.limits.connectionsPerSource;
  const limit = most === undefined ? '' : `, unless ${traveller.source.text} has more than ${most} connections`;
  traveller.pass(
    'VG-FWD',
    `the VPC may open connections ${to === VPC ? 'to itself' : site ? `to ${to}` : 'to outside'}${limit}`,
  );
  if (site) return judgedBySite(traveller, site, 'Egress');
  return to === VPC ? undefined : leaving(traveller);
}

function leaving(traveller: Traveller): Outcome | undefined {
  const { model, judge, source, destination, packet, port } = traveller;
  if (!judges(model.firewall, 'Egress')) return undefined;
  const verdict = verdictOf(model.firewall, judge.leavingPolicies(source.text), {
    direction: 'Egress',
    peer: destination,
    protocol: conntrackProtocol(packet),
    port,
  });
  if (!verdict) return traveller.pass(EGRESS_CHAIN, 'no policy judges it');
  const { action } = verdict;
  if (action === 'Deny') return traveller.drop(EGRESS_CHAIN, saidBy(verdict), 'Firewall', byOf(verdict));
  if (action === 'Allow') return traveller.pass(EGRESS_CHAIN, saidBy(verdict), byOf(verdict));
  return traveller.end(EGRESS_CHAIN, saidBy(verdict), { kind: 'Rejected', reason: 'Firewall' }, byOf(verdict));
}
