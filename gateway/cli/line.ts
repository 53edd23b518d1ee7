/** `show line`, `show routes`. */
import type { LineLook, LineState } from '../health/line-look.js';
import type { RouteRow } from '../reconcile/show-routes.js';
import type { Client } from './client.js';
import type { Common } from './options.js';
import { bytesText, dim, green, print, red, table, yellow } from './output.js';

const COLOURS: Readonly<Record<LineState, (text: string) => string>> = { Up: green, Down: red, Idle: dim };

export async function showLine(client: Client, { output }: Common): Promise<void> {
  const rows = await client.get<LineLook[]>('/v1/show/line');
  print(output, rows, () =>
    table(
      rows,
      [
        { title: 'LINE', value: (row) => row.line },
        { title: 'PORT', value: (row) => row.port },
        { title: 'STATE', value: (row) => COLOURS[row.state](row.state) },
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
