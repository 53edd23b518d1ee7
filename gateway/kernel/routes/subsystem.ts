/** Routes and routing rules, tagged by their protocol number. The key of each is its canonical text. */
import { ROUTE_PROTOCOL } from '../../model/ownership.js';
import type { CommandRunner } from '../command.js';
import { feed } from '../feed.js';
import {
  IP_FAMILIES,
  type IpFamily,
  type IpRoute,
  type IpRule,
  listsIn,
  readRoutes,
  readRules,
  ROUTES,
  RULES,
} from '../ip.js';
import type { Line } from '../state.js';
import { PatchedMap } from '../patched-map.js';
import { type Change, diffLines, type Subsystem } from '../subsystem.js';

type Lines = ReadonlyMap<string, Line>;

/** Of a route that was given none. */
const IPV6_METRIC = 1024;

export function formatRoute(family: string, route: IpRoute): string {
  const { type, dst, gateway, dev, table, scope, prefsrc, metric, flags = [], nexthops = [] } = route;
  const bits = family === '4' ? 32 : 128;
  const host = dst !== 'default' && !dst.includes('/');
  const destination = host && type !== 'local' ? `${dst}/${bits}` : dst;
  return [
    type === undefined || type === 'unicast' ? '' : `${type} `,
    destination,
    gateway === undefined ? '' : ` via ${gateway}`,
    dev === undefined || type === 'unreachable' ? '' : ` dev ${dev}`,
    ` table ${table ?? 'main'} proto ${ROUTE_PROTOCOL}`,
    scope === 'link' || (scope === 'host' && family === '4') ? ` scope ${scope}` : '',
    prefsrc === undefined ? '' : ` src ${prefsrc}`,
    metric === undefined || (family === '6' && metric === IPV6_METRIC) ? '' : ` metric ${metric}`,
    flags.includes('onlink') ? ' onlink' : '',
    ...nexthops.map(formatNextHop),
  ].join('');
}

/** Of a route that several links share. */
const formatNextHop = ({ gateway, dev, weight, flags }: NonNullable<IpRoute['nexthops']>[number]): string =>
  ` nexthop${gateway === undefined ? '' : ` via ${gateway}`} dev ${dev} weight ${weight}${flags.includes('onlink') ? ' onlink' : ''}`;

export function formatRule(rule: IpRule): string {
  const from = rule.src === undefined || rule.src === 'all' ? 'all' : rule.src;
  const { dst, dstlen, ipproto } = rule;
  return [
    `${rule.priority}: from ${from}`,
    dst === undefined ? '' : ` to ${dst}${dstlen === undefined ? '' : `/${dstlen}`}`,
    rule.fwmark === undefined ? '' : ` fwmark ${rule.fwmark}/${rule.fwmask ?? '0xffffffff'}`,
    rule.iif === undefined ? '' : ` iif ${rule.iif}`,
    ipproto === undefined ? '' : ` ipproto ${ipproto}`,
    rule.goto !== undefined
      ? ` goto ${rule.goto}`
      : rule.action === undefined
        ? ` lookup ${rule.table ?? 'main'}${rule.suppress_prefixlen === undefined ? '' : ` suppress_prefixlength ${rule.suppress_prefixlen}`}`
        : ` ${rule.action}`,
  ].join('');
}

/** Family, prefix, table and metric of a route's text. */
const destinationOf = (key: string): string =>
  [key.split(/ (?:via|dev|table) /)[0], / table \S+/.exec(key)?.[0], / metric \S+/.exec(key)?.[0]].join();

/** Above this many changes everything is listed, below it what stands where they were made. */
const ASK_AT_MOST = 16;

/** One of the two lists: how it is asked for, read, and spelt. */
interface Listing<T> {
  readonly question: string;
  /** Asks for what stands at one place alone; no list of rules is long enough to have it. */
  readonly questionAt?: (place: string) => string;
  readonly read: (run: CommandRunner, family: IpFamily) => Promise<readonly T[]>;
  /** Nothing for what is not the gateway's. */
  readonly textOf: (item: T, family: IpFamily) => string | undefined;
}

