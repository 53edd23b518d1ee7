/**
 * Notices that somebody else changed what the gateway owns: by the kernel's events where there are any, by comparing a
 * digest where there are none (sysctls, and what a subsystem calls silent). It only says where to look; what is
 * different is found by observing.
 */
import { createHash } from 'node:crypto';
import type { CommandRunner } from '../kernel/command.js';
import type { KernelState } from '../kernel/state.js';
import { SUBSYSTEM_ORDER, type SubsystemName, type Subsystems } from '../kernel/registry.js';
import type { Subsystem } from '../kernel/subsystem.js';
import {
  CHAIN_PREFIX,
  FENCE_TABLE,
  GUARD_TABLE,
  holdsOwnAddresses,
  IDLE_TABLE,
  LEASE_SET,
  MEMBERS_TABLE,
  ROUTE_PROTOCOL,
} from '../model/ownership.js';
import type { KernelEvent, NftEvent } from '../system/kernel-event.js';
import type { Lookout, LookoutListener } from '../system/lookout.js';
import { ShapingWatch } from './shaping-watch.js';

/** Where to look: whole subsystems, and single chains as `4 nat VG-D`. */
export interface Suspicion {
  readonly subsystems: ReadonlySet<SubsystemName>;
  readonly chains: ReadonlySet<string>;
  /** Addresses that came or went, by key, and whether each is there now; most are our own doing. */
  readonly addresses: ReadonlyMap<string, boolean>;
}

const DEBOUNCE_MS = 250;
/** With the repair itself, within two seconds on a busy machine too; at 5,000 elastic IPs a look costs 15 ms, most of it in `ipset`. */
const POLL_MS = 1_200;
/** Lost events are told of, others are not sent at all: everything is looked at this often whatever happened. */
const SWEEP_MS = 180_000;

export class DriftWatch {
  #subsystems = new Set<SubsystemName>();
  #chains = new Set<string>();
  #addresses = new Map<string, boolean>();
  #debounce: NodeJS.Timeout | undefined;
  #timers: NodeJS.Timeout[] = [];
  readonly #shaping: ShapingWatch;
  readonly #listener: LookoutListener;
  /** What was read last of that which gives no events, by subsystem. */
  readonly #readings = new Map<string, string>();

  constructor(
    private readonly run: CommandRunner,
    private readonly lookout: Pick<Lookout, 'listeners'>,
    private readonly subsystems: Subsystems,
    private readonly believed: () => KernelState | undefined,
    private readonly isOwn: (pid: number) => boolean,
    /** When no change is under way: what is read in the midst of one tells nothing, and takes its time. */
    private readonly idle: () => Promise<unknown>,
    private readonly onSuspicion: (suspicion: Suspicion) => void,
    private readonly onSweep: () => void,
  ) {
    this.#shaping = new ShapingWatch(
      this.run,
      () => this.believed()?.shaping,
      () => this.#ring(),
      this.onSweep,
    );
    this.#listener = { onEvent: (event) => this.#onEvent(event), onMissed: this.onSweep };
  }

  start(): void {
    this.lookout.listeners.add(this.#listener);
    this.#timers = [setInterval(this.onSweep, SWEEP_MS), this.#pollLater()];
  }

  stop(): void {
    this.lookout.listeners.delete(this.#listener);
    this.#shaping.stop();
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#debounce);
  }

  #suspect(name: SubsystemName): void {
    this.#subsystems.add(name);
    this.#ring();
  }

  #ring(): void {
    this.#debounce ??= setTimeout(() => this.#report(), DEBOUNCE_MS);
  }

  #report(): void {
    clearTimeout(this.#debounce);
    this.#debounce = undefined;
    if (this.#shaping.takeSuspicion()) this.#subsystems.add('shaping');
    const suspicion = { subsystems: this.#subsystems, chains: this.#chains, addresses: this.#addresses };
    this.#subsystems = new Set();
    this.#chains = new Set();
    this.#addresses = new Map();
    if (this.#isSomewhere(suspicion)) this.onSuspicion(suspicion);
  }

  #isSomewhere = ({ subsystems, chains, addresses }: Suspicion): boolean =>
    subsystems.size + chains.size + addresses.size > 0;

  #onEvent(event: KernelEvent): void {
    if (event.kind === 'address') this.#onAddress(event);
    else if (event.kind === 'link') this.#suspect('links');
    else if (event.kind === 'nft') this.#onNftEvent(event);
    else if (event.protocol === ROUTE_PROTOCOL) this.#suspect(event.kind === 'rule' ? 'rules' : 'routes');
  }

  #onAddress({ link, address, gone }: KernelEvent & { kind: 'address' }): void {
    if (!holdsOwnAddresses(link)) return;
    const key = `${link} ${address}`;
    // Back again at once: the kernel has meanwhile taken it out of the routes that name it as their source.
    if (!gone && this.#addresses.get(key) === false) this.#subsystems.add('routes');
    this.#addresses.set(key, !gone);
    this.#ring();
  }

  /** Transactions of our own tell nothing new. */
  #onNftEvent({ pid, family, object, gone, table, name }: NftEvent): void {
    if (this.isOwn(pid)) return;
    if (family === 'inet' || family === 'netdev') {
      if (table === GUARD_TABLE) this.#suspect('guard');
      else if (table === IDLE_TABLE) this.#suspect('idle');
      // The lease comes and goes; who empties it is one of ours, and who fills it the kernel.
      else if ((table === FENCE_TABLE || table === MEMBERS_TABLE) && name !== LEASE_SET) this.#suspect('fence');
    } else if (name.startsWith(CHAIN_PREFIX) && !(gone && (object === 'chain' || object === 'table'))) {
      this.#chains.add(`${family === 'ip' ? 4 : 6} ${table} ${name}`);
      this.#ring();
    } else this.#suspect(family === 'ip' ? 'iptables4' : 'iptables6');
  }

  #pollLater(): NodeJS.Timeout {
    return setInterval(() => void this.#poll(), POLL_MS);
  }

  #polling = false;
  async #poll(): Promise<void> {
    if (this.#polling) return;
    this.#polling = true;
    try {
      await this.idle();
      const believed = this.believed();
      if (!believed) return;
      this.#compare('sysctls', JSON.stringify([...(await this.run.switches([...believed.sysctls.keys()]))]));
      for (const name of SUBSYSTEM_ORDER) await this.#pollOne(name, this.believed() ?? believed);
      const hooks = await this.#shaping.look().catch(() => 'failed');
      this.#compare('shaping', hooks);
    } finally {
      this.#polling = false;
    }
    if (this.#subsystems.size > 0) this.#report();
  }

  /** A reading that fails is looked into, too. */
  async #pollOne<K extends SubsystemName>(name: K, believed: KernelState): Promise<void> {
    const { silent }: Subsystem<KernelState[K]> = this.subsystems[name];
    for (const [index, { agrees, ...command }] of (silent?.(believed[name]) ?? []).entries()) {
      const digests = agrees === undefined;
      const { stdout } = await this.run.run({ ...command, digests }).catch(() => ({ stdout: 'failed' }));
      this.#compare(
        name,
        digests ? stdout : createHash('sha256').update(stdout).digest('hex'),
        index,
        () => agrees?.(stdout) === true,
      );
    }
  }

  #compare(name: SubsystemName, reading: string, index = 0, isExpected = (): boolean => false): void {
    const key = `${name} ${index}`;
    const changed = this.#readings.get(key) !== reading || reading === 'failed';
    this.#readings.set(key, reading);
    if (changed && !isExpected()) this.#subsystems.add(name);
  }
}
