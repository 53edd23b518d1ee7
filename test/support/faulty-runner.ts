import { type Command, CommandError, type CommandResult, type CommandRunner } from '../../gateway/kernel/command.js';
import { SystemRunner } from '../../gateway/system/command-runner.js';
import type { Namespace } from './namespace.js';

/**
 * What happens at the command with this number. `Fails`: it says no, once. `DiesBefore`, `DiesAfter`: the process is
 * killed just before or after it. `DiesWithin`: the command has read half of its lines when both are killed.
 */
export interface Fault {
  readonly at: number;
  readonly how: 'Fails' | 'DiesBefore' | 'DiesAfter' | 'DiesWithin';
}
export const FAULTS: readonly Fault['how'][] = ['Fails', 'DiesBefore', 'DiesAfter', 'DiesWithin'];

export class Killed extends Error {}

/** Runs programs in a namespace for one supervisor's life, which a fault may end. */
export class FaultyRunner implements CommandRunner {
  count = 0;
  fault: Fault | undefined;
  #dead = false;
  readonly #system: SystemRunner;

  constructor(
    namespace: Namespace,
    /** Awaited after every command. */
    private readonly afterEach: (command: Command) => Promise<void>,
  ) {
    this.#system = new SystemRunner(namespace.inside([]));
  }

  async run(command: Command): Promise<CommandResult> {
    // Nobody listens, and it would go on for two seconds after its change.
    if (command.argv[0] === 'arping') return { code: 0, stdout: '', stderr: '' };
    const lines = (command.stdin ?? '').split('\n');
    const half = `${lines.slice(0, Math.ceil(lines.length / 2)).join('\n')}\n`;
    return this.#step(
      command,
      () => this.#system.run(command),
      () => (command.stdin === undefined ? undefined : this.#system.run({ ...command, stdin: half })),
    );
  }

  /** A reading that is no command: it changes nothing, so there is nothing to interrupt. */
  async switches(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (this.#dead) throw new Killed();
    return this.#system.switches(names);
  }

  async procNet(name: string): Promise<string | undefined> {
    if (this.#dead) throw new Killed();
    return this.#system.procNet(name);
  }

  setSwitches(values: ReadonlyMap<string, string>): Promise<ReadonlySet<string>> {
    const half = new Map([...values].slice(0, Math.ceil(values.size / 2)));
    return this.#step(
      { argv: ['sysctl', ...values.keys()] },
      () => this.#system.setSwitches(values),
      () => this.#system.setSwitches(half),
    );
  }

  async #step<T>(command: Command, whole: () => Promise<T>, half: () => Promise<unknown> | undefined): Promise<T> {
    if (this.#dead) throw new Killed();
    const how = this.fault?.at === this.count++ ? this.fault.how : undefined;
    if (how === 'Fails') throw new CommandError(command, { code: 1, stdout: '', stderr: 'as the test wants it' });
    if (how === 'DiesBefore') return this.#die();
    if (how === 'DiesWithin') {
      await half()?.catch(() => undefined);
      await this.afterEach(command);
      return this.#die();
    }
    try {
      return await whole();
    } finally {
      await this.afterEach(command);
      if (how === 'DiesAfter') this.#die();
    }
  }

  #die(): never {
    this.#dead = true;
    throw new Killed();
  }
}
