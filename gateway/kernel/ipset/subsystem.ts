/** Sets. Elements are added before any rule uses them and taken away after; a set that is flushed is filled again. */
import { SET_PREFIX } from '../../model/ownership.js';
import { feed } from '../feed.js';
import { PatchedMap } from '../patched-map.js';
import type { IpSet, Line } from '../state.js';
import { type Change, diffLines, type Subsystem } from '../subsystem.js';

type Sets = ReadonlyMap<string, IpSet>;

/** Above this many elements the set is read back whole, below it each one is asked for. */
const TEST_AT_MOST = 64;

export function parseSets(text: string): Map<string, IpSet> {
  const sets = new Map<string, { type: string; elements: Map<string, Line> }>();
  for (const line of text.split('\n')) {
    const [verb, name = '', ...rest] = line.trim().split(' ');
    if (!name.startsWith(SET_PREFIX)) continue;
    // The kernel chooses the seed, and grows hash and buckets by itself.
    if (verb === 'create')
      sets.set(name, {
        type: rest
          .join(' ')
          .replace(/hashsize \d+/, 'hashsize 1024')
          .replace(/ (bucketsize \d+|initval \S+)/g, ''),
        elements: new Map(),
      });
    else if (verb === 'add') sets.get(name)?.elements.set(rest[0] ?? '', { text: rest.slice(1).join(' ') });
  }
  return sets;
}

export const ipsets: Subsystem<Sets> = {
  title: 'ipset',
  // Asked for its version too, it says a line by which one knows that all was said; to a pipe a line at a time.
  silent: () => [{ argv: ['stdbuf', '-oL', 'ipset', '-'], asks: { lines: ['save', 'version'], until: 'ipset v' } }],

  async observe(run) {
    const { stdout } = await run.run({ argv: ['ipset', 'save'] });
    return parseSets(stdout);
  },

  diff(observed, desired) {
    const changes: Change[] = [];
    for (const [name, set] of desired) {
      const known = observed.get(name);
      if (!known)
        changes.push({ phase: 'prepare', action: 'add', key: name, lines: [{ text: `create ${name} ${set.type}` }] });
      const elements = diffLines(known?.elements ?? new Map<string, Line>(), set.elements, {
        add: 'prepare',
        remove: 'prune',
      });
      for (const { phase, action, key, lines } of elements)
        changes.push({ phase, action, key: `${name} ${key}`, lines: [elementLine(action, name, key, lines[0])] });
    }
    for (const name of observed.keys())
      if (!desired.has(name))
        changes.push({ phase: 'prune', action: 'remove', key: name, lines: [{ text: `destroy ${name}` }] });
    return changes;
  },

  async apply(run, changes, observed, desired) {
    const lines = changes.flatMap((change) => change.lines);
    const added = changes.filter((change) => change.key.includes(' ') && change.action !== 'remove');
    const small = changes.length <= TEST_AT_MOST && changes.every((change) => change.key.includes(' '));
    // `test` fails when the element is not there, and a failure ends the restore: no answer to parse.
    const questions = small ? added.map((change) => ({ text: `test ${change.key}` })) : [{ text: 'save' }];
    const { stdout } = await feed(run, ['ipset', '-exist', 'restore'], [...lines, ...questions], 'line', {
      // The rules that used a set are freed some time after they are gone. What went before is done again, to no harm.
      retryWhile: /in use by a kernel component/,
    });
    return small ? merge(observed, changes, desired) : parseSets(stdout);
  },
};

function elementLine(action: Change['action'], set: string, element: string, line: Line | undefined): Line {
  if (action === 'remove') return { text: `del ${set} ${element}` };
  return { text: `add ${set} ${element} ${line?.text ?? ''}`.trim(), origin: line?.origin };
}

function merge(observed: Sets, changes: readonly Change[], desired: Sets): Sets {
  const result = new Map(observed);
  for (const [name, set] of observed) {
    const own = changes.filter(({ key }) => key.startsWith(`${name} `));
    if (own.length === 0) continue;
    const elementOf = ({ key }: Change): string => key.slice(name.length + 1);
    const removed = own.filter(({ action }) => action === 'remove').map(elementOf);
    const added = own
      .filter(({ action }) => action !== 'remove')
      .map(elementOf)
      .map((element): [string, Line] => [element, desired.get(name)?.elements.get(element) ?? { text: '' }]);
    result.set(name, { ...set, elements: PatchedMap.of(set.elements, removed, added) });
  }
  return result;
}
