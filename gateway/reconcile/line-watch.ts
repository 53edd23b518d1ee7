/**
 * How the dedicated lines in force stand: by their carrier, of which the kernel tells, and by probes. Guarantees:
 * 1. A line that does not carry is told of at once, and again when it has been steady; what follows from it is others' work.
 * 2. A line that an edit does not touch keeps what is known of it.
 * 3. A member of a pair that is not active asks nobody, and what it found before says nothing when it becomes active.
 */
import { linkOfLine, lineTroubleOf } from '../features/sites.js';
import type { BgpLook } from '../health/bgp-look.js';
import type { LineLook } from '../health/line-look.js';
import { LineProbe, type LineProbeOptions } from '../health/line-probe.js';
import { type LineFault, type LineTally, lineTallied, newLineTally, whyUp } from '../health/line-tally.js';
import type { CommandRunner } from '../kernel/command.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { isPair } from '../model/high-availability.js';
import { containsCidr } from '../model/ip.js';
import type { DedicatedLine } from '../model/line.js';
import { lineParent } from '../model/ownership.js';
import { onBeat } from '../system/beat.js';
import type { Clock } from '../system/clock.js';
import type { KernelEvent } from '../system/kernel-event.js';
import type { Lookout, LookoutListener } from '../system/lookout.js';
import type { CompileInput } from './compile.js';
import type { Routing } from './routing.js';

/** Of lines without a probe, and of what is told of all. */
const EVERY_MS = 1_000;

export interface LineWatchOptions {
  readonly run: CommandRunner;
  readonly lookout: Pick<Lookout, 'listeners'>;
  readonly clock: Clock;
  /** What is in force, and what it was compiled with. */
  readonly inForce: () => CompileInput | undefined;
  readonly tell: (type: string, message: string) => void;
  /** Who speaks with the other ends of lines that learn. */
  readonly routing: Pick<Routing, 'follow' | 'look' | 'looks' | 'troubleOf'>;
  /** Documents of lines that do not carry; resolves when the kernel holds what follows. */
  readonly onDoubtful: (doubtful: ReadonlySet<string>) => Promise<void>;
}

interface Watched {
  line: DedicatedLine;
  tally: LineTally;
  /** As it was told last: by its tally, its sessions, its port or this member's role. */
  state: LineLook['state'] | undefined;
  /** Since it stands so. */
  sinceMs: number;
  probe: LineProbe | undefined;
  switchOvers: number;
  switchOverMs: number | undefined;
}

type Standing = [state: LineLook['state'], reason: string, trouble?: LineLook['trouble']];

interface LinkReading {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly stats64?: { readonly rx: { readonly bytes: number }; readonly tx: { readonly bytes: number } };
}

