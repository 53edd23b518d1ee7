import { isIpv6 } from './addresses.js';
import { Agent } from './agent.js';
import type { Namespace } from './namespace.js';

/** A machine of the laboratory that makes traffic. */
export class Host {
  private started: Promise<Agent> | undefined;

  constructor(
    readonly namespace: Namespace,
    /** Without prefix lengths. */
    readonly addresses: readonly string[],
  ) {}

  /** Started at the first call: a namespace without traffic needs no process. */
  agent(): Promise<Agent> {
    this.started ??= Agent.start(this.namespace);
    return this.started;
  }

  get address(): string {
    return this.first((address) => !isIpv6(address));
  }

  get address6(): string {
    return this.first(isIpv6);
  }

  private first(matches: (address: string) => boolean): string {
    const found = this.addresses.find(matches);
    if (found === undefined) throw new Error(`${this.namespace.label} has no such address`);
    return found;
  }
}
