/** Observed and desired state → the steps between them, in an order that is safe at every moment. Pure. */
import type { KernelState } from '../kernel/state.js';
import { SUBSYSTEM_ORDER, type SubsystemName, type Subsystems } from '../kernel/registry.js';
import { type Change, type Phase, PHASES, type Subsystem } from '../kernel/subsystem.js';

export interface Step {
  readonly subsystem: SubsystemName;
  readonly phase: Phase;
  readonly changes: readonly Change[];
}

/** Pruning runs backwards: what is relied on goes last. */
export function planSteps(
  subsystems: Subsystems,
  observed: KernelState,
  desired: KernelState,
  ignore: ReadonlySet<string> = new Set(),
): Step[] {
  const changes = new Map(SUBSYSTEM_ORDER.map((name) => [name, diffOf(subsystems, name, observed, desired)]));
  return PHASES.flatMap((phase) =>
    (phase === 'prune' ? [...SUBSYSTEM_ORDER].reverse() : SUBSYSTEM_ORDER).flatMap((subsystem): Step[] => {
      const own = (changes.get(subsystem) ?? []).filter(
        (change) => change.phase === phase && !ignore.has(`${subsystem} ${change.key}`),
      );
      return own.length > 0 ? [{ subsystem, phase, changes: own }] : [];
    }),
  );
}

function diffOf<K extends SubsystemName>(
  subsystems: Subsystems,
  name: K,
  observed: KernelState,
  desired: KernelState,
): readonly Change[] {
  const subsystem: Subsystem<KernelState[K]> = subsystems[name];
  return observed[name] === desired[name] ? [] : subsystem.diff(observed[name], desired[name]);
}
