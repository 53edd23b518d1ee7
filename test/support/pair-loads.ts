import { fileURLToPath } from 'node:url';
import { internet } from './addresses.js';
import type { TcpConnections } from './agent-handles.js';
import { ports } from './gateway-lab.js';
import type { Member, PairLab } from './pair-lab.js';
import { startSynFlood } from './syn-flood.js';

// What a pair may have to carry when a fault strikes it.

const program = fileURLToPath(new URL('./overfill.pl', import.meta.url));
const MANY = 20_000;
const AT_ONCE = 100;
const PATIENCE_MS = 20_000;
const outside = internet.hostAddresses[0] as string;

let held: readonly TcpConnections[] = [];

/** Half of them by SNAT, half from a VM to another by its elastic IP. */
export async function holdMany({ tenant }: PairLab): Promise<void> {
  const [crowd, app] = await Promise.all([tenant.vm('crowd').agent(), tenant.vm('app').agent()]);
  const half = { count: MANY / 2, concurrency: AT_ONCE, timeoutMs: PATIENCE_MS };
  held = [
    await crowd.tcpConnectMany({ targets: [{ to: outside, port: ports.tcp }], ...half }),
    await app.tcpConnectMany({ targets: [{ to: '203.0.113.10', port: ports.tcp }], ...half }),
  ];
  const refused = held.flatMap(({ errors }) => errors);
  if (refused[0]) throw new Error(`${refused.length} of ${MANY} could not connect: ${refused[0].message}`);
}

/** Fails for any that is lost. */
export async function manyStillThere(): Promise<void> {
  const alive = await Promise.all(held.map((each) => each.countAlive(PATIENCE_MS)));
  await Promise.all(held.map((each) => each.close({ reset: true })));
  const lost = MANY - alive.reduce((sum, each) => sum + each, 0);
  if (lost > 0) throw new Error(`${lost} of ${MANY} connections were lost`);
}

/** Bits a second of the external links, while a VM sends at twice that. */
const NARROW = 40;
const FULL_BYTES = 20_000;

/** Until `end`, of which the members' external links must have been full. */
export async function overfill(lab: PairLab): Promise<{ end: () => Promise<void> }> {
  const { tenant, members } = lab;
  const shape = ['root', 'tbf', 'rate', `${NARROW}mbit`, 'burst', '32kb', 'limit', '100kb'];
  const qdisc = (verb: string, ...more: string[]) =>
    Promise.all(members.map(({ namespace }) => namespace.exec(['tc', 'qdisc', verb, 'dev', 'ext0', ...more])));
  await qdisc('add', ...shape);
  const sender = tenant.vm('app').namespace.spawn(['perl', program, outside, `${2 * NARROW}`], { stdio: 'ignore' });
  await lab.until('a link is full', async () => {
    const shown = members.map(({ namespace }) => namespace.exec(['tc', '-s', '-j', 'qdisc', 'show', 'dev', 'ext0']));
    const all = (await Promise.all(shown)).map(({ stdout }) => (JSON.parse(stdout) as { backlog?: number }[])[0]);
    return all.some((qdisc) => (qdisc?.backlog ?? 0) > FULL_BYTES);
  });
  return {
    end: async () => {
      sender.kill('SIGKILL');
      await qdisc('delete', 'root');
    },
  };
}

/** First packets from thousands of addresses, in the midst of which it is struck. */
export async function flood(lab: PairLab, strike: () => Promise<void>): Promise<void> {
  // Of an earlier one, which are no sign of this.
  for (const { namespace } of lab.members)
    for (const state of ['SYN_SENT', 'SYN_RECV'])
      await namespace.exec(['conntrack', '-D', '-p', 'tcp', '--state', state], { okExitCodes: [0, 1] });
  const { over } = startSynFlood(lab.topology.inet.namespace, { to: '203.0.113.10', port: ports.tcp, seconds: 3 });
  await lab.until('the flood is in the table', async () => (await halfOpenOf(lab.members)) > FLOODED);
  await strike();
  await over;
}

/** All network namespaces of a node share one neighbour table, 1,024 entries by default, which a VM's scan fills. */
export async function fillNeighbours({ tenant }: PairLab): Promise<void> {
  const { namespace } = tenant.vm('app');
  const addresses = Array.from({ length: NEIGHBOURS }, (_, i) => `10.255.${i >> 8}.${i & 255}`);
  const stdin = addresses.map((to) => `neigh replace ${to} lladdr 02:00:00:00:00:01 dev eth0 nud reachable\n`).join('');
  const end = performance.now() + FULL_FOR_MS;
  while (performance.now() < end) {
    const { stderr } = await namespace.exec(['ip', '-batch', '-'], { stdin, okExitCodes: [0, 1, 2] });
    if (!stderr.includes('No buffer space')) throw new Error(`the neighbour table has not become full: ${stderr}`);
  }
  await namespace.ip(['neigh flush to 10.255.0.0/16']);
}

const NEIGHBOURS = 2_048;
const FULL_FOR_MS = 3_000;

const FLOODED = 5_000;

/** Whatever else comes and goes meanwhile. */
async function halfOpenOf(members: readonly Member[]): Promise<number> {
  const tables = await Promise.all(members.map(({ namespace }) => namespace.exec(['conntrack', '-L', '-p', 'tcp'])));
  return Math.max(...tables.map(({ stdout }) => stdout.match(/SYN_(SENT|RECV)/g)?.length ?? 0));
}