export class LineWatch {
  /** By name. */
  readonly #watched = new Map<string, Watched>();
  #links: ReadonlyMap<string, LinkReading> = new Map();
  #carrierless: ReadonlySet<string> = new Set();
  /** By line and peer. */
  readonly #established = new Map<string, boolean>();
  readonly #listener: LookoutListener = {
    onEvent: (event) => {
      if (event.kind === 'link' && !event.gone) this.#onLink(event);
    },
    onMissed: () => this.#lookSoon(),
  };
  #endLooks: (() => void) | undefined;
  #resting = false;
  #telling: Promise<void> = Promise.resolve();

  constructor(private readonly options: LineWatchOptions) {}

  /** Of the model that is in force. */
  follow({ dedicatedLines }: GatewayModel): void {
    const before = this.#doubtful;
    const wanted = new Map(dedicatedLines.map((line) => [line.name, line]));
    for (const [name, watched] of this.#watched)
      if (!wanted.has(name)) {
        watched.probe?.stop();
        this.#watched.delete(name);
      }
    for (const line of dedicatedLines) this.#watch(line);
    if (dedicatedLines.length > 0) this.#start();
    else {
      this.stop();
      void this.options.routing.follow();
    }
    if (!same(before, this.#doubtful)) void this.options.onDoubtful(this.#doubtful);
  }

  rest(resting: boolean): void {
    if (resting === this.#resting) return;
    this.#resting = resting;
    const nowMs = this.options.clock.nowMs();
    for (const watched of this.#watched.values()) {
      watched.tally = newLineTally(nowMs);
      this.#renewProbe(watched);
    }
    void this.options.onDoubtful(this.#doubtful);
  }

  stop(): void {
    this.#endLooks?.();
    this.#endLooks = undefined;
    this.options.lookout.listeners.delete(this.#listener);
    for (const { probe } of this.#watched.values()) probe?.stop();
  }

  /** By line, as they were found last. */
  get looks(): ReadonlyMap<string, LineLook> {
    const input = this.options.inForce();
    return new Map(
      [...this.#watched].map(([name, watched]) => [name, this.#lookAt(watched, input)] as [string, LineLook]),
    );
  }

  /** Of all lines that learn. */
  get sessions(): readonly BgpLook[] {
    return this.options.routing.looks();
  }

  /** Afresh. */
  async look(): Promise<void> {
    if (this.#watched.size === 0) return;
    await this.#lookAtSessions();
    const { stdout } = await this.options.run.run({ argv: ['ip', '-j', '-s', 'link', 'show'] });
    const links = JSON.parse(stdout) as LinkReading[];
    this.#links = new Map(links.map((link) => [link.ifname, link]));
    this.#carrierless = new Set(links.filter(({ flags }) => flags.includes('NO-CARRIER')).map(({ ifname }) => ifname));
    for (const watched of this.#watched.values())
      if (this.#hasNoCarrier(watched.line)) this.#found(watched, NO_CARRIER);
      else if (!watched.probe) this.#found(watched, undefined);
    const input = this.options.inForce();
    for (const watched of this.#watched.values()) this.#standing(watched, input);
  }

  #start(): void {
    if (this.#endLooks) return;
    this.#endLooks = onBeat(EVERY_MS, () => this.#lookSoon());
    this.options.lookout.listeners.add(this.#listener);
    this.#lookSoon();
  }

  #lookSoon(): void {
    this.look().catch(() => undefined);
  }

  #onLink({ link, carries }: KernelEvent & { kind: 'link' }): void {
    const watched = [...this.#watched.values()].find(({ line }) => linkOfLine(line) === link);
    if (!watched) return;
    this.#carrierless = new Set([...this.#carrierless].filter((other) => other !== link).concat(carries ? [] : [link]));
    if (!carries) this.#found(watched, NO_CARRIER);
  }

  #hasNoCarrier = (line: DedicatedLine): boolean => this.#carrierless.has(linkOfLine(line));

  #watch(line: DedicatedLine): void {
    const known = this.#watched.get(line.name);
    const nowMs = this.options.clock.nowMs();
    const watched = known ?? {
      line,
      tally: newLineTally(nowMs),
      state: undefined,
      sinceMs: nowMs,
      probe: undefined,
      switchOvers: 0,
      switchOverMs: undefined,
    };
    watched.line = line;
    this.#watched.set(line.name, watched);
    const wanted = this.#resting ? undefined : probeOf(line);
    if (textOf(wanted) !== textOf(watched.probe?.options)) this.#renewProbe(watched);
  }

  #renewProbe(watched: Watched): void {
    watched.probe?.stop();
    watched.probe = undefined;
    const options = this.#resting ? undefined : probeOf(watched.line);
    if (!options) return;
    const probe = new LineProbe(options, (failure) => {
      if (watched.probe !== probe) return;
      if (this.#hasNoCarrier(watched.line)) this.#found(watched, NO_CARRIER);
      else this.#found(watched, failure === undefined ? undefined : { reason: failure, atOnce: false });
    });
    watched.probe = probe;
  }

  #found(watched: Watched, fault: LineFault): void {
    // Ways that are learnt go and come with their session.
    if (this.#resting || watched.line.bgp) return;
    const before = watched.tally;
    const nowMs = this.options.clock.nowMs();
    watched.tally = lineTallied(before, fault, termsOf(watched.line), nowMs);
    if (watched.tally.up === before.up) return;
    this.#standing(watched, this.options.inForce());
    // A lost carrier is told of as it is lost.
    const sinceMs = fault?.atOnce ? nowMs : before.soundMs;
    this.#telling = this.#telling.then(() => this.#switchOver(watched, before, sinceMs));
  }

  async #switchOver(watched: Watched, before: LineTally, sinceMs: number): Promise<void> {
    const { onDoubtful, tell, clock } = this.options;
    const { up, reason } = watched.tally;
    const { name, origin } = watched.line;
    try {
      await onDoubtful(this.#doubtful);
    } catch {
      // Said by whoever failed, who tries again.
    }
    watched.switchOvers++;
    if (up) return tell('Line', `${name}: Down → Up: ${whyUp(before, watched.line.steadyMs)}`);
    watched.switchOverMs = clock.nowMs() - sinceMs;
    const next = this.#nextWay(origin.id);
    tell('Line', `${name}: Up → Down: ${reason}; ${next} after ${watched.switchOverMs} ms`);
  }

  /** In words. */
  #nextWay(id: string): string {
    const model = this.options.inForce()?.model;
    const line = model?.dedicatedLines.find(({ origin }) => origin.id === id);
    if (!model || !line) return 'its networks have no other way';
    const leads = [...model.dedicatedLines, ...model.vpnConnections].filter(
      ({ site, origin }) =>
        origin.id !== id &&
        !this.#doubtful.has(origin.id) &&
        site.remote.some((wide) => line.site.remote.some((network) => containsCidr(wide, network))),
    );
    const [next] = leads.sort((a, b) => a.site.metric - b.site.metric);
    return next ? `its networks go by ${next.origin.id}` : 'its networks have no other way';
  }

  get #doubtful(): ReadonlySet<string> {
    return new Set([...this.#watched.values()].flatMap(({ tally, line }) => (tally.up ? [] : [line.origin.id])));
  }

  /** What differs from what was told last has changed just now: the looks are a second apart. */
  #standing(watched: Watched, input: CompileInput | undefined): Standing {
    const standing = this.#stateOf(watched.line, watched.tally, input);
    if (watched.state !== standing[0]) watched.sinceMs = this.options.clock.nowMs();
    watched.state = standing[0];
    return standing;
  }

  #lookAt(watched: Watched, input: CompileInput | undefined): LineLook {
    const { line, switchOvers, switchOverMs } = watched;
    const link = this.#links.get(linkOfLine(line));
    const [state, reason, trouble] = this.#standing(watched, input);
    return {
      line: line.name,
      port: lineParent(line.port, line.vlan),
      state,
      reason,
      since: new Date(watched.sinceMs).toISOString(),
      ...(trouble ? { trouble } : {}),
      receivedBytes: link?.stats64?.rx.bytes ?? 0,
      sentBytes: link?.stats64?.tx.bytes ?? 0,
      switchOvers,
      switchOverMs,
    };
  }

  /** A session for each family: all, some or none of them. */
  #sessionsOf({ name }: DedicatedLine): Standing {
    const { routing } = this.options;
    const trouble = routing.troubleOf(name);
    if (trouble) return ['Down', trouble.message, trouble.reason];
    const sessions = routing.looks(name);
    const bad = sessions.filter(({ established }) => !established);
    if (sessions.length === 0) return ['Down', 'the routing program has not said anything yet'];
    const reason = (bad.length > 0 ? bad : sessions).map((session) => session.reason).join('; ');
    const state = bad.length === 0 ? 'Up' : bad.length < sessions.length ? 'Degraded' : 'Down';
    return [state, reason, bad.find(({ fault }) => fault)?.fault];
  }

  /** What has changed is told of. */
  async #lookAtSessions(): Promise<void> {
    const { routing, tell } = this.options;
    await routing.follow();
    await routing.look();
    for (const { line, peer, established, reason } of routing.looks()) {
      const key = `${line} ${peer}`;
      if ((this.#established.get(key) ?? false) === established) continue;
      this.#established.set(key, established);
      const watched = this.#watched.get(line);
      if (watched) watched.switchOvers++;
      tell('Bgp', `${line}: ${reason}`);
    }
  }

  #stateOf(
    line: DedicatedLine,
    { up, reason, steadySinceMs, patience }: LineTally,
    input: CompileInput | undefined,
  ): Standing {
    const trouble = input && lineTroubleOf(line, input.facts);
    if (trouble) return ['Down', trouble.message, trouble.reason];
    if (input && isPair(input.model) && !input.pressure.active) return ['Idle', 'this member is not the active one'];
    if (line.bgp) return this.#hasNoCarrier(line) ? ['Down', NO_CARRIER.reason] : this.#sessionsOf(line);
    if (up) return ['Up', line.probe ? `${line.probe.address.text} answers` : 'has a carrier'];
    if (steadySinceMs === undefined) return ['Down', reason];
    const leftMs = Math.max(0, steadySinceMs + patience * line.steadyMs - this.options.clock.nowMs());
    return ['Down', `sound again; carries when it has been so for ${Math.ceil(leftMs / 1000)} s more`];
  }
}

const NO_CARRIER = { reason: 'no carrier', atOnce: true } as const;

const termsOf = ({ probe, steadyMs }: DedicatedLine) => ({
  unhealthyThreshold: probe?.unhealthyThreshold ?? 1,
  steadyMs,
});

function probeOf({ probe, addresses }: DedicatedLine): LineProbeOptions | undefined {
  const from = probe && addresses.find(({ address }) => address.family === probe.address.family)?.address.text;
  if (!probe || from === undefined) return undefined;
  const { type, address, port, intervalMs } = probe;
  return { type, address, port, from, intervalMs };
}

const textOf = (options: LineProbeOptions | undefined): string =>
  options ? [options.type, options.address.text, options.port, options.from, options.intervalMs].join(' ') : '';

const same = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean =>
  a.size === b.size && [...a].every((id) => b.has(id));
