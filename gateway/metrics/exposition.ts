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
