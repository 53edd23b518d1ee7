import { setTimeout as sleep } from 'node:timers/promises';
import type { Namespace } from '../support/namespace.js';
import { bitsPerSecond, classOf, readClasses, type Reading } from './class-bytes.js';
import { documentsOf, elasticIp, elasticIpDocument, gatewayPlan } from './documents.js';
import { startEmpty, submit } from './gateway.js';
import { iperfServer, throughput } from './iperf.js';
import { buildNetwork } from './network.js';
import { type Bench, plain, type Row, say } from './row.js';

// How well limits hold, beside 1,000 other elastic IPs that have limits too: TCP connections that want more than their
// elastic IP may have, for six seconds, both ways. Three, so that one goes on while another waits for what was dropped. What counts is bytes of Ethernet frames at the class, from the first
// one on. And a package that ten elastic IPs share, all of which want all of it.

const plan = gatewayPlan('gateway', 1, 1_000);
const rates = [1, 10, 50, 200];
const seconds = 5;
const members = 10;
const packageRate = 100;
const firstPort = 5201;
const devices = { up: 'vi-ext0', down: 'vg-ext0' } as const;
type Way = keyof typeof devices;

export const bandwidth: Bench = {
  rows: [
    'bandwidth',
    'bandwidth-1m',
    'bandwidth-goodput',
    'bandwidth-first-second',
    'bandwidth-first-second-1m',
    'bandwidth-share',
  ],
  async run({ short }) {
    const network = await buildNetwork([plan], []);
    try {
      say(`bandwidth: ${plan.elasticIps} elastic IPs with limits beside`);
      const gateway = network.namespace('gateway');
      await submit(await startEmpty(gateway), [{ file: 'documents.yaml', text: documents() }]);
      for (let i = 0; i < members; i++) await iperfServer(network.server, { port: firstPort + i });
      const samples: Sample[] = [];
      for (const mbit of rates)
        for (const way of ['up', 'down'] as const)
          for (let round = 0; round < (short ? 1 : 3); round++)
            samples.push(await measure(gateway, network.client, mbit, way));
      const share = Math.max(
        await unfairness(gateway, network.client, 'up'),
        await unfairness(gateway, network.client, 'down'),
      );
      return rowsOf(samples, share);
    } finally {
      network.destroy();
    }
  },
};

const addressOf = (mbit: number): string => elasticIp(plan, plan.elasticIps + rates.indexOf(mbit));
const memberOf = (i: number): number => plan.elasticIps + rates.length + i;

function documents(): string {
  const measured = rates.map((mbit, i) => elasticIpDocument(plan, plan.elasticIps + i, `${mbit}M`));
  const sharing = Array.from({ length: members }, (_, i) => elasticIpDocument(plan, memberOf(i)));
  const names = Array.from({ length: members }, (_, i) => `{elasticIP: eip-${memberOf(i)}}`);
  const pack = `apiVersion: vpcgw.io/v1alpha1
kind: BandwidthPackage
metadata: {name: shared}
spec: {bandwidth: {ingress: ${packageRate}M, egress: ${packageRate}M}, members: [${names.join(', ')}]}
`;
  return [documentsOf(plan, () => '10M'), ...measured, ...sharing, pack].join('---\n');
}

interface Sample {
  readonly mbit: number;
  /** Per cent over or under the rate. */
  readonly deviation: number;
  readonly firstSecond: number;
  /** Payload at the receiver, of the rate. */
  readonly goodput: number;
}

async function measure(gateway: Namespace, client: Namespace, mbit: number, way: Way): Promise<Sample> {
  const device = devices[way];
  const id = await classOf(gateway, device, addressOf(mbit));
  const read = async (): Promise<Reading> => (await readClasses(gateway, device)).get(id) ?? { bytes: 0, ms: 0 };
  const idle = await read();
  // What waits in the queue at its end has not arrived: so it begins when as much waits there already.
  const running = throughput(client, {
    to: addressOf(mbit),
    streams: 3,
    seconds,
    omittedSeconds: 1,
    reverse: way === 'down',
  });
  // Not the handshake, but the first data.
  let begun = await read();
  while (begun.bytes - idle.bytes < 1_000) begun = await read();
  const start = { bytes: idle.bytes, ms: begun.ms };
  const after = async (ms: number): Promise<number> => {
    await sleep(start.ms + ms - performance.now());
    return (bitsPerSecond(start, await read()) / (mbit * 1e6) - 1) * 100;
  };
  const firstSecond = await after(1_000);
  const deviation = await after(seconds * 1_000);
  const goodput = (await running) / (mbit * 1e6);
  const figures = [deviation, firstSecond].map((figure) => `${figure.toFixed(2)} %`);
  say(`bandwidth: ${mbit} Mbit/s ${way}: ${figures.join(', in the first second ')}, goodput ${goodput.toFixed(3)}`);
  return { mbit, deviation, firstSecond, goodput };
}

/** How far the member that got most or least is from the mean, in per cent. */
async function unfairness(gateway: Namespace, client: Namespace, way: Way): Promise<number> {
  const device = devices[way];
  const addresses = Array.from({ length: members }, (_, i) => elasticIp(plan, memberOf(i)));
  const ids = await Promise.all(addresses.map((address) => classOf(gateway, device, address)));
  const running = addresses.map((to, i) =>
    throughput(client, { to, port: firstPort + i, seconds: seconds + 2, reverse: way === 'down' }),
  );
  await sleep(1_000);
  const before = await readClasses(gateway, device);
  await sleep(seconds * 1_000);
  const after = await readClasses(gateway, device);
  await Promise.all(running);
  const got = ids.map((id) => bitsPerSecond(before.get(id) as Reading, after.get(id) as Reading));
  const mean = got.reduce((sum, each) => sum + each, 0) / members;
  const worst = Math.max(...got.map((each) => Math.abs(each / mean - 1))) * 100;
  say(
    `bandwidth: ${members} share ${((mean * members) / 1e6).toFixed(1)} Mbit/s ${way}, the worst ${worst.toFixed(1)} % off`,
  );
  return worst;
}

/** The worst of all samples, each by its size. */
function rowsOf(samples: readonly Sample[], share: number): Row[] {
  const worst = (chosen: readonly Sample[]): number => Math.max(...chosen.map(({ deviation }) => Math.abs(deviation)));
  const first = (chosen: readonly Sample[]): number => Math.max(...chosen.map(({ firstSecond }) => firstSecond));
  const slow = samples.filter(({ mbit }) => mbit === 1);
  const others = samples.filter(({ mbit }) => mbit > 1);
  return [
    plain('bandwidth', worst(others), '%'),
    plain('bandwidth-1m', worst(slow), '%'),
    plain('bandwidth-goodput', Math.min(...samples.map(({ goodput }) => goodput)), 'of the rate'),
    plain('bandwidth-first-second', first(others), '%'),
    plain('bandwidth-first-second-1m', first(slow), '%'),
    plain('bandwidth-share', share, '%'),
  ];
}
