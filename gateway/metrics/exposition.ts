/** Series of which there are thousands, as text: far cheaper than objects. */
import type { Meter } from './bandwidth-meters.js';
import { inSlices } from './in-slices.js';

const KIND = 'ElasticIP/';

/** Of elastic IPs that have a limit; nothing counts the others. */
export async function metersText(meters: readonly Meter[]): Promise<string> {
  const bytes: string[] = [];
  const packets: string[] = [];
  await inSlices(meters, ({ id, direction, ...count }) => {
    if (!id.startsWith(KIND)) return;
    const labels = `{name="${id.slice(KIND.length)}",direction="${direction}"}`;
    bytes.push(`vpcgw_elastic_ip_bytes_total${labels} ${count.bytes}\n`);
    packets.push(`vpcgw_elastic_ip_packets_total${labels} ${count.packets}\n`);
  });
  if (bytes.length === 0) return '';
  return [
    '# HELP vpcgw_elastic_ip_bytes_total What passed an elastic IP that has a limit, in bytes of Ethernet frames.\n',
    '# TYPE vpcgw_elastic_ip_bytes_total counter\n',
    ...bytes,
    '# HELP vpcgw_elastic_ip_packets_total The same in packets.\n',
    '# TYPE vpcgw_elastic_ip_packets_total counter\n',
    ...packets,
  ].join('');
}

/** Of things that have several figures each. */
export interface Series<Thing> {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  /** `undefined`: nothing to say of it. */
  readonly read: (thing: Thing) => number | undefined;
}

export function seriesText<Thing>(
  series: readonly Series<Thing>[],
  things: readonly Thing[],
  labelsOf: (thing: Thing) => string,
): string[] {
  return series.flatMap(({ name, type, help, read }) => {
    const samples = things.flatMap((thing) => {
      const value = read(thing);
      return value === undefined ? [] : [`${name}{${labelsOf(thing)}} ${value}`];
    });
    return samples.length === 0 ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples];
  });
}
