/** Whether a connection may be opened to an elastic IP or a public prefix, and how many may be. Pure. */
import { judges, type PolicyVerdict, policiesOf, verdictOf } from '../../model/firewall.js';
import { limitsInbound, limitsSources } from '../../model/limits.js';
import { INGRESS_CHAIN, LIMIT_CHAIN, SOURCE_LIMIT_CHAIN } from '../../model/ownership.js';
import { conntrackProtocol } from './packet.js';
import type { By, Outcome, Step, Traveller } from './traveller.js';

/**
 * What the gateway itself answers is judged elsewhere. Of what the VPC opens, what is to a local address: a hairpin, or
 * the gateway's end of a line.
 */
function isOpening(traveller: Traveller): boolean {
  const { fromVpc, judge, packet, elasticIp } = traveller;
  if (judge.isOwn(packet.destination.text)) return false;
  return !fromVpc || elasticIp !== undefined || traveller.lineAt(packet.destination) !== undefined;
}

export const opened: Step = (traveller) => {
  const { model, elasticIp, packet } = traveller;
  if (!judges(model.firewall, 'Ingress') || !isOpening(traveller)) return undefined;
  const own = elasticIp ? policiesOf(elasticIp, model.firewall) : [];
  const verdict = verdictOf(model.firewall, own, {
    direction: 'Ingress',
    peer: packet.source,
    protocol: conntrackProtocol(packet),
    port: packet.port,
  });
  if (!verdict) return traveller.pass(INGRESS_CHAIN, 'no policy judges it');
  const said = saidBy(verdict);
  if (verdict.action === 'Deny') return traveller.drop(INGRESS_CHAIN, said, 'Firewall', byOf(verdict));
  if (traveller.opening !== 'Reject') traveller.opening = verdict.action;
  return traveller.pass(
    INGRESS_CHAIN,
    verdict.action === 'Reject' ? `${said}; it is not translated, and is answered further on` : said,
    byOf(verdict),
  );
};

export const byOf = ({ policy, rule }: PolicyVerdict): By => ({ ...policy.origin, rule: rule?.index });

export function saidBy({ action, rule }: Pick<PolicyVerdict, 'action' | 'rule'>): string {
  const verb = { Allow: 'allows', Deny: 'denies', Reject: 'rejects' }[action];
  return rule
    ? `the rule of priority ${rule.priority} ${verb} it`
    : 'no rule of its policies matches, so that it is denied';
}

/** One that a policy rejects meets the limits all the same. */
export const limited: Step = (traveller) => {
  const { model, elasticIp } = traveller;
  if (!limitsInbound(model) || !isOpening(traveller)) return undefined;
  const { connections, newConnectionsPerSecond } = elasticIp?.limits ?? {};
  const own = [
    ...(newConnectionsPerSecond === undefined ? [] : [`${newConnectionsPerSecond} new connections a second`]),
    ...(connections === undefined ? [] : [`${connections} connections`]),
  ].map((limit) => `${limit} to ${elasticIp?.address.text}`);
  return full(traveller, LIMIT_CHAIN) ?? named(traveller, LIMIT_CHAIN, own, elasticIp?.origin);
};

export const sourceLimited: Step = (traveller) => {
  const { model } = traveller;
  if (!limitsSources(model)) return undefined;
  const each = model.limits.newConnectionsPerSecondPerSource;
  const own = each === undefined ? [] : [`${each} new connections a second of one source`];
  return full(traveller, SOURCE_LIMIT_CHAIN) ?? named(traveller, SOURCE_LIMIT_CHAIN, own);
};

function full(traveller: Traveller, chain: string): Outcome | undefined {
  if (!traveller.context.pressure.full) return undefined;
  return traveller.drop(chain, 'the gateway holds as many connections as limits.connections allows', 'ConnectionLimit');
}

function named(traveller: Traveller, chain: string, own: readonly string[], by?: By): undefined {
  const all = traveller.model.limits.newConnectionsPerSecond;
  const limits = [...(all === undefined ? [] : [`${all} new connections a second of all`]), ...own];
  const what = limits.length === 0 ? 'none of the limits is its' : `unless there are more than ${limits.join(', ')}`;
  return traveller.pass(chain, what, by);
}
