/**
 * `npm run soak -- --minutes N`: random edits of a pair's documents and random faults under traffic, one after the other.
 * After each: no connection lost, no packet untranslated, one active member. In the end the members must not have grown:
 * memory, descriptors, connections, queues. `--seed N` repeats the order of an earlier run, which its first line names.
 */
import { parseArgs } from 'node:util';
import { CROWD, FAULTS } from '../support/pair-faults.js';
import { pairOptions, servePair } from '../support/pair-flows.js';
import { PairLab } from '../support/pair-lab.js';
import { PairServices } from '../support/pair-services.js';
import { lostIn, walk } from '../support/pair-walk.js';
import { randomDocuments } from './edits.js';
import { grown, type Size, sizeOf } from './size.js';
import { Random } from './random.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
  },
});
/** What a member needs at first is no growth. */
const WARM_UP_SHARE = 0.2;
/** Nor is what goes by itself: connections that ended stand in the kernel for two minutes. */
const GOES_WITHIN_MS = 180_000;
const LOOK_EVERY_MS = 5_000;

const random = new Random(Number(values.seed));
const services = new PairServices();
const lab = new PairLab(pairOptions({ services }));
const began = performance.now();
const lastsMs = Number(values.minutes) * 60_000;
const share = (): number => (performance.now() - began) / lastsMs;
console.log(`soak: ${values.minutes} minutes, --seed ${values.seed}`);
await lab.start();
try {
  await servePair(lab);
  await services.open(lab);
  let [faults, edits]: [number, number] = [0, 0];
  let first: Size[] | undefined;
  let wrong = 0;
  while (share() < 1) {
    const documents = randomDocuments(lab, random);
    await Promise.all(lab.members.map(({ supervisor }) => supervisor.apply(documents)));
    edits++;
    // First what takes most: it stays with the daemons, and is no growth.
    const fault = faults === 0 ? CROWD : random.of(FAULTS);
    const walked = await walk(fault, lab, services.flows);
    const { untranslated, speaking } = walked;
    faults++;
    const amiss = [
      ...lostIn(walked),
      ...(untranslated > 0 ? [`${untranslated} packets untranslated`] : []),
      ...(speaking.length === 1 ? [] : [`${speaking.length} active`]),
    ];
    console.log(`soak: ${(share() * 100).toFixed(0)} %, ${[fault.name, ...amiss].join('; WRONG: ')}`);
    if (amiss.length > 0) wrong++;
    if (share() > WARM_UP_SHARE) first ??= await sizes();
  }
  await Promise.all(lab.members.map(({ supervisor }) => supervisor.apply(lab.documents)));
  const growth = first === undefined ? [] : await lasting(first);
  console.log(`soak: ${edits} edits, ${faults} faults, ${wrong} of them wrong`);
  for (const line of growth) console.log(`soak: ${line}`);
  process.exitCode = wrong + growth.length > 0 ? 1 : 0;
} finally {
  await services.close();
  await lab.end();
}

async function lasting(first: readonly Size[]): Promise<string[]> {
  for (const until = performance.now() + GOES_WITHIN_MS; ; await lab.wait(LOOK_EVERY_MS)) {
    const growth = grown(first, await sizes());
    if (growth.length === 0 || performance.now() > until) return growth;
  }
}

function sizes(): Promise<Size[]> {
  return Promise.all(lab.members.map(sizeOf));
}
