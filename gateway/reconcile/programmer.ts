/**
 * Puts a model into force and keeps it there. Guarantees:
 * 1. What the kernel refuses leaves the last good model in force: the way back is the same convergence, not an undo.
 * 2. Flows that the model no longer allows are ended after the rules have changed; all others are left alone.
 * 3. A paused model changes nothing in the kernel.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { messageOf, VpcgwError } from '../errors.js';
import type { CommandRunner } from '../kernel/command.js';
import type { Iptables } from '../kernel/iptables/subsystem.js';
import { callAgain, type Call } from '../kernel/wireguard/call-again.js';
import { type SubsystemName, type Subsystems } from '../kernel/registry.js';
import type { Allocations, Balancing, Facts, KernelState, Shaper } from '../kernel/state.js';
import { asksForBandwidth } from '../model/bandwidth.js';
import type { Drain } from '../model/drain.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { portsOf } from '../model/line.js';
import type { Member } from '../model/high-availability.js';
import { NO_PRESSURE, type Pressure, sameDrains } from '../model/pressure.js';
import { announce } from './announce.js';
import { compile, type Compiled } from './compile.js';
import { KernelView } from './converge.js';
import type { Suspicion } from './drift-watch.js';
import { type CutFlow, FlowKeeper } from './flow-keeper.js';
import type { Step } from './plan.js';
import { recompile } from './recompile.js';
import type { TunnelFacts } from './tunnel-facts.js';

export interface InForce {
  readonly model: GatewayModel;
  readonly allocations: Allocations;
  readonly compiled: Compiled;
  readonly desired: KernelState;
}

export interface Programmed {
  readonly steps: readonly Step[];
  readonly cut: readonly CutFlow[];
  /** Connections that the model no longer allows may still be there. */
  readonly unsettled: boolean;
}

/** Facts that are asked for only when a document needs them. */
const FOUND = ['shaper', 'balancing', 'vlans', 'tunnels', 'ipsec', 'keys', 'certificates'] as const;

export class Programmer {
  readonly view: KernelView;
  readonly flows: FlowKeeper;
  #inForce: InForce | undefined;
  #facts: Facts | undefined;
  #unsettable: readonly string[] = [];
  /** What the next compilation reckons with. */
  pressure: Pressure = NO_PRESSURE;
  #shaper: Shaper | undefined;
  #balancing: Balancing | undefined;
  #vlans: Facts['vlans'];
  /** Told of each model that has come into force. */
  onInForce: (model: GatewayModel) => void = () => undefined;
  /** Links came or went without an edit, as a port of a line does. */
  onLinks: () => void = () => undefined;

  constructor(
    private readonly run: CommandRunner,
    private readonly subsystems: Subsystems,
    private readonly log: Logger,
    /** Find out what this kernel has; called once, when a document first wants it. */
    private readonly machine: {
      readonly chooseShaper: () => Promise<Shaper>;
      readonly chooseBalancing: () => Promise<Balancing>;
      readonly chooseVlans: () => Promise<NonNullable<Facts['vlans']>>;
    },
    /** Which of a pair this is. */
    private readonly member?: Member,
    private readonly tunnels?: TunnelFacts,
  ) {
    this.view = new KernelView(run, subsystems);
    this.flows = new FlowKeeper(
      run,
      () => this.pressure.down,
      () => this.#inForce?.allocations,
    );
  }

  get inForce(): InForce | undefined {
    return this.#inForce;
  }

  /** No longer once a change has failed half way, until somebody looks. */
  get knowsKernel(): boolean {
    return this.view.believed !== undefined;
  }

  /** Switches that the kernel did not let us set. */
  get unsettable(): readonly string[] {
    return this.#unsettable;
  }

  /** `undefined` as long as nothing was asked to be shaped. */
  get shaper(): Shaper | undefined {
    return this.#shaper;
  }

