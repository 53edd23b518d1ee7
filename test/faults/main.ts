/**
 * `npm run faults`: what each fault does to each sort of connection of a pair, as a table. `--full` walks every fault,
 * `--runs N` each so often and shows the worst, `--only TEXT` those whose name holds it, `--virtual` with virtual MAC
 * addresses, `--beside REVISION` with a second member as another revision of this repository builds it: an upgrade half done.
 */
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { programOf } from '../support/former-build.js';
import { FAULTS, type Fault } from '../support/pair-faults.js';
import { pairOptions, servePair } from '../support/pair-flows.js';
import { PairLab } from '../support/pair-lab.js';
import { PairServices } from '../support/pair-services.js';
import { lostIn, walk, type Walked } from '../support/pair-walk.js';
import { faultTable, worstOf } from './table.js';

const { values } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    runs: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    virtual: { type: 'boolean', default: false },
    beside: { type: 'string' },
  },
});

async function walkOften(fault: Fault, lab: PairLab): Promise<Walked> {
  const walked: Walked[] = [];
  for (let run = 0; run < Number(values.runs); run++) {
    const one = await walk(fault, lab, services.flows);
    walked.push(one);
    const longest = Math.max(...one.flows.map(({ gapMs }) => gapMs ?? 0));
    const said = `${fault.name}: ${run + 1} of ${values.runs}, longest gap ${Math.round(longest)} ms`;
    process.stderr.write(`${[said, ...lostIn(one)].join('; ')}\n`);
  }
  return worstOf(walked);
}

const faults = FAULTS.filter(({ short, name }) => (values.full || short) && name.includes(values.only));
const services = new PairServices();
const secondUnder = values.beside === undefined ? {} : { program: await programOf(values.beside) };
const lab = new PairLab(pairOptions({ macMode: values.virtual ? 'Virtual' : 'Own', services, secondUnder }));
await lab.start();
try {
  await servePair(lab);
  await services.open(lab);
  const rows: Walked[] = [];
  for (const fault of faults) rows.push(await walkOften(fault, lab));
  const machine = `${cpus().length} cores, Linux ${release().split('-')[0]}`;
  process.stdout.write(
    `${faultTable(rows)}\n${new Date().toISOString().slice(0, 10)}, ${machine}, worst of ${values.runs}\n`,
  );
  const wrong = rows.some(
    ({ flows, untranslated, speaking, expected }) =>
      flows.some(({ lost }) => lost > 0) || untranslated > 0 || speaking.join() !== expected,
  );
  process.exitCode = wrong ? 1 : 0;
} finally {
  await services.close();
  await lab.end();
}
