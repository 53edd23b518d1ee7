/** What may be used up: connections, ports, the table, bandwidth. Pure. */
import { DIRECTIONS, formatRate, limitOf, membershipsOf } from '../../../model/bandwidth.js';
import type { Flow } from '../../../model/flow.js';
import { contains, parseIp } from '../../../model/ip.js';
import { exhaustedOf, portUseOf } from '../../../reconcile/port-watch.js';
import type { BandwidthRow } from '../../../reconcile/show.js';
import { type About, type Check, check, fault, type Outcome, pass, skipped, some } from '../check.js';

interface Standing {
  readonly flows: readonly Flow[];
  readonly count: number;
}

export const connections: Check = check<Standing>({
  name: 'Connections',
  after: ['Programmed'],
  async look(eyes) {
    const [flows, { count }] = await Promise.all([eyes.flows(), eyes.table()]);
    return { flows: flows.filter(({ ended }) => ended !== true), count };
  },
  judge(about, { flows, count }) {
    const { model, standing, subject } = about;
    const { connections: most } = model.limits;
    if (most !== undefined && (standing.pressure.full || count >= most))
      return fault('GatewayLimitReached', [`${count} connections stand, limits.connections is ${most}`]);
    const reached = subject.elasticIps.flatMap(({ address, limits }) => {
      const limit = limits?.connections ?? Infinity;
      const held = flows.filter(({ original }) => original.destination === address.text).length;
      return held >= limit ? [`${held} connections stand to ${address.text}, its limits.connections is ${limit}`] : [];
    });
    if (reached.length > 0) return fault('ElasticIpLimitReached', some(reached));
    const busy = busySources(flows, about);
    return busy.length > 0 ? fault('SourceLimitReached', some(busy)) : pass(`standing at the gateway: ${count}`);
  },
});

function busySources(flows: readonly Flow[], { model, subject }: About): string[] {
  const limit = model.limits.connectionsPerSource;
  if (limit === undefined) return [];
  const held = countBy(flows, ({ original }) => original.source);
  return [...held].flatMap(([source, count]) => {
    const address = count >= limit ? parseIp(source) : undefined;
    const leaves = address && subject.exits.some((exit) => contains(exit.source, address));
    return leaves ? [`${source} holds ${count} connections, limits.connectionsPerSource is ${limit}`] : [];
  });
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}

export const ports: Check = check<readonly Flow[]>({
  name: 'Ports',
  after: ['Programmed'],
  look: (eyes) => eyes.flows(),
  judge(about, flows) {
    const { subject, model, standing } = about;
    const rules = [...new Set(subject.exits.flatMap(({ rule }) => rule ?? []))];
    if (rules.length === 0) return skipped('its ports are not shared');
    const uses = portUseOf(model, flows);
    const exhausted = exhaustedOf(uses, standing.pressure.exhausted);
    const pools = rules.flatMap(({ pool }) => pool);
    const low = pools.filter(({ address }) => exhausted.has(address.text));
    const words = uses
      .filter(({ address }) => low.some((eip) => eip.address.text === address))
      .map(({ address, busiest }) => `${address}: ${busiest?.used} ports are in use towards ${busiest?.farEnd}`);
    const spent = rules.some(({ pool }) =>
      ([4, 6] as const).some((family) => {
        const members = pool.filter(({ address }) => address.family === family);
        return members.length > 0 && members.every((eip) => low.includes(eip));
      }),
    );
    if (low.length > 0) return fault(spent ? 'PortsExhausted' : 'PortsLow', some(words));
    return blocksOf(flows, about) ?? pass('every address has ports left');
  },
});

/** Of rules that give each source a block of ports. */
function blocksOf(flows: readonly Flow[], { subject }: About): Outcome | undefined {
  const spent = subject.exits.flatMap(({ source, rule }) => {
    if (rule?.portsPerSource === undefined) return [];
    const block = rule.portsPerSource;
    const leaving = flows.filter(({ original, reply }) => {
      const address = reply.destination === original.source ? undefined : parseIp(original.source);
      return (
        address !== undefined &&
        contains(source, address) &&
        rule.pool.some((eip) => eip.address.text === reply.destination)
      );
    });
    const ends = countBy(
      leaving,
      ({ protocol, original, reply }) => `${original.source} towards ${protocol} ${reply.source} ${reply.sourcePort}`,
    );
    return [...ends].flatMap(([end, count]) =>
      count >= block ? [`${count} of ${block} ports are in use by ${end}`] : [],
    );
  });
  return spent.length > 0 ? fault('SourcePortsExhausted', some(spent)) : undefined;
}

const NEARLY = 0.9;

export const table: Check = check<{ readonly count: number; readonly max: number }>({
  name: 'Table',
  after: [],
  look: (eyes) => eyes.table(),
  judge(_about, { count, max }) {
    const words = `${count} of ${max} connections`;
    if (count >= max) return fault('ConntrackFull', [words]);
    return count >= max * NEARLY ? fault('ConntrackNearlyFull', [words]) : pass(words);
  },
});

/** A second's look is never quite as much as the limit. */
const SATURATED = 0.9;

export const bandwidth: Check = check<readonly BandwidthRow[]>({
  name: 'Bandwidth',
  after: ['Programmed'],
  look: (eyes, about) => (isLimited(about) ? eyes.bandwidth() : Promise.resolve([])),
  judge(about, rows) {
    if (!isLimited(about)) return skipped('it has no limit');
    const { shaper } = about.standing;
    if (shaper?.lacking !== undefined) return fault('BandwidthNotEnforced', [shaper.lacking]);
    const own = rows.filter(({ kind, name }) => metersOf(about).has(`${kind}/${name}`));
    const uses = own.flatMap((row) =>
      DIRECTIONS.flatMap((direction) => {
        const use = row[direction];
        return use
          ? [
              {
                ...use,
                words: `${row.kind}/${row.name} ${direction}: ${rateText(use.rate)} of ${formatRate(use.limit)}`,
              },
            ]
          : [];
      }),
    );
    const full = uses.filter(({ rate, limit }) => rate >= limit * SATURATED);
    if (full.length > 0)
      return fault(
        'BandwidthSaturated',
        some(full.map(({ words, dropped }) => `${words}, ${dropped} packets dropped so far`)),
      );
    return pass(...some(uses.map(({ words }) => words)));
  },
});

const rateText = (bits: number): string => `${(bits / 1e6).toFixed(2)}M`;

const isLimited = ({ subject, model }: About): boolean =>
  subject.elasticIps.some((eip) => DIRECTIONS.some((direction) => limitOf(eip, model, direction) !== undefined));

/** Of the elastic IPs, and of the packages that they share. */
function metersOf({ subject, model }: About): ReadonlySet<string> {
  const packs = membershipsOf(model.packages);
  return new Set(
    subject.elasticIps.flatMap(({ name, origin }) => {
      const pack = packs.get(name)?.package;
      return [origin.id, ...(pack ? [pack.origin.id] : [])];
    }),
  );
}
