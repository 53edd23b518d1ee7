/**
 * The IKE daemon of tunnels of IPsec. Guarantees:
 * 1. It runs only while a tunnel asks for it, and on the active member of a pair alone; it outlives us, with its tunnels.
 * 2. It is told all connections with their keys through a file that has no name; what has not changed is left alone.
 * 3. What a daemon that was killed has left in the kernel carries on until its successor's keys do, and is then taken away.
 * 4. A tunnel that is not there is asked for again every few seconds, whatever it failed by.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { messageOf, VpcgwError } from '../errors.js';
import { troubleOf } from '../features/sites.js';
import { charonConfig, SWANCTL_PROGRAM_CONFIG } from '../ipsec/strongswan.js';
import { type KernelSa, parseStates } from '../ipsec/states.js';
import { type NoTunnel, parseSas, type SaState, whyNot } from '../ipsec/sas.js';
import { CHILD, type LoadedConnection, loadedConnection, swanctlConfig } from '../ipsec/swanctl.js';
import type { Command, CommandResult, CommandRunner } from '../kernel/command.js';
import { isPair } from '../model/high-availability.js';
import { ipsecsOf } from '../model/vpn.js';
import type { Clock } from '../system/clock.js';
import { Daemon, replaceFile } from '../system/daemon.js';
import { type CompileInput, contextOf } from './compile.js';

export interface IpsecOptions {
  readonly directory: string;
  readonly log: Logger;
  readonly run: CommandRunner;
  readonly clock: Clock;
  readonly inForce: () => CompileInput | undefined;
}

const PROGRAM = '/usr/sbin/charon-systemd';
const ASK_AGAIN_MS = 5_000;
/** Of its log, the end that is looked at. */
const LOG_CHARACTERS = 256 * 1024;

export class Ipsec {
  readonly #daemon: Daemon;
  #queue: Promise<unknown> = Promise.resolve();
  #runs = false;
  #connections: readonly LoadedConnection[] = [];
  /** What the daemon with this process id was told. */
  #told: { readonly pid: number | undefined; readonly text: string } | undefined;
  /** It was started, and has not been told anything yet. */
  #fresh = false;
  /** Of a daemon that was killed. */
  #left: readonly KernelSa[] = [];
  #fault: string | undefined;
  readonly #askedMs = new Map<string, number>();
  #states: ReadonlyMap<string, SaState> = new Map();

