import { fileURLToPath } from 'node:url';
import { AddressHistory, overlapMs } from '../support/address-history.js';
import { Capture, type Packet } from '../support/capture.js';
import type { Namespace } from '../support/namespace.js';
import type { Member } from '../support/pair-lab.js';
import { elasticIp } from './documents.js';
import { PairBench } from './pair.js';
import { type Bench, plain, say } from './row.js';

// Every process of the active member is stopped in the middle of traffic both ways, while somebody asks for its elastic
// IP by ARP every 10 ms. `fence`: the other member's processes are stopped too, so that nobody takes the traffic away;
// ms until the last frame of its MAC addresses was seen outside or in the VPC. `fence-overlap`: of a `Strict` pair; the
// other one lives, or the two are cut off from each other alone; ms in which one member's frames came after the other's
// first.

const asker = fileURLToPath(new URL('./arp-asker.pl', import.meta.url));
const WATCHED_MS = 2_000;
const BEFORE_MS = 300;

interface Wire {
  readonly place: Namespace;
  readonly device: string;
  /** Of the members, as seen there. */
  readonly link: string;
}

export const fence: Bench = {
  rows: ['fence', 'fence-overlap'],
  async run({ short }) {
    const runs = short ? 2 : 10;
    const silent = await often(runs, {}, (bench) => freeze(bench, 'both'));
    const frozen = await often(runs, { strict: true }, (bench) => freeze(bench, 'active'));
    const parted = await often(runs, { strict: true }, part);
    return [plain('fence', Math.max(...silent), 'ms'), plain('fence-overlap', Math.max(...frozen, ...parted), 'ms')];
  },
};

async function often(runs: number, form: { strict?: true }, once: (bench: PairBench) => Promise<number>) {
  const bench = await PairBench.start({ elasticIps: 100, macMode: 'Own', ...form });
  try {
    const figures: number[] = [];
    for (let run = 0; run < runs; run++) figures.push(await once(bench));
    say(
      `fence: ${form.strict ? 'both spoke for' : 'silent after'} ${figures.map((ms) => ms.toFixed(1)).join(', ')} ms`,
    );
    return figures;
  } finally {
    await bench.lab.end();
  }
}

/** Cut off from each other alone, for longer than a third voter is asked; for how long both held one address. */
async function part({ lab }: PairBench): Promise<number> {
  const { active } = await lab.settled();
  const history = await AddressHistory.start(lab, 'server');
  const [inet, client] = await Promise.all([lab.inet(), lab.tenant.vm('client').agent()]);
  const streams = [
    await inet.udpStream({ to: elasticIp({ number: 1 }, 0), from: '198.51.100.1', port: 7, intervalMs: 5 }),
    await client.udpStream({ to: '198.51.100.1', port: 7, intervalMs: 5 }),
  ];
  await lab.wait(BEFORE_MS);
  await lab.cables.silence(active.namespace, ['sync0']);
  await lab.wait(WATCHED_MS);
  await lab.cables.unsilence(active.namespace, ['sync0']);
  await lab.settled();
  await Promise.all(streams.map(async (stream) => (await stream.stop(0), stream.close())));
  return overlapMs(await history.stop());
}

async function freeze({ lab }: PairBench, who: 'both' | 'active'): Promise<number> {
  const { active, standby } = await lab.settled();
  const wires: Wire[] = [
    { place: lab.topology.inet.namespace, device: 'ext', link: 'vg-ext0' },
    { place: lab.tenant.vm('server').namespace, device: 'eth0', link: 'vg-vpc0' },
  ];
  const seen = await Promise.all(
    [active, standby].map((member) => Promise.all(wires.map((wire) => framesOf(member, wire)))),
  );
  const [inet, client] = await Promise.all([lab.inet(), lab.tenant.vm('client').agent()]);
  const flow = { port: 7, intervalMs: 5 };
  const streams = [
    await inet.udpStream({ to: elasticIp({ number: 1 }, 0), from: '198.51.100.1', ...flow }),
    await client.udpStream({ to: '198.51.100.1', ...flow }),
  ];
  const asking = await askFor(lab.topology.inet.namespace, elasticIp({ number: 1 }, 1));
  await lab.wait(BEFORE_MS);
  const frozen = who === 'both' ? [...active.pids, ...standby.pids] : active.pids;
  const atMs = performance.timeOrigin + performance.now();
  active.signal(frozen, 'SIGSTOP');
  await lab.wait(WATCHED_MS);
  asking();
  await Promise.all(streams.map(async (stream) => (await stream.stop(0), stream.close())));
  const [ofActive, ofStandby] = await Promise.all(
    seen.map(async (captures) => (await Promise.all(captures.map((capture) => capture.stop()))).flat()),
  );
  active.signal(frozen, 'SIGCONT');
  await lab.settled();
  const last = Math.max(...times(ofActive));
  if (who === 'both') return last - atMs;
  const first = Math.min(...times(ofStandby).filter((time) => time > atMs));
  if (first === Infinity) throw new Error('the other member never spoke: nothing was compared');
  return Math.max(0, last - first);
}

const times = (packets: readonly Packet[] | undefined): number[] => (packets ?? []).map(({ at }) => at);

async function framesOf(member: Member, { place, device, link }: Wire): Promise<Capture> {
  return Capture.start(place, { interface: device, filter: `ether src ${await macOf(member.namespace, link)}` });
}

async function macOf(namespace: Namespace, link: string): Promise<string> {
  const { stdout } = await namespace.exec(['ip', '-j', 'link', 'show', link]);
  return (JSON.parse(stdout) as { address: string }[])[0]?.address ?? '';
}

async function askFor(place: Namespace, address: string): Promise<() => void> {
  const { stdout } = await place.exec(['ip', '-j', 'link', 'show', 'ext']);
  const [link] = JSON.parse(stdout) as { ifindex: number; address: string }[];
  const argv = ['perl', asker, String(link?.ifindex), address, link?.address ?? '', '100.64.0.1'];
  const child = place.spawn(argv, { stdio: ['ignore', 'ignore', 'inherit'] });
  return () => void child.kill();
}
