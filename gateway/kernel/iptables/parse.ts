/** Reads `iptables-save` and `iptables -S`; keeps only the gateway's own chains and its hooks in built-in ones. */
import { CHAIN_PREFIX } from '../../model/ownership.js';
import type { IptablesState, Line, Table } from '../state.js';

export const TABLES: readonly Table[] = ['mangle', 'nat', 'filter'];
const isTable = (name: string): boolean => (TABLES as readonly string[]).includes(name);
const isOwn = (chain: string): boolean => chain.startsWith(CHAIN_PREFIX);
const refersToOwn = (rule: string): boolean => new RegExp(` -[jg] ${CHAIN_PREFIX}`).test(` ${rule}`);

export function parseSave(text: string): IptablesState {
  const chains = new Map<string, Line[]>();
  const hooks = new Map<string, Line[]>();
  let table = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1).trim();
    if (!isTable(table)) continue;
    if (line.startsWith(':')) declare(table, line.slice(1).split(' ')[0] ?? '', chains);
    else if (line.startsWith('-A ')) append(table, line, chains, hooks);
  }
  return { chains, hooks };
}

/** The output of `-S CHAIN` lines, whose tables come in the order that they were asked for. */
export function parseListed(text: string, asked: readonly string[]): Map<string, Line[]> {
  const listed = new Map<string, Line[]>();
  const remaining = [...asked];
  let key = '';
  for (const line of text.split('\n')) {
    const [verb, chain = ''] = line.split(' ');
    if (verb === '-N' || verb === '-P') {
      const index = remaining.findIndex((candidate) => candidate.endsWith(` ${chain}`));
      key = remaining.splice(index, 1)[0] ?? '';
      listed.set(key, []);
    } else if (verb === '-A' && key.endsWith(` ${chain}`))
      listed.get(key)?.push({ text: line.slice(chain.length + 4) });
  }
  return listed;
}

function declare(table: string, chain: string, chains: Map<string, Line[]>): void {
  if (isOwn(chain)) chains.set(`${table} ${chain}`, []);
}

function append(table: string, line: string, chains: Map<string, Line[]>, hooks: Map<string, Line[]>): void {
  const end = line.indexOf(' ', 3);
  const chain = line.slice(3, end < 0 ? undefined : end);
  const text = end < 0 ? '' : line.slice(end + 1);
  const key = `${table} ${chain}`;
  if (isOwn(chain)) {
    const lines = chains.get(key);
    if (lines) lines.push({ text });
    else chains.set(key, [{ text }]);
  } else if (refersToOwn(text)) hooks.set(key, [...(hooks.get(key) ?? []), { text }]);
}

export const ownHooks = (lines: readonly Line[]): Line[] => lines.filter((line) => refersToOwn(line.text));
