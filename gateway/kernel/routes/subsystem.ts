/** Routes and routing rules, tagged by their protocol number. The key of each is its canonical text. */
import { ROUTE_PROTOCOL } from '../../model/ownership.js';
import type { CommandRunner } from '../command.js';
import { feed } from '../feed.js';
import type { Line } from '../state.js';
import { type Change, diffLines, type Subsystem } from '../subsystem.js';

type Lines = ReadonlyMap<string, Line>;

interface IpRoute {
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly table?: string;
  readonly scope?: string;
  readonly prefsrc?: string;
  readonly flags?: readonly string[];
}

interface IpRule {
  readonly priority: number;
  readonly src?: string;
  readonly srclen?: number;
  readonly fwmark?: string;
  readonly fwmask?: string;
  readonly iif?: string;
  readonly table?: string;
  readonly action?: string;
  readonly protocol?: string | number;
}

const FAMILIES = ['4', '6'] as const;

export function formatRoute(family: string, route: IpRoute): string {
  const { type, dst, gateway, dev, table, scope, prefsrc, flags = [] } = route;
  const bits = family === '4' ? 32 : 128;
  const host = dst !== 'default' && !dst.includes('/');
  const destination = host && type !== 'local' ? `${dst}/${bits}` : dst;
  return [
    type === undefined || type === 'unicast' ? '' : `${type} `,
    destination,
    gateway === undefined ? '' : ` via ${gateway}`,
    dev === undefined ? '' : ` dev ${dev}`,
    ` table ${table ?? 'main'} proto ${ROUTE_PROTOCOL}`,
    scope === 'link' || (scope === 'host' && family === '4') ? ` scope ${scope}` : '',
    prefsrc === undefined ? '' : ` src ${prefsrc}`,
    flags.includes('onlink') ? ' onlink' : '',
  ].join('');
}

export function formatRule(rule: IpRule): string {
  const from = rule.src === undefined || rule.src === 'all' ? 'all' : rule.src;
  return [
    `${rule.priority}: from ${from}`,
    rule.fwmark === undefined ? '' : ` fwmark ${rule.fwmark}/${rule.fwmask ?? '0xffffffff'}`,
    rule.iif === undefined ? '' : ` iif ${rule.iif}`,
    rule.action === undefined ? ` lookup ${rule.table ?? 'main'}` : ` ${rule.action}`,
  ].join('');
}

/** Family, prefix and table of a route's text. */
const destinationOf = (key: string): string => `${key.split(/ (?:via|dev) /)[0]} ${/ table \S+/.exec(key)?.[0]}`;

/** Carries out changes of one family and lists what is there then, in one process. */
async function list<T>(
  run: CommandRunner,
  family: string,
  changes: readonly Change[],
  what: string,
  entryOf: (item: T) => string | undefined,
): Promise<[string, Line][]> {
  const lines = changes.filter((change) => change.key.startsWith(`${family} `)).flatMap((change) => change.lines);
  const { stdout } = await feed(run, ['ip', '-j', `-${family}`, '-batch', '-'], [...lines, { text: what }], 'dash');
  return (JSON.parse(stdout.trim() === '' ? '[]' : stdout) as T[]).flatMap((item): [string, Line][] => {
    const text = entryOf(item);
    return text === undefined ? [] : [[`${family} ${text}`, { text }]];
  });
}

type List = (run: CommandRunner, family: string, changes: readonly Change[]) => Promise<[string, Line][]>;

const listRoutes: List = (run, family, changes) =>
  list<IpRoute>(run, family, changes, `route show table all proto ${ROUTE_PROTOCOL}`, (route) =>
    formatRoute(family, route),
  );

const listRules: List = (run, family, changes) =>
  list<IpRule>(run, family, changes, 'rule show', (rule) =>
    String(rule.protocol) === String(ROUTE_PROTOCOL) ? formatRule(rule) : undefined,
  );

async function observeAll(run: CommandRunner, listed: List): Promise<Lines> {
  const entries: [string, Line][] = [];
  for (const family of FAMILIES) entries.push(...(await listed(run, family, [])));
  return new Map(entries);
}

/** A family that no change is of keeps what was observed. */
async function applyAll(run: CommandRunner, listed: List, changes: readonly Change[], observed: Lines): Promise<Lines> {
  const entries: [string, Line][] = [];
  for (const family of FAMILIES) {
    const ofFamily = ({ key }: { key: string }): boolean => key.startsWith(`${family} `);
    if (changes.some(ofFamily)) entries.push(...(await listed(run, family, changes)));
    else entries.push(...[...observed].filter(([key]) => ofFamily({ key })));
  }
  return new Map(entries);
}

export const routes: Subsystem<Lines> = {
  title: 'route',

  observe: (run) => observeAll(run, listRoutes),

  /** Of one destination there is one route: a wrong one is replaced in place, which IPv6 takes for the same as the new. */
  diff(observed, desired) {
    const changes = diffLines(observed, desired, { add: 'switch', remove: 'prune' });
    const wrong = new Set(changes.filter(({ action }) => action === 'remove').map(({ key }) => destinationOf(key)));
    const right = new Set(changes.filter(({ action }) => action !== 'remove').map(({ key }) => destinationOf(key)));
    return changes
      .filter(({ action, key }) => action !== 'remove' || !right.has(destinationOf(key)))
      .map((change) => {
        const verb =
          change.action === 'remove' ? 'delete' : wrong.has(destinationOf(change.key)) ? 'replace' : 'append';
        return {
          ...change,
          lines: [{ text: `route ${verb} ${change.key.slice(2)}`, origin: change.lines[0]?.origin }],
        };
      });
  },

  apply: (run, changes, observed) => applyAll(run, listRoutes, changes, observed),
};

export const rules: Subsystem<Lines> = {
  title: 'rule',

  observe: (run) => observeAll(run, listRules),

  diff: (observed, desired) =>
    diffLines(observed, desired, { add: 'switch', remove: 'prune' }).map((change) => ({
      ...change,
      lines: change.lines.map(({ text }) => ({
        text: `rule ${change.action === 'remove' ? 'delete' : 'add'} ${ruleArguments(text)}`,
      })),
    })),

  apply: (run, changes, observed) => applyAll(run, listRules, changes, observed),
};

function ruleArguments(text: string): string {
  const colon = text.indexOf(':');
  return `preference ${text.slice(0, colon)}${text.slice(colon + 1)} protocol ${ROUTE_PROTOCOL}`;
}
