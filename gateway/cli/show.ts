/** `show nat|lb|conntrack|ports|bandwidth|failover|vpn|line|bgp|routes`. */
import { formatRate } from '../model/bandwidth.js';
import type { PortUse } from '../reconcile/port-watch.js';
import type { BalancerRow } from '../reconcile/balancer-table.js';
import type { BandwidthRow, BandwidthUse, ConntrackRow, NatRow } from '../reconcile/show.js';
import { Client } from './client.js';
import { showFailover } from './failover.js';
import { print, red, table, yellow } from './output.js';
import { showBgp, showLine, showRoutes } from './line.js';
import { showVpn } from './vpn.js';
import type { Common, ShowWhat } from './options.js';

const SHOWS: Readonly<Record<ShowWhat, (client: Client, options: Common) => Promise<void>>> = {
  nat,
  lb,
  conntrack,
  ports,
  bandwidth,
  failover: showFailover,
  vpn: showVpn,
  line: showLine,
  bgp: showBgp,
  routes: showRoutes,
};

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

async function lb(client: Client, { output }: Common): Promise<void> {
  const rows = await client.get<BalancerRow[]>('/v1/show/lb');
  const state = (row: BalancerRow): string => {
    const text = row.reason === '' ? row.state : `${row.state}: ${row.reason}`;
    return row.state === 'Down' ? red(text) : row.state === 'Draining' ? yellow(text) : text;
  };
  print(output, rows, () =>
    table(
      rows,
      [
        { title: 'BALANCER', value: (row) => row.balancer },
        { title: 'LISTENER', value: (row) => row.listener },
        { title: 'POOL', value: (row) => row.pool },
        { title: 'MEMBER', value: (row) => row.member },
        { title: 'STATE', value: state },
        { title: 'WEIGHT', value: (row) => String(row.weight), right: true },
        { title: 'CONNECTIONS', value: (row) => String(row.connections), right: true },
        { title: 'SINCE', value: (row) => row.since },
      ],
      'there is no load balancer',
    ),
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

async function bandwidth(client: Client, { output }: Common): Promise<void> {
  const rows = await client.get<BandwidthRow[]>('/v1/show/bandwidth');
  const now = ({ rate, limit }: BandwidthUse): string => {
    const text = `${(rate / 1e6).toFixed(rate < 1e7 ? 2 : 0)}M`;
    return rate > limit * 0.95 ? red(text) : rate > limit * 0.7 ? yellow(text) : text;
  };
  const way = (title: string, useOf: (row: BandwidthRow) => BandwidthUse | undefined) => {
    const cell = (text: (use: BandwidthUse) => string) => (row: BandwidthRow) => {
      const use = useOf(row);
      return use ? text(use) : '';
    };
    return [
      { title: `${title} LIMIT`, value: cell(({ limit }) => formatRate(limit)), right: true },
      { title: 'NOW', value: cell(now), right: true },
      { title: 'DROPS', value: cell(({ dropped }) => String(dropped)), right: true },
    ];
  };
  print(output, rows, () =>
    table(
      rows,
      [
        { title: 'KIND', value: (row) => row.kind },
        { title: 'NAME', value: (row) => row.name },
        { title: 'PACKAGE', value: (row) => row.package },
        ...way('INGRESS', (row) => row.ingress),
        ...way('EGRESS', (row) => row.egress),
      ],
      'nothing has a limit of its own',
    ),
  );
}
