/** Changes → input of `iptables-restore --noflush`: one transaction for each table, the unchanged chains untouched. */
import type { IptablesState, Line } from '../state.js';
import type { Change } from '../subsystem.js';
import { HOOK } from './diff.js';

export function renderRestore(changes: readonly Change[], observed: IptablesState): Line[] {
  const tables = new Map<string, { declare: Line[]; fill: Line[]; drop: Line[] }>();
  for (const change of changes) {
    const isHook = change.key.startsWith(HOOK);
    const [table = '', chain = ''] = (isHook ? change.key.slice(HOOK.length) : change.key).split(' ');
    let part = tables.get(table);
    if (!part) tables.set(table, (part = { declare: [], fill: [], drop: [] }));
    if (isHook) {
      for (const { text } of observed.hooks.get(`${table} ${chain}`) ?? [])
        part.fill.unshift({ text: `-D ${chain} ${text}` });
      change.lines.forEach((line, i) =>
        part.fill.push({ text: `-I ${chain} ${i + 1} ${line.text}`, origin: line.origin }),
      );
      continue;
    }
    part.declare.push({ text: `:${chain} - [0:0]` });
    if (change.action === 'remove') part.drop.push({ text: `-X ${chain}` });
    else for (const line of change.lines) part.fill.push({ text: `-A ${chain} ${line.text}`, origin: line.origin });
  }
  return [...tables].flatMap(([table, part]) => [
    { text: `*${table}` },
    ...part.declare,
    ...part.fill,
    ...part.drop,
    { text: 'COMMIT' },
  ]);
}

/** Lists chains in the same process that changed them. */
export function renderList(keys: readonly string[]): Line[] {
  return keys.flatMap((key) => {
    const [table = '', chain = ''] = key.split(' ');
    return [{ text: `*${table}` }, { text: `-S ${chain}` }, { text: 'COMMIT' }];
  });
}
