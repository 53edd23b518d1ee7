/**
 * Brings the kernel to a desired state and knows what it holds. Guarantees:
 * 1. What it believes was read from the kernel: at the last full observation, and after each change for what it touched.
 * 2. After `converge` the kernel was verified, or it throws and believes nothing any more.
 * 3. The order of steps is the plan's; a failure stops at once, and converging again from any such half state is safe.
 */
import { VpcgwError } from '../errors.js';
import type { CommandRunner } from '../kernel/command.js';
import { askedOnce, readInterfaces } from '../kernel/ip.js';
import type { Facts, KernelState } from '../kernel/state.js';
import { SUBSYSTEM_ORDER, type SubsystemName, type Subsystems } from '../kernel/registry.js';
import type { Change } from '../kernel/subsystem.js';
import { planSteps, type Step } from './plan.js';

export interface Converged {
  readonly steps: readonly Step[];
  /** Differences that the kernel does not let us mend, as `sysctl net.ipv4.ip_forward`. */
  readonly unsettable: readonly string[];
}

export class KernelView {
  #observed: KernelState | undefined;
  /** `subsystem key` of tolerated differences: not tried again until the next full observation of a new start. */
  readonly #tolerated = new Set<string>();

  constructor(
    private readonly run: CommandRunner,
    private readonly subsystems: Subsystems,
  ) {}

  get believed(): KernelState | undefined {
    return this.#observed;
  }

  forget(): void {
    this.#observed = undefined;
  }

  /** Takes over what was read elsewhere. */
  amend<K extends SubsystemName>(name: K, state: KernelState[K]): void {
    if (this.#observed) this.#observed = { ...this.#observed, [name]: state };
  }

  async facts(): Promise<Facts> {
    const interfaces = await readInterfaces(this.run);
    return { mtu: new Map(interfaces.map((link) => [link.ifname, link.mtu])) };
  }

  async observe(desired: KernelState, names: readonly SubsystemName[] = SUBSYSTEM_ORDER): Promise<KernelState> {
    const run = askedOnce(this.run);
    const parts = await Promise.all(
      names.map(async (name) => [name, await this.#observeOne(run, name, desired)] as const),
    );
    this.#observed = { ...(this.#observed ?? {}), ...Object.fromEntries(parts) } as KernelState;
    return this.#observed;
  }

  async #observeOne(run: CommandRunner, name: SubsystemName, desired: KernelState): Promise<unknown> {
    const subsystem = this.subsystems[name] as { observe(run: CommandRunner, desired: unknown): Promise<unknown> };
    try {
      return await subsystem.observe(run, desired[name]);
    } catch (error) {
      throw new VpcgwError('ObserveFailed', `${this.subsystems[name].title}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  async plan(desired: KernelState): Promise<Step[]> {
    return planSteps(this.subsystems, this.#observed ?? (await this.observe(desired)), desired, this.#tolerated);
  }

  async converge(desired: KernelState): Promise<Converged> {
    const steps = await this.plan(desired);
    try {
      for (const step of steps) await this.#carryOut(step, desired);
      this.#verify(steps, desired);
      // Verified to be the same; the same objects make the next comparison short.
      this.#observed = desired;
    } catch (error) {
      this.forget();
      throw error;
    }
    return { steps, unsettable: [...this.#tolerated] };
  }

  async #carryOut(step: Step, desired: KernelState): Promise<void> {
    const name = step.subsystem;
    const subsystem = this.subsystems[name] as {
      apply(run: CommandRunner, changes: readonly Change[], observed: unknown, desired: unknown): Promise<unknown>;
    };
    const observed = this.#observed as KernelState;
    const read = await subsystem.apply(this.run, step.changes, observed[name], desired[name]);
    this.#observed = { ...observed, [name]: read };
  }

  #verify(steps: readonly Step[], desired: KernelState): void {
    if (steps.length === 0) return;
    for (const step of planSteps(this.subsystems, this.#observed as KernelState, desired, this.#tolerated)) {
      const { title, tolerant } = this.subsystems[step.subsystem];
      if (tolerant) for (const change of step.changes) this.#tolerated.add(`${step.subsystem} ${change.key}`);
      else
        throw new VpcgwError(
          'NotConverged',
          `${title}: ${step.changes.length} difference(s) after the change, first ${describe(step.changes[0])}`,
        );
    }
  }
}

const describe = (change: Change | undefined): string =>
  change ? `${change.action} ${change.key}: ${change.lines[0]?.text ?? ''}` : '';
