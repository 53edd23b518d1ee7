/**
 * Shaping by traffic control: HTB on a role link for what goes out, on an IFB for what comes in. A change asks back the
 * filters that it made, which tells that their classes are there too. A class cannot be asked for alone, and reading all
 * would cost 20 ms at 5,000: its rate counts as the kernel acknowledged it, and the kernel's own notice of the change is
 * compared with it by the watch over drift.
 */
import { SHAPING } from '../../model/ownership.js';
import type { CommandRunner } from '../command.js';
import { feed } from '../feed.js';
import { PatchedMap } from '../patched-map.js';
import type { Line } from '../state.js';
import type { Change, Subsystem } from '../subsystem.js';
import { diffShaping } from './diff.js';
import type { Entry } from './entry.js';
import { parseClass, parseFilters, parseQdiscs, type Qdiscs } from './parse.js';
import { renderQuestion } from './render.js';

type Lines = ReadonlyMap<string, Line>;

/** Above this many changes everything is read back. */
const ASK_AT_MOST = 64;
/** Tells where the answer to one question ends: it changes nothing, and every network namespace has it. */
const SEPARATOR = 'qdisc show dev lo';

export const shaping: Subsystem<Lines> = {
  title: 'traffic control',

  async observe(run, desired) {
    const qdiscs = parseQdiscs(await listQdiscs(run, desired));
    const entries: Entry[] = [...qdiscs.trunks];
    if (qdiscs.trunks.length > 0) entries.push(...(await observeBelow(run, qdiscs)));
    return new Map(entries.map(([key, text]): [string, Line] => [key, { text }]));
  },

  diff: diffShaping,

  async apply(run, changes, observed, desired) {
    const lines = changes.flatMap((change) => change.lines);
    const alone = changes.length <= ASK_AT_MOST && changes.every(({ key }) => canBeAsked(key) || / class /.test(key));
    const asked = alone ? changes.filter(({ key, action }) => canBeAsked(key) && action !== 'remove') : [];
    const questions = asked.map(({ key }) => ({ text: renderQuestion(key) }));
    const { stdout } = await feed(run, ['tc', '-batch', '-'], [...lines, ...questions], 'dash');
    if (!alone) return this.observe(run, desired);
    return merge(observed, desired, changes, answersOf(stdout, asked));
  },
};

/** Where nothing is to be shaped, a machine without traffic control is fine. */
async function listQdiscs(run: CommandRunner, desired: Lines): Promise<string> {
  try {
    return (await run.run({ argv: ['tc', 'qdisc', 'show'] })).stdout;
  } catch (error) {
    if (desired.size > 0) throw error;
    return '';
  }
}

/** Nodes of a table have numbers of ours; a root's node has one of the kernel's. */
const canBeAsked = (key: string): boolean => /:[0-9a-f]+:[0-9a-f]+$/.test(key);

async function observeBelow(run: CommandRunner, { trunks, leaves }: Qdiscs): Promise<Entry[]> {
  const questions = trunks.flatMap(([key]) => {
    const [device = '', parent = ''] = key.split(' ');
    const classes = parent === SHAPING.root ? [`class show dev ${device}`] : [];
    return [...classes, SEPARATOR, `filter show dev ${device} parent ${parent}`, SEPARATOR];
  });
  const { stdout } = await feed(
    run,
    ['tc', '-d', '-batch', '-'],
    questions.map((text) => ({ text })),
    'dash',
  );
  const answers = stdout.split(/^qdisc .*\n/m);
  return trunks.flatMap(([key], i): Entry[] => {
    const [device = ''] = key.split(' ');
    const classes = (answers[2 * i] ?? '').split('\n').map((line) => parseClass(line, device, leaves));
    return [...classes.filter((entry) => entry !== undefined), ...parseFilters(answers[2 * i + 1] ?? '', key)];
  });
}

function answersOf(stdout: string, asked: readonly Change[]): Map<string, string> {
  const trunks = asked.map(({ key }) => key.split(' ').slice(0, 2).join(' '));
  const blocks = stdout.split(/^(?=filter )/m).filter((block) => block.startsWith('filter '));
  return new Map(blocks.flatMap((block, i) => parseFilters(block, trunks[i] ?? '')));
}

function merge(
  observed: Lines,
  desired: Lines,
  changes: readonly Change[],
  answers: ReadonlyMap<string, string>,
): Lines {
  const removed = changes.filter(({ action }) => action === 'remove').map(({ key }) => key);
  const added = changes.flatMap(({ key, action }): [string, Line][] => {
    const wanted = desired.get(key);
    if (action === 'remove' || !wanted) return [];
    return [[key, canBeAsked(key) ? { text: answers.get(key) ?? 'absent' } : wanted]];
  });
  return PatchedMap.of(observed, removed, added);
}
