/**
 * Keyed diff of what is shaped. Guarantees:
 * 1. A class's rate is changed in place; an elastic IP that comes or goes touches its own class, queue and filter only.
 * 2. Classes are there before the filters that lead to them, and go after them.
 * 3. What cannot be changed in place (a qdisc, a table, a class's parent) is made anew with all that hangs on it.
 */
import { SHAPING } from '../../model/ownership.js';
import type { Line } from '../state.js';
import { type Change, diffLines } from '../subsystem.js';
import { asLines, renderAdd, renderRemove } from './render.js';

type Lines = ReadonlyMap<string, Line>;

export function diffShaping(observed: Lines, desired: Lines): Change[] {
  const changes = diffLines(observed, desired, { add: 'prepare', remove: 'prune' });
  const felled = trunksOf(changes, observed);
  const standing =
    felled.length === 0
      ? observed
      : new Map([...observed].filter(([key]) => !felled.some((trunk) => isBelow(key, trunk))));
  const rest = felled.length === 0 ? changes : diffLines(standing, desired, { add: 'prepare', remove: 'prune' });
  return [
    ...felled.map((key): Change => ({
      // What takes its place is prepared next.
      phase: [...desired.keys()].some((other) => isBelow(other, key)) ? 'prepare' : 'prune',
      action: 'remove',
      key,
      lines: [{ text: renderRemove(key) }],
    })),
    ...rest.sort(inOrder).map((change) => rendered(change, standing)),
  ];
}

const isBelow = (key: string, trunk: string): boolean => key === trunk || key.startsWith(`${trunk} `);
/** What leads traffic to a link that has to be up by then; all else is one change with the classes. */
const attracts = (key: string): boolean => key.includes(` ${SHAPING.ingress} `);

/** The outermost of what has to be felled. */
function trunksOf(changes: readonly Change[], observed: Lines): string[] {
  const trunks = new Set<string>();
  for (const { action, key, lines } of changes) {
    if (action === 'add') continue;
    const [device, parent, kind, pref, handle = ''] = key.split(' ');
    const moved = kind === 'class' && action === 'replace' && !canBecome(observed.get(key), lines[0]);
    // The kernel keeps a table whose preference went, and shows it no more.
    const { elasticIps, rest } = SHAPING.pref;
    const table = Number(pref) >= elasticIps && Number(pref) < rest && /:$|^::/.test(handle);
    if (kind === undefined || moved || table) trunks.add(`${device} ${parent}`);
    else if (handle.startsWith('::')) trunks.add(`${device} ${parent} ${kind} ${pref}`);
  }
  return [...trunks].filter((trunk) => ![...trunks].some((other) => other !== trunk && isBelow(trunk, other)));
}

/** A class keeps its parent, and one that has children has no queue. */
function canBecome(former: Line | undefined, wanted: Line | undefined): boolean {
  const placeOf = (line: Line | undefined) => /^(?:root|parent \S+)/.exec(line?.text ?? '')?.[0];
  const isLeaf = (line: Line | undefined) => line?.text.includes(' quantum ') ?? false;
  return placeOf(former) === placeOf(wanted) && (isLeaf(former) || !isLeaf(wanted));
}

function rendered(change: Change, observed: Lines): Change {
  const { action, key, lines } = change;
  const line = lines[0] ?? { text: '' };
  if (action === 'remove') return { ...change, lines: [{ text: renderRemove(key) }] };
  return {
    ...change,
    phase: attracts(key) ? 'switch' : 'prepare',
    lines: asLines(renderAdd([key, line.text], observed.get(key)?.text), line.origin),
  };
}

/** Parents before children when they come, after them when they go. */
function inOrder(a: Change, b: Change): number {
  const removal = Number(a.action === 'remove') - Number(b.action === 'remove');
  return removal || (a.action === 'remove' ? rankOf(b) - rankOf(a) : rankOf(a) - rankOf(b));
}

function rankOf({ key, lines }: Change): number {
  const [, , kind, , handle = ''] = key.split(' ');
  const text = lines[0]?.text ?? '';
  if (kind === undefined) return 0;
  if (kind === 'class') return text.startsWith('root') ? 1 : text.includes(' leaf ') ? 3 : 2;
  // Tables stand before the nodes that link to them.
  if (/[^:]:$/.test(handle)) return 4;
  return handle.startsWith('::') ? 5 : 6;
}
