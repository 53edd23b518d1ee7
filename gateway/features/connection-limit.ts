/**
 * How many connections may be opened in a second, and stand at once. What policies refuse does not count, or a stranger
 * could use up a limit with connections that are refused anyway.
 */
import type { Line } from '../kernel/state.js';
import type { ElasticIp, GatewayModel } from '../model/gateway-model.js';
import { bitsOf, type Cidr, type Family, hostCidr } from '../model/ip.js';
import { limitsInbound, limitsSources } from '../model/limits.js';
import type { Pressure } from '../model/pressure.js';
import { dropChain, LIMIT_CHAIN, SOURCE_LIMIT_CHAIN } from '../model/ownership.js';
import { type Contribution, FAMILIES, type Feature } from './feature.js';

const DROP = `-j ${dropChain('ConnectionLimit')}`;

/** iptables keeps the whole microseconds between two, and prints what that comes to. */
const asPrinted = (perSecond: number): number => Math.floor(1e6 / Math.floor(1e6 / perSecond));

/**
 * A second's worth may come at once. The limit is part of the name: what counts is found by it, and a rule that takes
 * another's place would find what the former one had made, with the former limit.
 */
const above = (perSecond: number, of: string, mode = ''): Line => ({
  text: `-m hashlimit --hashlimit-above ${asPrinted(perSecond)}/sec --hashlimit-burst ${perSecond}${mode} --hashlimit-name vg-${of}${perSecond} ${DROP}`,
});

/** Elastic IPs of one limit stand in one set, so that there are only as many rules as there are different limits. */
export function limitSetsOf({ limits, address }: ElasticIp): { name: string; prefix: Cidr }[] {
  const prefix = hostCidr(address);
  const { connections, newConnectionsPerSecond } = limits ?? {};
  return [
    ...(newConnectionsPerSecond === undefined ? [] : [{ name: rateSet(newConnectionsPerSecond), prefix }]),
    ...(connections === undefined ? [] : [{ name: countSet(connections), prefix }]),
  ];
}

const rateSet = (limit: number): string => `vg-r${limit}.`;
const countSet = (limit: number): string => `vg-c${limit}.`;

export const connectionLimit: Feature = {
  name: 'connection-limit',
  compile(model, { pressure }): Contribution {
    const sets = membersOf(model);
    return {
      sets: FAMILIES.flatMap((family) =>
        [...sets].map(([name, all]) => ({ family, name, prefixes: all.filter((prefix) => prefix.family === family) })),
      ),
      chains: FAMILIES.flatMap((family) => {
        const chain = (name: string, lines: readonly Line[]) =>
          ({ family, table: 'mangle', chain: name, lines: [...turnedAway(pressure), ...lines] }) as const;
        return [
          ...(limitsInbound(model) ? [chain(LIMIT_CHAIN, inbound(family, model))] : []),
          ...(limitsSources(model) ? [chain(SOURCE_LIMIT_CHAIN, ofSources(model))] : []),
        ];
      }),
    };
  },
};

function membersOf(model: GatewayModel): Map<string, Cidr[]> {
  const sets = new Map<string, Cidr[]>();
  for (const eip of model.elasticIps.values())
    for (const { name, prefix } of limitSetsOf(eip)) {
      const members = sets.get(name);
      if (members) members.push(prefix);
      else sets.set(name, [prefix]);
    }
  return sets;
}

/** The kernel counts connections by walking them all, so that for the whole gateway the supervisor counts. */
const turnedAway = ({ full }: Pressure): Line[] => (full ? [{ text: DROP }] : []);

function ofGateway({ limits: { newConnectionsPerSecond } }: GatewayModel): Line[] {
  return newConnectionsPerSecond === undefined ? [] : [above(newConnectionsPerSecond, 'gateway')];
}

function inbound(family: Family, model: GatewayModel): Line[] {
  const all = [...model.elasticIps.values()].flatMap((eip) => eip.limits ?? []);
  const distinct = (key: 'connections' | 'newConnectionsPerSecond'): number[] =>
    [...new Set(all.flatMap((limits) => limits[key] ?? []))].sort((a, b) => a - b);
  const member = (set: string): string => `-m set --match-set ${set}${family} dst `;
  const rates = distinct('newConnectionsPerSecond').map((limit) => {
    const { text } = above(limit, 'r', ' --hashlimit-mode dstip');
    return { text: `${member(rateSet(limit))}${text}` };
  });
  // Asked after the rate, since it walks all connections of the address.
  const counts = distinct('connections').map((limit) => ({
    text: `${member(countSet(limit))}-m connlimit --connlimit-above ${limit} --connlimit-mask ${bitsOf(family)} --connlimit-daddr ${DROP}`,
  }));
  return [...ofGateway(model), ...rates, ...counts];
}

function ofSources(model: GatewayModel): Line[] {
  const { newConnectionsPerSecondPerSource: perSource } = model.limits;
  const own = perSource === undefined ? [] : [above(perSource, 'source', ' --hashlimit-mode srcip')];
  return [...own, ...ofGateway(model)];
}
