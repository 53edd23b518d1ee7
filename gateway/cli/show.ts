/** `show nat|conntrack|ports`. */
import type { PortUse } from '../reconcile/port-watch.js';
import type { ConntrackRow, NatRow } from '../reconcile/show.js';
import { Client } from './client.js';
import { print, red, table, yellow } from './output.js';
import type { Common, ShowWhat } from './options.js';

const SHOWS: Readonly<Record<ShowWhat, (client: Client, options: Common) => Promise<void>>> = { nat, conntrack, ports };

export const show = (what: ShowWhat, options: Common): Promise<void> =>
  SHOWS[what](new Client(options.target), options);

async function nat(client: Client, { output }: Common): Promise<void> {
  const rows = await client.get<NatRow[]>('/v1/show/nat');
  print(output, rows, () =>
    table(rows, [
      { title: 'KIND', value: (row) => row.kind },
      { title: 'NAME', value: (row) => row.name },
      { title: 'ELASTIC IP', value: (row) => row.elasticIps },
      { title: 'MATCH', value: (row) => row.match },
      { title: 'TARGET', value: (row) => row.target },
      { title: 'CONNECTIONS', value: (row) => String(row.connections), right: true },
    ]),
  );
}

async function conntrack(client: Client, { output }: Common): Promise<void> {
  const rows = await client.get<ConntrackRow[]>('/v1/show/conntrack');
  print(output, rows, () =>
    table(rows, [
      { title: 'PROTOCOL', value: (row) => row.protocol },
      { title: 'FROM', value: (row) => row.from },
      { title: 'TO', value: (row) => row.to },
      { title: 'SEEN AS', value: (row) => row.seenAs },
      { title: 'ENDS AT', value: (row) => row.endsAt },
      { title: 'BYTES', value: (row) => String(row.bytes), right: true },
    ]),
  );
}

async function ports(client: Client, { output }: Common): Promise<void> {
  const rows = await client.get<PortUse[]>('/v1/show/ports');
  const percent = ({ headroom }: PortUse): string => {
    const text = `${(headroom * 100).toFixed(1)} %`;
    return headroom < 0.1 ? red(text) : headroom < 0.3 ? yellow(text) : text;
  };
  print(output, rows, () =>
    table(
      rows,
      [
        { title: 'ELASTIC IP', value: (row) => row.elasticIp },
        { title: 'ADDRESS', value: (row) => row.address },
        { title: 'CONNECTIONS', value: (row) => String(row.connections), right: true },
        { title: 'FREE PORTS', value: percent, right: true },
        {
          title: 'BUSIEST FAR END',
          value: (row) => (row.busiest ? `${row.busiest.farEnd} (${row.busiest.used})` : ''),
        },
      ],
      'no elastic IP is shared by a SNAT rule',
    ),
  );
}
