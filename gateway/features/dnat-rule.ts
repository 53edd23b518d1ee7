/** Port forwards: a protocol and ports of an elastic IP lead to a VM. */
import type { DnatRule } from '../model/gateway-model.js';
import { hostCidr, type IpAddress } from '../model/ip.js';
import { type Feature, INBOUND_RANK, type NatEntry } from './feature.js';

export const dnatRule: Feature = {
  name: 'dnat-rule',
  compile: (model) => ({ inbound: model.dnatRules.map(inboundEntry) }),
};

function inboundEntry(rule: DnatRule): NatEntry {
  return {
    prefix: hostCidr(rule.elasticIp.address),
    rank: rule.protocol === 'Any' ? INBOUND_RANK.wholeAddress : INBOUND_RANK.port,
    rules: [{ text: `${matchOf(rule)}-j DNAT --to-destination ${destinationOf(rule)}`, origin: rule.origin }],
  };
}

function matchOf({ protocol, ports, target }: DnatRule): string {
  if (protocol === 'Any') return '';
  if (protocol === 'ICMP')
    return target.family === 4 ? '-p icmp -m icmp --icmp-type 8 ' : '-p ipv6-icmp -m icmp6 --icmpv6-type 128 ';
  const name = protocol.toLowerCase();
  const span = ports && ports.last > ports.first ? `${ports.first}:${ports.last}` : `${ports?.first ?? 0}`;
  return `-p ${name} -m ${name} --dport ${span} `;
}

/** A range that keeps its numbers needs no port; one that moves is shifted port by port. */
function destinationOf({ ports, target, targetPort }: DnatRule): string {
  if (!ports || targetPort === undefined || targetPort === ports.first) return target.text;
  const host = bracketed(target);
  if (ports.last === ports.first) return `${host}:${targetPort}`;
  return `${host}:${targetPort}-${targetPort + ports.last - ports.first}/${ports.first}`;
}

export const bracketed = (address: IpAddress): string => (address.family === 6 ? `[${address.text}]` : address.text);
