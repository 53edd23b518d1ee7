import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { armCleanup, deleteNamespaces, endWithNamespace } from './cleanup.js';
import { runCommand } from './command.js';
import type { CommandOptions, CommandResult } from './command.js';
import { currentRun } from './run-name.js';

// One network namespace. Processes are what costs here (50 ms each in the kernel lab), so all calls take batches.

export class Namespace {
  readonly name: string;

  private constructor(
    /** What the test calls it; unique within the run. */
    readonly label: string,
  ) {
    this.name = Namespace.nameOf(label);
  }

  static nameOf(label: string): string {
    return `${currentRun().prefix}-${label}`;
  }

  static async create(label: string): Promise<Namespace> {
    const [namespace] = await Namespace.createAll([label]);
    return namespace as Namespace;
  }

  /** All or none. */
  static async createAll(labels: readonly string[]): Promise<Namespace[]> {
    armCleanup();
    const namespaces = labels.map((label) => new Namespace(label));
    try {
      await ipBatch(
        [],
        namespaces.map(({ name }) => `netns add ${name}`),
      );
    } catch (error) {
      Namespace.deleteAll(namespaces);
      throw error;
    }
    return namespaces;
  }

  /** Kills the processes inside too. Namespaces already gone are fine. */
  static deleteAll(namespaces: readonly Namespace[]): void {
    deleteNamespaces(namespaces.map(({ name }) => name));
  }

  delete(): void {
    Namespace.deleteAll([this]);
  }

  get path(): string {
    return `/run/netns/${this.name}`;
  }

  /** The same command, run in here. `nsenter` rather than `ip netns exec`, which hides /sys. */
  inside(argv: readonly string[]): [string, ...string[]] {
    return ['nsenter', `--net=${this.path}`, '--', ...argv];
  }

  exec(argv: readonly string[], options?: CommandOptions): Promise<CommandResult> {
    return runCommand(this.inside(argv), options);
  }

  /** Long-lived; killed with the namespace. */
  spawn(argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const [program, ...args] = this.inside(argv);
    const child = spawn(program, args, options);
    endWithNamespace(child, this.name);
    return child;
  }

  /** `ip` commands without the word `ip`, one process for all; stops at the first that fails. */
  async ip(lines: readonly string[]): Promise<void> {
    await ipBatch(['-n', this.name], lines);
  }

  async loopbackUp(): Promise<void> {
    await this.ip(['link set lo up']);
  }

  /** Keys as paths below /proc/sys/net, such as `ipv4/ip_forward`. One process for each distinct value. */
  async setSysctls(values: Readonly<Record<string, number | string>>): Promise<void> {
    const keysByValue = new Map<string, string[]>();
    for (const [key, value] of Object.entries(values)) {
      keysByValue.set(String(value), [...(keysByValue.get(String(value)) ?? []), `/proc/sys/net/${key}`]);
    }
    await Promise.all([...keysByValue].map(([value, files]) => this.exec(['tee', ...files], { stdin: value })));
  }
}

async function ipBatch(options: readonly string[], lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const argv = ['ip', ...options, '-batch', '-'];
  try {
    await runCommand(argv, { stdin: `${lines.join('\n')}\n` });
  } catch (error) {
    // iproute2 names the line by its number only.
    const number = /Command failed -:(\d+)/.exec(String(error))?.[1];
    const line = number === undefined ? undefined : lines[Number(number) - 1];
    throw line === undefined ? error : new Error(`ip ${options.join(' ')} ${line}: ${String(error)}`, { cause: error });
  }
}
