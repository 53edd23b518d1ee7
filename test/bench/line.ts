import { BackedLine, SITE_HOST } from '../support/backed-line.js';
import { GatewayLab, ports, serve } from '../support/gateway-lab.js';
import { type Bench, plain, say } from './row.js';
import { median } from './statistics.js';

// A line that a tunnel stands in for carries nothing any more, and the gateway's port stays up: the longest time in which a
// stream of a datagram each 2 ms gets no answer, and what becomes of 100 connections.

const CONNECTIONS = 100;

interface Strike {
  readonly gapMs: number;
  readonly lost: number;
}

/** BFD of 50 ms × 3 at both ends, whose routing programs both go on by the tunnel. */
export const lineFailover: Bench = {
  rows: ['line-failover', 'line-failover-max', 'line-failover-lost'],
  async run({ short }) {
    const backed = new BackedLine(
      { bgp: { localASN: 65_001, peerASN: 65_010, bfd: { interval: '50ms' } } },
      { asn: 65_010, gatewayAsn: 65_001, networks: ['172.20.0.0/16'], bfdMs: 50 },
    );
    const strikes = await strikesOf('line-failover', backed, short ? 3 : 10);
    return [
      plain('line-failover', median(strikes.map(({ gapMs }) => gapMs)), 'ms'),
      plain('line-failover-max', Math.max(...strikes.map(({ gapMs }) => gapMs)), 'ms'),
      plain('line-failover-lost', lostOf(strikes), 'connections'),
    ];
  },
};

/** Pings of 200 ms, of which three are lost; the site answers by the tunnel throughout, so that the gateway alone counts. */
export const lineFailoverProbe: Bench = {
  rows: ['line-failover-probe', 'line-failover-probe-lost'],
  async run({ short }) {
    const backed = new BackedLine({ probe: { address: SITE_HOST, interval: '200ms', steady: '1s' } });
    const strikes = await strikesOf('line-failover-probe', backed, short ? 3 : 10);
    return [
      plain('line-failover-probe', median(strikes.map(({ gapMs }) => gapMs)), 'ms'),
      plain('line-failover-probe-lost', lostOf(strikes), 'connections'),
    ];
  },
};

const lostOf = (strikes: readonly Strike[]): number => strikes.reduce((sum, { lost }) => sum + lost, 0);

async function strikesOf(name: string, backed: BackedLine, count: number): Promise<Strike[]> {
  const lab = new GatewayLab(backed.lab);
  const strikes: Strike[] = [];
  try {
    await lab.start();
    await serve(lab.tenant.vm('web'), backed.site.host);
    if (name === 'line-failover-probe') await backed.answersBy('tunnel');
    for (let run = 0; run < count; run++) {
      await ledBy(lab, 'DedicatedLine/paris');
      strikes.push(await strike(lab, backed));
      say(`${name}: ${strikes.at(-1)?.gapMs.toFixed(0)} ms`);
    }
  } finally {
    await backed.end();
    await lab.end();
  }
  return strikes;
}

async function strike(lab: GatewayLab, { site }: BackedLine): Promise<Strike> {
  const vm = await lab.vm('web');
  const connections = await vm.tcpConnectMany({ targets: [{ to: SITE_HOST, port: ports.tcp }], count: CONNECTIONS });
  const stream = await vm.udpStream({ to: SITE_HOST, port: ports.udpEcho, intervalMs: 2 });
  await site.blackHole('line0');
  await ledBy(lab, 'VpnConnection/office');
  const { longestGapMs: gapMs } = await stream.stop();
  const lost = CONNECTIONS - (await connections.countAlive());
  await connections.close();
  await site.mend('line0');
  return { gapMs, lost };
}

async function ledBy(lab: GatewayLab, id: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const { text } = await lab.supervisor().get('/v1/show/routes');
    const rows = JSON.parse(text) as { network: string; by: string; state: string }[];
    if (rows.some(({ network, by, state }) => network === '172.20.0.0/16' && by === id && state === 'Taken')) return;
    if (performance.now() > deadline) throw new Error(`172.20.0.0/16 is not led by ${id}: ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
