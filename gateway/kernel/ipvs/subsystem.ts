/**
 * The kernel's own load balancer. Guarantees:
 * 1. A change of one member is a command about that member alone: nobody else's connections or counters are touched.
 * 2. Services without the gateway's tag are left alone.
 * 3. Where the kernel has no IPVS, nothing is asked of it.
 */
import { VpcgwError } from '../../errors.js';
import type { Command } from '../command.js';
import type { Line } from '../state.js';
import { type Change, diffLines, type Subsystem } from '../subsystem.js';
import { serviceOf, TIMEOUTS } from './entry.js';
import { parse } from './parse.js';

type Lines = ReadonlyMap<string, Line>;

/** Stands in every namespace as soon as the kernel has the module, and not before. */
const PRESENCE = 'net.ipv4.vs.conntrack';
const SAVE: Command = { argv: ['ipvsadm', '-Sn'] };

export const ipvs: Subsystem<Lines> = {
  title: 'ipvs',
  silent: (believed) => (believed.size > 0 ? [SAVE] : []),

  async observe(run, desired) {
    if (!(await run.switches([PRESENCE])).has(PRESENCE)) return new Map();
    const stdin = questions(desired)
      .map((text) => `${text}\n`)
      .join('');
    return parse((await run.run({ argv: ['ipvsadm', '-R'], stdin })).stdout);
  },

  diff(observed, desired) {
    const changes = diffLines(observed, desired, { add: 'prepare', remove: 'prune' });
    // Members go with their service. The timeouts stay as they are when nothing asks for them any more.
    return changes.filter(({ action, key }) => {
      if (action !== 'remove') return true;
      const service = serviceOf(key);
      return key !== TIMEOUTS && (service === undefined || desired.has(service));
    });
  },

  async apply(run, changes, _observed, desired) {
    const lines = changes.map(commandOf);
    const stdin = [...lines.map(({ text }) => text), ...questions(desired)].map((text) => `${text}\n`).join('');
    // It goes on after a line that it refuses, says so, and ends as if all had gone well.
    const { stdout, stderr } = await run.run({ argv: ['ipvsadm', '-R'], stdin });
    const after = parse(stdout);
    if (stderr.trim() !== '') refuse(changes, after, stderr);
    return after;
  },
};

/** It answers questions among its commands, so that one process changes and reads back. */
const questions = (desired: Lines): string[] => ['-S -n', ...(desired.has(TIMEOUTS) ? ['-L -n --timeout'] : [])];

const VERBS = {
  service: { add: '-A', replace: '-E', remove: '-D' },
  member: { add: '-a', replace: '-e', remove: '-d' },
} as const;

function commandOf({ action, key, lines: [line] }: Change): Line {
  if (key === TIMEOUTS) return { text: `--set ${line?.text ?? ''}` };
  const verb = VERBS[serviceOf(key) === undefined ? 'service' : 'member'][action];
  return { text: action === 'remove' ? `${verb} ${key}` : `${verb} ${key} ${line?.text ?? ''}`, origin: line?.origin };
}

/** By what is not there afterwards. */
function refuse(changes: readonly Change[], after: Lines, stderr: string): never {
  const failed = changes.find(({ action, key, lines }) =>
    action === 'remove' ? after.has(key) : after.get(key)?.text !== lines[0]?.text,
  );
  const origin = failed?.lines[0]?.origin;
  const said = stderr.trim().split('\n')[0] ?? '';
  const message = `the kernel refused "${failed ? commandOf(failed).text : 'a line'}": ${said}`;
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
