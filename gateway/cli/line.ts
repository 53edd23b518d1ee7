/** `show line`, `show bgp`, `show routes`. */
import type { BgpLook } from '../health/bgp-look.js';
import type { LineLook } from '../health/line-look.js';
import type { RouteRow } from '../reconcile/show-routes.js';
import type { Client } from './client.js';
import type { Common } from './options.js';
import { bytesText, green, print, red, siteStateText, table, verdict, yellow } from './output.js';

export async function showLine(client: Client, { output }: Common): Promise<void> {
  const rows = await client.get<LineLook[]>('/v1/show/line');
  print(output, rows, () =>
    table(
      rows,
      [
        { title: 'LINE', value: (row) => row.line },
        { title: 'PORT', value: (row) => row.port },
        { title: 'STATE', value: (row) => siteStateText(row.state) },
        { title: 'SINCE', value: (row) => row.since },
        { title: 'RECEIVED', value: (row) => bytesText(row.receivedBytes), right: true },
        { title: 'SENT', value: (row) => bytesText(row.sentBytes), right: true },
        { title: 'SWITCH-OVERS', value: (row) => String(row.switchOvers), right: true },
        { title: 'LAST', value: (row) => (row.switchOverMs === undefined ? '' : `${row.switchOverMs} ms`) },
        { title: 'WHY', value: (row) => row.reason },
      ],
      'there is no dedicated line',
    ),
  );
}

export async function showBgp(client: Client, { output }: Common): Promise<void> {
  const rows = await client.get<BgpLook[]>('/v1/show/bgp');
  print(output, rows, () =>
    table(
      rows,
      [
        { title: 'LINE', value: (row) => row.line },
        { title: 'PEER', value: (row) => row.peer },
        { title: 'STATE', value: (row) => verdict(row.established, row.state) },
        { title: 'BFD', value: ({ bfd }) => (bfd === undefined ? '' : verdict(bfd === 'Up', bfd)) },
        { title: 'TAKEN', value: (row) => String(row.taken), right: true },
        { title: 'PASSED OVER', value: (row) => String(row.passedOver), right: true },
        { title: 'TOLD', value: (row) => String(row.told), right: true },
        { title: 'WHY', value: (row) => row.reason },
      ],
      'no dedicated line speaks BGP',
    ),
  );
}

const STATES: Readonly<Record<RouteRow['state'], (text: string) => string>> = {
  Taken: green,
  Next: (text) => text,
  Dead: red,
  Refuses: yellow,
};

export async function showRoutes(client: Client, { output }: Common): Promise<void> {
  const rows = await client.get<RouteRow[]>('/v1/show/routes');
  print(output, rows, () =>
    table(rows, [
      { title: 'NETWORK', value: (row) => row.network },
      { title: 'BY', value: (row) => row.by },
      { title: 'VIA', value: (row) => row.via },
      { title: 'LINK', value: (row) => row.link },
      { title: 'METRIC', value: (row) => String(row.metric), right: true },
      { title: 'STATE', value: (row) => STATES[row.state](row.state) },
    ]),
  );
}