  async #gatherFacts(model: GatewayModel): Promise<Facts> {
    if (asksForBandwidth(model)) this.#shaper ??= await this.machine.chooseShaper();
    if (model.loadBalancers.length > 0) this.#balancing ??= await this.machine.chooseBalancing();
    if (model.dedicatedLines.some(({ vlan }) => vlan !== undefined)) this.#vlans ??= await this.machine.chooseVlans();
    const found = {
      ...(this.#shaper ? { shaper: this.#shaper } : {}),
      ...(this.#balancing ? { balancing: this.#balancing } : {}),
      ...(this.#vlans ? { vlans: this.#vlans } : {}),
      ...(model.vpnConnections.length > 0 ? await this.tunnels?.of(model.vpnConnections) : {}),
    };
    const known = this.#facts;
    // A line's port may have come before anybody named it.
    const portsKnown = known && portsOf(model.dedicatedLines).every((port) => known.mtu.has(port));
    const { mtu } = portsKnown ? known : await this.view.facts();
    // The same object for the same facts: an edit is compiled alone only then.
    if (known && isDeepStrictEqual(mtu, known.mtu) && FOUND.every((name) => known[name] === found[name])) return known;
    return { mtu, ...(this.member ? { member: this.member } : {}), ...found };
  }

  /** Since the model in force was compiled. */
  async keysHaveChanged({ vpnConnections }: GatewayModel): Promise<boolean> {
    if (vpnConnections.length === 0) return false;
    const now = await this.tunnels?.of(vpnConnections);
    return now?.keys !== this.facts?.keys || now?.certificates !== this.facts?.certificates;
  }

  async callAgain(call: Call): Promise<void> {
    const links = [...(this.view.believed?.wireguard.keys() ?? [])];
    for (const link of links.filter(call.on)) await callAgain(this.run, link, call);
  }

  /** Of the model in force. */
  get facts(): Facts | undefined {
    return this.#inForce?.compiled.input.facts;
  }

  get balancing(): Balancing | undefined {
    return this.#balancing;
  }

  async compile(model: GatewayModel, allocations: Allocations, pressure = this.pressure): Promise<Compiled> {
    this.#facts = await this.#gatherFacts(model);
    const wanted = [model.internal.interface, ...model.externals.map((external) => external.interface)];
    const absent = wanted.filter((name) => !this.#facts?.mtu.has(name));
    if (absent.length > 0) {
      this.#facts = undefined;
      throw new VpcgwError(
        'NotConverged',
        `interface ${absent.join(', ')} does not exist here; the platform has to attach it`,
      );
    }
    const input = { model, allocations, facts: this.#facts, pressure };
    return (this.#inForce && recompile(input, this.#inForce.compiled)) ?? compile(input);
  }

  async program(model: GatewayModel, allocations: Allocations, drains: readonly Drain[]): Promise<Programmed> {
    const before = this.#inForce;
    this.pressure = this.#heeding(drains);
    const compiled = await this.compile(model, allocations);
    const desired = compiled.state;
    const steps = await this.#convergeOrRestore(desired, before);
    this.#inForce = { model, allocations, compiled, desired };
    this.onInForce(model);
    announce(this.run, this.log, before?.desired, desired, steps);
    // The model is in force by now: a failure from here on must not look like a refusal.
    const cut = await this.flows.settle(before?.model, model, drains).catch((error: unknown) => {
      this.log.error({ error: messageOf(error) }, 'stale connections could not be ended yet');
      return undefined;
    });
    return { steps, cut: cut ?? [], unsettled: cut === undefined };
  }

  /** What is under way, with the members of balancers that drain; the same object for as long as they are the same. */
  #heeding(drains: readonly Drain[]): Pressure {
    const draining = drains.filter(({ listener }) => listener);
    return sameDrains(draining, this.pressure.draining) ? this.pressure : { ...this.pressure, draining };
  }

  /** As an edit would leave the kernel. */
  planned(model: GatewayModel, allocations: Allocations, drains: readonly Drain[]): Promise<Compiled> {
    return this.compile(model, allocations, this.#heeding(drains));
  }

  /** The time of some drains is over. */
  async endDrains(running: readonly Drain[]): Promise<void> {
    const current = this.#inForce;
    if (!current || current.model.paused) return;
    const pressure = this.#heeding(running);
    // Not known: an earlier attempt at this failed half way.
    if (pressure !== this.pressure || !this.knowsKernel) {
      this.pressure = pressure;
      await this.mend();
    }
    await this.flows.cut(current.model, running);
  }

  async #convergeOrRestore(desired: KernelState, before: InForce | undefined): Promise<readonly Step[]> {
    try {
      const { steps, unsettable } = await this.view.converge(desired);
      this.#unsettable = unsettable;
      return steps;
    } catch (error) {
      // What was taken for given may be gone: a port whose site has died.
      this.#facts = undefined;
      if (!before) throw error;
      this.log.error({ error: messageOf(error) }, 'the change failed; the former state is put back');
      await this.view
        .converge(before.desired)
        .catch((second: unknown) =>
          this.log.error({ error: messageOf(second) }, 'the former state could not be put back yet'),
        );
      throw error;
    }
  }

  /** Looks where somebody may have changed something; returns what differs. */
  async inspect(suspicion: Suspicion | 'all'): Promise<Step[]> {
    const desired = this.#inForce?.desired;
    if (!desired) return [];
    if (suspicion === 'all' || !this.view.believed) await this.view.observe(desired);
    else await this.#look(suspicion, desired);
    return this.view.plan(desired);
  }

  /** Where the kernel differs from what should be in force, by fresh eyes: nothing that is believed changes. */
  async differences(): Promise<Step[]> {
    const desired = this.#inForce?.desired;
    if (!desired) return [];
    const steps = await new KernelView(this.run, this.subsystems).plan(desired);
    const tolerated = new Set(this.#unsettable);
    return steps.flatMap(({ subsystem, phase, changes }) => {
      const left = changes.filter(({ key }) => !tolerated.has(`${subsystem} ${key}`));
      return left.length > 0 ? [{ subsystem, phase, changes: left }] : [];
    });
  }

  async #look({ subsystems, chains, addresses }: Suspicion, desired: KernelState): Promise<void> {
    const whole = new Set<SubsystemName>(subsystems);
    const believed = this.view.believed?.addresses;
    if ([...addresses].some(([key, there]) => believed?.has(key) !== there)) {
      whole.add('addresses');
      // The kernel changes the routes that name a lost address as their source, and tells nobody.
      whole.add('routes');
    }
    for (const family of [4, 6] as const) {
      const name = `iptables${family}` as const;
      const keys = [...chains].filter((chain) => chain.startsWith(`${family} `)).map((chain) => chain.slice(2));
      if (keys.length === 0 || whole.has(name)) continue;
      const read = keys.length <= 32 ? await this.#readChains(this.subsystems[name] as Iptables, keys) : undefined;
      const believed = this.view.believed;
      if (!read || !believed) whole.add(name);
      else this.view.amend(name, { ...believed[name], chains: new Map([...believed[name].chains, ...read]) });
    }
    if (whole.delete('links')) for (const name of await this.#lookAtLinks(desired)) whole.add(name);
    if (whole.size > 0) await this.view.observe(desired, [...whole]);
  }

  /**
   * Links tell of themselves when nothing of ours has changed, too. Returns what went with a link, since it hangs on it. In
   * any case the fence: it hangs on links that are not ours as well, and before Linux 6.16 it goes with one without a word;
   * and routes: a link that went down and up again looks as before, and has lost them.
   */
  async #lookAtLinks(desired: KernelState): Promise<SubsystemName[]> {
    const before = this.view.believed?.links;
    const { links } = await this.view.observe(desired, ['links']);
    const { mtu } = await this.view.facts();
    const known = this.#facts?.mtu ?? new Map<string, number>();
    // A line's port may come, which was not known.
    const named = [...known.keys(), ...portsOf(this.#inForce?.model.dedicatedLines ?? [])];
    if (named.some((name) => mtu.get(name) !== known.get(name))) this.#facts = undefined;
    const always = [...(desired.fence === '' ? [] : (['fence'] as const)), 'routes'] as const;
    if (isDeepStrictEqual(before, links)) return [...always];
    return [...always, ...(['shaping', 'wireguard', 'ipvs'] as const).filter((name) => desired[name].size > 0)];
  }

  /** What was compiled by now may be wrong: a link has another MTU. */
  get isOutdated(): boolean {
    return this.#facts === undefined;
  }

  /** A chain that is gone makes the reading fail: then the whole is looked at. */
  async #readChains(iptables: Iptables, keys: readonly string[]) {
    return iptables.read(this.run, keys).catch(() => undefined);
  }

  /** Mends what differs. The model is compiled anew, since a link's MTU may be what changed. */
  async mend(): Promise<readonly Step[]> {
    const current = this.#inForce;
    if (!current) return [];
    const compiled = await this.compile(current.model, current.allocations);
    const steps = await this.#convergeOrRestore(compiled.state, undefined);
    this.#inForce = { ...current, compiled, desired: compiled.state };
    const [before, after] = [current.desired, compiled.state].map(({ links }) => [...links.keys()].join());
    if (after !== before) this.onLinks();
    return steps;
  }
}
