/**
 * The kernel's own load balancer. Guarantees:
 * 1. A change of one member is a command about that member alone: nobody else's connections or counters are touched.
 * 2. Services without the gateway's tag are left alone.
 * 3. Where the kernel has no IPVS, nothing is asked of it.
 */
import { VpcgwError } from '../../errors.js';
import { MEMBER_LINK_PREFIX } from '../../model/ownership.js';
import type { Command } from '../command.js';
import { readInterfaces } from '../ip.js';
import type { Line } from '../state.js';
import { type Change, diffLines, type Subsystem } from '../subsystem.js';
import { isBeside, serviceOf, SYNCS, TIMEOUTS } from './entry.js';
import { PatchedMap } from '../patched-map.js';
import { parse } from './parse.js';

type Lines = ReadonlyMap<string, Line>;

/** Stands in every namespace as soon as the kernel has the module, and not before. */
const PRESENCE = 'net.ipv4.vs.conntrack';
const SAVE: Command = { argv: ['ipvsadm', '-Sn'] };

export const ipvs: Subsystem<Lines> = {
  title: 'ipvs',
  silent: (believed) => (believed.size > 0 ? [{ ...SAVE, agrees: (said) => sameServices(parse(said), believed) }] : []),

  async observe(run, desired) {
    if (!(await run.switches([PRESENCE])).has(PRESENCE)) return new Map();
    const stdin = questions(desired)
      .map((text) => `${text}\n`)
      .join('');
    const read = parse((await run.run({ argv: RESTORE, stdin })).stdout);
    if (!SYNCS.some((key) => read.has(key))) return read;
    return cutOff(read, new Set((await readInterfaces(run)).map(({ ifname }) => ifname)));
  },

  diff(observed, desired) {
    const changes = diffLines(observed, desired, { add: 'prepare', remove: 'prune' }).map(afterLinks);
    // Members go with their service. The timeouts stay as they are when nothing asks for them any more.
    return changes.filter(({ action, key }) => {
      if (action !== 'remove') return true;
      const service = serviceOf(key);
      return key !== TIMEOUTS && (service === undefined || desired.has(service));
    });
  },

  async apply(run, changes, observed, desired) {
    const touched = new Set(changes.map(({ key }) => serviceOf(key) ?? key));
    const few = touched.size <= LIST_AT_MOST;
    const asks = few ? [...touched].flatMap((key) => questionOf(key, desired)) : questions(desired);
    const stdin = [...changes.flatMap((change) => commandsOf(change).map(({ text }) => text)), ...asks]
      .map((text) => `${text}\n`)
      .join('');
    // It goes on after a command that it refuses and says so; it ends where it is asked for a service that is not there.
    const { stdout, stderr } = await run.run({ argv: RESTORE, stdin, okExitCodes: [0, 1], recurs: true });
    const read = parse(stdout);
    if (stderr.trim() !== '') refuse(changes, read, stderr);
    if (!few) return read;
    const isTouched = (key: string): boolean => touched.has(serviceOf(key) ?? key);
    return PatchedMap.of(observed, [...observed.keys()].filter(isTouched), read);
  },
};

/** The link between members by which one tells the other may have to be made first. */
const afterLinks = (change: Change): Change =>
  change.phase === 'prepare' && SYNCS.some((key) => key === change.key) ? { ...change, phase: 'switch' } : change;

/** Who tells by a link that was taken away tells nobody from then on, and nobody by the next one of that name either. */
function cutOff(read: Lines, links: ReadonlySet<string>): Lines {
  const isCut = ([key, { text }]: readonly [string, Line]): boolean =>
    SYNCS.some((sync) => sync === key) && isGone(/^--mcast-interface (\S+)/.exec(text)?.[1] ?? '', links);
  return new Map([...read].map((entry) => (isCut(entry) ? [entry[0], { text: 'by a link that is gone' }] : entry)));
}

/** One of ours. Without an interface of the platform nobody can tell anything, and no edit has to wait for it. */
const isGone = (link: string, links: ReadonlySet<string>): boolean =>
  link.startsWith(MEMBER_LINK_PREFIX) && !links.has(link);

function sameServices(read: Lines, believed: Lines): boolean {
  const beside = [TIMEOUTS, ...SYNCS].filter((key) => believed.has(key));
  if (read.size !== believed.size - beside.length) return false;
  for (const [key, { text }] of read) if (believed.get(key)?.text !== text) return false;
  return true;
}

/** Above this many services, reading all back is cheaper than listing each. */
const LIST_AT_MOST = 64;
const RESTORE: [string, ...string[]] = ['ipvsadm', '-R'];

/** It answers questions among its commands, so that one process changes and reads back. */
const questions = (desired: Lines): string[] => ['-S -n', ...questionOf(TIMEOUTS, desired), '-L -n --daemon'];

function questionOf(key: string, desired: Lines): string[] {
  if (key === TIMEOUTS) return desired.has(key) ? ['-L -n --timeout'] : [];
  if (isBeside(key)) return ['-L -n --daemon'];
  return desired.has(key) ? [`-L -n ${key}`] : [];
}

const VERBS = {
  service: { add: '-A', replace: '-E', remove: '-D' },
  member: { add: '-a', replace: '-e', remove: '-d' },
} as const;

function commandsOf({ action, key, lines: [line] }: Change): Line[] {
  const words = (verb: string): Line => ({ text: `${verb} ${line?.text ?? ''}`, origin: line?.origin });
  if (key === TIMEOUTS) return [words('--set')];
  if (isBeside(key)) {
    const [, role] = key.split(' ');
    return [
      ...(action === 'add' ? [] : [{ text: `--stop-daemon ${role}` }]),
      ...(action === 'remove' ? [] : [words(`--start-daemon ${role}`)]),
    ];
  }
  const verb = VERBS[serviceOf(key) === undefined ? 'service' : 'member'][action];
  return [action === 'remove' ? { text: `${verb} ${key}` } : words(`${verb} ${key}`)];
}

/** By what is not there afterwards. */
function refuse(changes: readonly Change[], after: Lines, stderr: string): never {
  const failed = changes.find(({ action, key, lines }) =>
    action === 'remove' ? after.has(key) : after.get(key)?.text !== lines[0]?.text,
  );
  const origin = failed?.lines[0]?.origin;
  const said = stderr.trim().split('\n')[0] ?? '';
  const message = `the kernel refused "${failed ? commandsOf(failed).at(-1)?.text : 'a line'}": ${said}`;
  throw new VpcgwError('KernelRejected', `ipvsadm: ${message}`, {
    diagnostics: origin
      ? [
          {
            position: { file: origin.file, line: origin.line, column: 1 },
            path: '',
            message: `${origin.id}: ${message}`,
            severity: 'Error',
          },
        ]
      : [],
  });
}
