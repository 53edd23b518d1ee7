/** `top`: elastic IPs by what passes them, drawn again and again on a terminal. */
import type { TopRow, TopView } from '../insight/top/top.js';
import { Client } from './client.js';
import type { Common } from './options.js';
import { bold, dim, print, red, table, yellow } from './output.js';

export type TopOrder = 'rate' | 'connections' | 'drops' | 'name';

const ORDERS: Readonly<Record<TopOrder, (a: TopRow, b: TopRow) => number>> = {
  rate: (a, b) => b.ingress + b.egress - a.ingress - a.egress,
  connections: (a, b) => b.connections - a.connections,
  drops: (a, b) => b.dropped - a.dropped,
  name: (a, b) => (a.name < b.name ? -1 : 1),
};
/** All that there may be: what is sorted by another column needs the others too. */
const ALL = 10_000;
/** Of the head, the empty line and the table's own. */
const OTHER_LINES = 5;
const ROWS_WITHOUT_TERMINAL = 50;
const CLEAR = '\x1b[H\x1b[2J';

export async function top({ target, output, once, sort }: Common & { once: boolean; sort: TopOrder }): Promise<void> {
  const client = new Client(target);
  const repeats = !once && output === 'table' && process.stdout.isTTY;
  const room = repeats ? Math.max(process.stdout.rows - OTHER_LINES, 1) : ROWS_WITHOUT_TERMINAL;
  do {
    const view = await client.get<TopView>(`/v1/top?limit=${sort === 'rate' && output === 'table' ? room : ALL}`);
    const sorted = { ...view, rows: [...view.rows].sort(ORDERS[sort]) };
    if (repeats) process.stdout.write(CLEAR);
    print(output, sorted, () => topText(sorted, room));
  } while (repeats);
}

function topText({ connections, connectionsMax, drops, rows, total }: TopView, room: number): string {
  const full = connectionsMax > 0 ? connections / connectionsMax : 0;
  const use = `${connections} of ${connectionsMax} connections`;
  const reasons = Object.entries(drops).map(([reason, count]) => red(`${reason} ${count}/s`));
  const head = [
    `${bold(`${total} elastic IPs`)}  ${full > 0.9 ? red(use) : full > 0.7 ? yellow(use) : use}`,
    `dropped packets: ${reasons.length > 0 ? reasons.join('  ') : 'none'}`,
  ].join('\n');
  const shown = table(
    rows.slice(0, room),
    [
      { title: 'ELASTIC IP', value: ({ name }) => name },
      { title: 'ADDRESS', value: ({ address }) => address },
      { title: 'INGRESS', value: ({ ingress }) => rateText(ingress), right: true },
      { title: 'EGRESS', value: ({ egress }) => rateText(egress), right: true },
      { title: 'CONNECTIONS', value: (row) => String(row.connections), right: true },
      { title: 'OPENED/S', value: ({ opened }) => String(opened), right: true },
      { title: 'DROPS/S', value: ({ dropped }) => (dropped > 0 ? red(String(dropped)) : '0'), right: true },
    ],
    'no elastic IP',
  );
  return `${head}\n\n${shown}${total > room ? dim(`… and ${total - room} more\n`) : ''}`;
}

/** In three digits or so: 950k, 9.50M, 95.0M. */
function rateText(bitsPerSecond: number): string {
  const [size, unit] = [[1e9, 'G'] as const, [1e6, 'M'] as const, [1e3, 'k'] as const].find(
    ([least]) => bitsPerSecond >= least,
  ) ?? [1, ''];
  const value = bitsPerSecond / size;
  return `${value.toFixed(unit === '' || value >= 100 ? 0 : value >= 10 ? 1 : 2)}${unit}`;
}
