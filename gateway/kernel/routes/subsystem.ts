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

async function read<T>(run: CommandRunner, what: string[]): Promise<{ family: string; items: T[] }[]> {
  const answers: { family: string; items: T[] }[] = [];
  for (const family of FAMILIES) {
    const { stdout } = await run.run({ argv: ['ip', '-j', `-${family}`, ...what], okExitCodes: [0, 2] });
    answers.push({ family, items: JSON.parse(stdout.trim() === '' ? '[]' : stdout) as T[] });
  }
  return answers;
}

export const routes: Subsystem<Lines> = {
  title: 'route',

  async observe(run) {
    const answers = await read<IpRoute>(run, ['route', 'show', 'table', 'all', 'proto', String(ROUTE_PROTOCOL)]);
    return new Map(
      answers.flatMap(({ family, items }) =>
        items.map((route): [string, Line] => {
          const text = formatRoute(family, route);
          return [`${family} ${text}`, { text }];
        }),
      ),
    );
  },

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

  async apply(run, changes, _observed, desired) {
    for (const family of FAMILIES) await feedFamily(run, family, changes);
    return routes.observe(run, desired);
  },
};

export const rules: Subsystem<Lines> = {
  title: 'rule',

  async observe(run) {
    const answers = await read<IpRule>(run, ['rule', 'show']);
    return new Map(
      answers.flatMap(({ family, items }) =>
        items
          .filter((rule) => String(rule.protocol) === String(ROUTE_PROTOCOL))
          .map((rule): [string, Line] => {
            const text = formatRule(rule);
            return [`${family} ${text}`, { text }];
          }),
      ),
    );
  },

  diff: (observed, desired) =>
    diffLines(observed, desired, { add: 'switch', remove: 'prune' }).map((change) => ({
      ...change,
      lines: change.lines.map(({ text }) => ({
        text: `rule ${change.action === 'remove' ? 'delete' : 'add'} ${ruleArguments(text)}`,
      })),
    })),

  async apply(run, changes, _observed, desired) {
    for (const family of FAMILIES) await feedFamily(run, family, changes);
    return rules.observe(run, desired);
  },
};

function ruleArguments(text: string): string {
  const colon = text.indexOf(':');
  return `preference ${text.slice(0, colon)}${text.slice(colon + 1)} protocol ${ROUTE_PROTOCOL}`;
}

async function feedFamily(run: CommandRunner, family: string, changes: readonly Change[]): Promise<void> {
  const lines = changes.filter((change) => change.key.startsWith(`${family} `)).flatMap((change) => change.lines);
  if (lines.length > 0) await feed(run, ['ip', `-${family}`, '-batch', '-'], lines, 'dash');
}