  constructor(private readonly options: IpsecOptions) {
    const { directory, log } = options;
    this.#daemon = new Daemon({
      name: 'ipsec',
      directory,
      argv: (config) => ['/usr/bin/env', `STRONGSWAN_CONF=${config}`, PROGRAM],
      reloads: false,
      leftovers: [this.#socket],
      onStart: () => {
        log.info({ daemon: 'ipsec' }, 'started');
        this.#fresh = true;
        void this.follow();
      },
      onEnd: () => log.info({ daemon: 'ipsec' }, 'ended'),
    });
  }

  get #socket(): string {
    return join(this.options.directory, 'vici.sock');
  }

  get #programConfig(): string {
    return join(this.options.directory, 'swanctl.program.conf');
  }

  /** As the model in force and this member's role want it. */
  follow(): Promise<void> {
    const done = this.#queue.then(() => this.#follow());
    this.#queue = done;
    return done;
  }

  async #follow(): Promise<void> {
    const input = this.options.inForce();
    if (!input) return;
    try {
      this.#connections = connectionsOf(input);
      if (this.#connections.length > 0) await this.#tell();
      else if (this.#runs || this.#daemon.pid !== undefined) {
        this.#runs = false;
        this.#told = undefined;
        this.#states = new Map();
        await this.#daemon.stop();
        await this.#forget(await this.#inKernel());
      }
      this.#fault = undefined;
    } catch (error) {
      this.#told = undefined;
      this.#fault = messageOf(error);
      this.options.log.error({ error: this.#fault }, 'tunnels of IPsec could not be set up');
    }
  }

  async #tell(): Promise<void> {
    const { directory } = this.options;
    this.#runs = true;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    replaceFile(this.#programConfig, SWANCTL_PROGRAM_CONFIG);
    await this.#daemon.ensure(charonConfig(this.#socket));
    const [pid, text] = [this.#daemon.pid, swanctlConfig(this.#connections)];
    if (this.#told?.pid === pid && this.#told?.text === text) return;
    if (this.#fresh) this.#left = await this.#inKernel();
    this.#fresh = false;
    const { stdout, stderr } = await this.#swanctl(['--load-all', '--clear', '--noprompt', '--file', '/dev/stdin'], {
      stdin: text,
      opensStdin: true,
      // It has only just been started.
      retryWhile: /connecting to .* failed/,
    });
    // A file that it cannot read is no failure to it.
    const refused = this.#connections.find(({ name }) => !stdout.includes(`loaded connection '${name}'`));
    if (refused) throw new VpcgwError('CommandFailed', `${refused.connection.name}: ${complaintOf(stderr)}`);
    this.#told = { pid, text };
    this.options.log.info({ daemon: 'ipsec', tunnels: this.#connections.length }, 'told');
  }

  /** It goes on. */
  leave(): void {
    this.#daemon.leave();
  }

  /** Afresh. */
  async look(): Promise<void> {
    await this.follow();
    if (!this.#runs) return;
    const { stdout } = await this.#swanctl(['--list-sas', '--raw']).catch(() => ({ stdout: '' }));
    const states = new Map<string, SaState>();
    // Of two that were begun from both ends at once, the one that carries.
    for (const state of parseSas(stdout)) if (!states.get(state.name)?.installed) states.set(state.name, state);
    this.#states = states;
    for (const { name } of this.#connections) await this.#askFor(name);
    await this.#forgetFollowed();
  }

  async #inKernel(): Promise<KernelSa[]> {
    return parseStates((await this.options.run.run({ argv: ['ip', 'xfrm', 'state', 'list', 'nokeys'] })).stdout);
  }

  async #forgetFollowed(): Promise<void> {
    const waiting = new Set(
      this.#connections.filter(({ name }) => !this.#states.get(name)?.installed).map((each) => each.xfrmId),
    );
    const followed = this.#left.filter(({ xfrmId }) => !waiting.has(xfrmId));
    this.#left = this.#left.filter(({ xfrmId }) => waiting.has(xfrmId));
    await this.#forget(followed);
  }

  /** Some may have ended by themselves, at the first of which a batch would end too, with `-force` or without. */
  async #forget(states: readonly KernelSa[]): Promise<void> {
    for (const { text } of states)
      await this.options.run.run({
        argv: ['ip', 'xfrm', 'state', 'delete', ...text.split(' ')],
        okExitCodes: [0, 1, 2],
      });
  }

  async #askFor(name: string): Promise<void> {
    const state = this.#states.get(name);
    const nowMs = this.options.clock.nowMs();
    if (state?.installed || state?.busy || nowMs - (this.#askedMs.get(name) ?? -Infinity) < ASK_AGAIN_MS) return;
    this.#askedMs.set(name, nowMs);
    await this.#swanctl(['--initiate', '--ike', name, '--child', CHILD, '--timeout', '-1']).catch(() => undefined);
  }

  /** How the tunnel of a connection was found last, or why there is none. */
  stateOf(connection: string): { readonly state: SaState | undefined; readonly fault: NoTunnel | undefined } {
    const loaded = this.#connections.find((each) => each.connection.name === connection);
    const state = loaded && this.#states.get(loaded.name);
    if (state?.installed) return { state, fault: undefined };
    if (this.#fault !== undefined) return { state, fault: { reason: this.#fault, refuses: false } };
    return { state, fault: loaded && whyNot(this.#log(), loaded.name) };
  }

  #log(): string {
    try {
      return readFileSync(this.#daemon.log, 'utf8').slice(-LOG_CHARACTERS);
    } catch {
      return '';
    }
  }

  #swanctl(args: readonly string[], more: Omit<Command, 'argv'> = {}): Promise<CommandResult> {
    const program = ['env', `STRONGSWAN_CONF=${this.#programConfig}`, 'swanctl'] as const;
    return this.options.run.run({ argv: [...program, ...args, '--uri', `unix://${this.#socket}`], ...more });
  }
}

/** It looks for certificates beside what it was given, too, and tells that there are none. */
const complaintOf = (stderr: string): string =>
  stderr
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('opening directory'))
    .join('; ')
    .slice(0, 300) || 'the IKE daemon did not take it';

function connectionsOf(input: CompileInput): LoadedConnection[] {
  const { model, facts, pressure } = input;
  if (isPair(model) && !pressure.active) return [];
  const { siteNumber } = contextOf(input);
  return ipsecsOf(model).flatMap((connection) => {
    const key = facts.keys?.get(connection.ipsec.presharedKey);
    if (troubleOf(connection, facts) || !key || !('key' in key)) return [];
    return [loadedConnection(connection, siteNumber(connection.site.origin.id), key.key)];
  });
}
