/** iptables of one family. The nft variant; `legacy` only where the kernel has nothing else. */
import type { Family } from '../../model/ip.js';
import type { Command, CommandRunner } from '../command.js';
import { feed } from '../feed.js';
import type { IptablesState, Line } from '../state.js';
import type { Change, Subsystem } from '../subsystem.js';
import { diffIptables, HOOK } from './diff.js';
import { ownHooks, parseListed, parseSave, TABLES } from './parse.js';
import { renderList, renderRestore } from './render.js';

/** Above this many chains, reading the whole table back is cheaper than listing each. */
const LIST_AT_MOST = 64;

const LIST_ALL = TABLES.map((table) => `*${table}\n-S\nCOMMIT\n`).join('');

export type IptablesVariant = 'nft' | 'legacy';

export class Iptables implements Subsystem<IptablesState> {
  readonly title: string;
  readonly #program: string;

  constructor(
    family: Family,
    private readonly variant: () => IptablesVariant,
  ) {
    this.title = family === 4 ? 'iptables' : 'ip6tables';
    this.#program = this.title;
  }

  async observe(run: CommandRunner): Promise<IptablesState> {
    const { stdout } = await run.run({ argv: [this.#tool('save')] });
    return parseSave(stdout);
  }

  diff = diffIptables;

  /** The legacy variant gives no events. Its `save` is never twice the same, as it tells the time and counts. */
  silent = (): readonly Command[] =>
    this.variant() === 'legacy' ? [{ argv: this.#restore(false), stdin: LIST_ALL }] : [];

  async apply(run: CommandRunner, changes: readonly Change[], observed: IptablesState): Promise<IptablesState> {
    const lines = renderRestore(changes, observed);
    const touched = changes.map((change) => (change.key.startsWith(HOOK) ? change.key.slice(HOOK.length) : change.key));
    const listable = changes
      .filter((change) => change.action !== 'remove' || change.key.startsWith(HOOK))
      .map((change) => change.key);
    const readBack = this.variant() === 'nft' && listable.length <= LIST_AT_MOST;
    const keys = readBack ? listable.map((key) => key.replace(HOOK, '')) : [];
    const expected = readBack ? expectedList(changes) : undefined;
    const { stdout } = await feed(
      run,
      this.#restore(expected !== undefined),
      [...lines, ...renderList(keys)],
      'line',
      expected === undefined ? {} : { expects: expected },
    );
    return readBack ? merge(observed, changes, touched, parseListed(stdout, keys)) : this.observe(run);
  }

  /** Reads some chains only: what a change of somebody else's named. */
  async read(run: CommandRunner, keys: readonly string[]): Promise<Map<string, Line[]>> {
    const { stdout } = await feed(run, this.#restore(false), renderList(keys), 'line');
    return parseListed(stdout, keys);
  }

  #tool = (verb: 'save' | 'restore'): string => `${this.#program}-${this.variant()}-${verb}`;
  /**
   * Line by line where the answer is awaited: the program has read the chains back long before it ends, since closing
   * its socket waits for the kernel to free the former rules (20 ms and more).
   */
  #restore(lineByLine: boolean): [string, ...string[]] {
    const argv: [string, ...string[]] = [this.#tool('restore'), '--noflush'];
    if (this.variant() === 'legacy') return [...argv, '-w', '5'];
    return lineByLine ? ['stdbuf', '-oL', ...argv] : argv;
  }
}

/** What the listing says when the chains are as they should be; not told when a hook is among them. */
function expectedList(changes: readonly Change[]): string | undefined {
  if (changes.length === 0 || changes.some((change) => change.key.startsWith(HOOK))) return undefined;
  return changes
    .filter((change) => change.action !== 'remove')
    .map(({ key, lines }) => {
      const chain = key.split(' ')[1] ?? '';
      return `-N ${chain}\n${lines.map((line) => `-A ${chain} ${line.text}\n`).join('')}`;
    })
    .join('');
}

function merge(
  observed: IptablesState,
  changes: readonly Change[],
  touched: readonly string[],
  listed: Map<string, Line[]>,
): IptablesState {
  const chains = new Map(observed.chains);
  const hooks = new Map(observed.hooks);
  changes.forEach((change, i) => {
    const key = touched[i] ?? '';
    const lines = listed.get(key) ?? [];
    if (!change.key.startsWith(HOOK)) {
      if (change.action === 'remove') chains.delete(key);
      else chains.set(key, lines);
      return;
    }
    const own = ownHooks(lines);
    if (own.length > 0) hooks.set(key, own);
    else hooks.delete(key);
  });
  return { chains, hooks };
}