const ROUTE_LIST: Listing<IpRoute> = {
  question: ROUTES,
  questionAt: (prefix) => `${ROUTES} exact ${prefix}`,
  read: readRoutes,
  textOf: (route, family) => formatRoute(family, route),
};

const RULE_LIST: Listing<IpRule> = {
  question: RULES,
  read: readRules,
  textOf: (rule) => (String(rule.protocol) === String(ROUTE_PROTOCOL) ? formatRule(rule) : undefined),
};

function entriesOf<T>({ textOf }: Listing<T>, family: IpFamily, items: readonly T[]): [string, Line][] {
  return items.flatMap((item): [string, Line][] => {
    const text = textOf(item, family);
    return text === undefined ? [] : [[`${family} ${text}`, { text }]];
  });
}

async function observeAll<T>(run: CommandRunner, listing: Listing<T>): Promise<Lines> {
  const entries: [string, Line][] = [];
  for (const family of IP_FAMILIES) entries.push(...entriesOf(listing, family, await listing.read(run, family)));
  return new Map(entries);
}

/** The prefix that a route's key is of; nothing for those that are printed in more than one way. */
const prefixOf = (key: string): string | undefined => /^[46] (?:unreachable )?(\S+\/\d+) /.exec(key)?.[1];

/** Where changes were made, if they are few. */
function placesOf(keys: readonly string[]): ReadonlySet<string> | undefined {
  const places = keys.length <= ASK_AT_MOST ? keys.map(prefixOf) : [undefined];
  return places.includes(undefined) ? undefined : new Set(places as string[]);
}

/** Of each family one process carries out the changes and lists what is there then; without changes the former holds. */
async function applyAll<T>(
  run: CommandRunner,
  listing: Listing<T>,
  changes: readonly Change[],
  observed: Lines,
): Promise<Lines> {
  let result = observed;
  for (const family of IP_FAMILIES) {
    const own = changes.filter(({ key }) => key.startsWith(`${family} `));
    if (own.length === 0) continue;
    const places = listing.questionAt && placesOf(own.map(({ key }) => key));
    const questions = places ? [...places].map((place) => listing.questionAt?.(place) ?? '') : [listing.question];
    const lines = [...own.flatMap((change) => change.lines), ...questions.map((text) => ({ text }))];
    const { stdout } = await feed(run, ['ip', '-j', `-${family}`, '-batch', '-'], lines, 'dash');
    const there = entriesOf(listing, family, listsIn(stdout).flat() as T[]);
    const isOld = (key: string): boolean =>
      key.startsWith(`${family} `) && (!places || places.has(prefixOf(key) ?? ''));
    result = PatchedMap.of(result, [...result.keys()].filter(isOld), there);
  }
  return result;
}

export const routes: Subsystem<Lines> = {
  title: 'route',

  observe: (run) => observeAll(run, ROUTE_LIST),

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

  apply: (run, changes, observed) => applyAll(run, ROUTE_LIST, changes, observed),
};

export const rules: Subsystem<Lines> = {
  title: 'rule',

  observe: (run) => observeAll(run, RULE_LIST),

  diff: (observed, desired) =>
    diffLines(observed, desired, { add: 'switch', remove: 'prune' }).map((change) => ({
      ...change,
      lines: change.lines.map(({ text }) => ({
        text: `rule ${change.action === 'remove' ? 'delete' : 'add'} ${ruleArguments(text)}`,
      })),
    })),

  apply: (run, changes, observed) => applyAll(run, RULE_LIST, changes, observed),
};

function ruleArguments(text: string): string {
  const colon = text.indexOf(':');
  return `preference ${text.slice(0, colon)}${text.slice(colon + 1)} protocol ${ROUTE_PROTOCOL}`;
}
