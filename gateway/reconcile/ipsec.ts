/**
 * The IKE daemon of tunnels of IPsec. Guarantees:
 * 1. It runs only while a tunnel asks for it; it outlives us, with its tunnels.
 * 2. It is told all connections with their keys by its control socket, and nothing of it is on a disk; what has not changed
 *    is left alone, and what has changed in how the ends know each other follows on without a moment in between.
 * 3. Of a pair both members' daemons know all connections, and the active member's alone has tunnels: who becomes active
 *    asks at once, and without a supervisor the first packet does.
 * 4. What a daemon that was killed has left in the kernel carries on until its successor's keys do, and is then taken away.
 * 5. A tunnel that is not there is asked for again every few seconds, whatever it failed by.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { messageOf } from '../errors.js';
import { troubleOf } from '../features/sites.js';
import type { IpsecStanding } from '../health/ipsec-state.js';
import {
  CHILD,
  type Credentials,
  credentialRequests,
  followsOn,
  type LoadedConnection,
  loadedConnection,
} from '../ipsec/connection.js';
import { NOTHING_PASSED, type Passed, passedBy, type SaState, stateIn, whyNot } from '../ipsec/sas.js';
import { type KernelSa, parseStates } from '../ipsec/states.js';
import { charonConfig } from '../ipsec/strongswan.js';
import type { CommandRunner } from '../kernel/command.js';
import type { Facts } from '../kernel/state.js';
import { isPair } from '../model/high-availability.js';
import { certificateKey, type IpsecConnection, ipsecsOf } from '../model/vpn.js';
import { Daemon } from '../system/daemon.js';
import { ViciClient } from '../system/vici-client.js';
import { type CompileInput, contextOf } from './compile.js';

export interface IpsecOptions {
  readonly directory: string;
  readonly log: Logger;
  readonly run: CommandRunner;
  readonly inForce: () => CompileInput | undefined;
  /** Of a pair: this member is the active one, by the last that was heard. */
  readonly active: () => boolean;
}

const PROGRAM = '/usr/sbin/charon-systemd';
const ASK_AGAIN_MS = 5_000;
/** From its start until it listens. */
const LISTENS_WITHIN_MS = 5_000;
const LISTEN_POLL_MS = 20;
/** Of its log, the end that is looked at. */
const LOG_CHARACTERS = 256 * 1024;

/** As strongSwan calls one that it does not know yet. */
const UNNAMED = '(unnamed)';

export class Ipsec {
  readonly #daemon: Daemon;
  readonly #vici: ViciClient;
  #queue: Promise<unknown> = Promise.resolve();
  #runs = false;
  #active = false;
  #connections: readonly LoadedConnection[] = [];
  /** What the daemon with this process id was told, and when. */
  #told: { readonly pid: number | undefined; readonly text: string; readonly atMs: number } | undefined;
  /** It was started, and has not been told anything yet. */
  #fresh = false;
  /** Of a daemon that was killed. */
  #left: readonly KernelSa[] = [];
  #fault: string | undefined;
  /** What the daemon did not take, by its name there. */
  #refused: ReadonlyMap<string, string> = new Map();
  readonly #askedMs = new Map<string, number>();
  #states: readonly SaState[] = [];
  /** By connection. */
  #passed: ReadonlyMap<string, Passed> = new Map();

  constructor(private readonly options: IpsecOptions) {
    const { directory, log } = options;
    const socket = join(directory, 'vici.sock');
    this.#vici = new ViciClient(socket);
    this.#daemon = new Daemon({
      name: 'ipsec',
      directory,
      argv: (config) => ['/usr/bin/env', `STRONGSWAN_CONF=${config}`, PROGRAM],
      reloads: false,
      leftovers: [socket],
      onStart: () => {
        log.info({ daemon: 'ipsec' }, 'started');
        this.#fresh = true;
        void this.follow();
      },
      onEnd: () => log.info({ daemon: 'ipsec' }, 'ended'),
    });
  }

  /** As the model in force and this member's role want it. */
  follow(): Promise<void> {
    this.#beginAtOnce();
    const done = this.#queue.then(() => this.#follow());
    this.#queue = done;
    return done;
  }

  /** Who becomes active asks before it does anything else: its daemon knows all connections, and has no tunnel. */
  #beginAtOnce(): void {
    if (this.#active || !this.#told || !this.options.active()) return;
    this.#active = true;
    this.#states = [];
    this.#askedMs.clear();
    for (const { name, connection } of this.#connections) if (connection.ipsec.peer) void this.#askFor(name);
  }

  async #follow(): Promise<void> {
    const input = this.options.inForce();
    if (!input) return;
    try {
      this.#connections = connectionsOf(input);
      this.#active = !isPair(input.model) || this.options.active();
      if (this.#connections.length > 0) await this.#keepTold();
      else if (this.#runs || this.#daemon.pid !== undefined) await this.#end();
      this.#fault = undefined;
    } catch (error) {
      this.#told = undefined;
      // Of a daemon that is dead; one that is late once has its tunnels still.
      if (this.#daemon.pid === undefined) this.#states = [];
      this.#fault = messageOf(error);
      this.options.log.error({ error: this.#fault }, 'tunnels of IPsec could not be set up');
    }
  }

  async #end(): Promise<void> {
    this.#runs = false;
    this.#told = undefined;
    // Else it would wait for each site's answer before it ends.
    for (const { name } of this.#states) await this.#terminate(name);
    this.#states = [];
    this.#vici.close();
    await this.#daemon.stop();
    await this.#forget(await this.#inKernel());
  }

  async #keepTold(): Promise<void> {
    this.#runs = true;
    await this.#daemon.ensure(charonConfig(join(this.options.directory, 'vici.sock')));
    const pid = this.#daemon.pid;
    const text = JSON.stringify(this.#connections.map((each) => [each.settings, credentialRequests(each)]));
    if (this.#told?.pid !== pid || this.#told?.text !== text) {
      if (this.#fresh) this.#left = await this.#inKernel();
      this.#fresh = false;
      await this.#listens();
      await this.#tell();
      this.#told = { pid, text, atMs: performance.now() };
      this.options.log.info({ daemon: 'ipsec', tunnels: this.#connections.length }, 'told');
    }
    await this.#keepTunnels();
  }

  /** It has only just been started. */
  async #listens(): Promise<void> {
    const deadlineMs = performance.now() + LISTENS_WITHIN_MS;
    for (;;) {
      try {
        await this.#vici.request('version');
        return;
      } catch (error) {
        if (performance.now() > deadlineMs) throw error;
        await sleep(LISTEN_POLL_MS);
      }
    }
  }

  async #tell(): Promise<void> {
    const wanted = new Set(this.#connections.map(({ name }) => name));
    const { said } = await this.#vici.request('get-conns');
    for (const name of said.lists.get('conns') ?? []) {
      if (wanted.has(name)) continue;
      await this.#vici.request('unload-conn', { name });
      // The kernel does not take two tunnels' keys for networks that overlap.
      if (!this.#connections.some((each) => followsOn(each.name, name))) await this.#terminate(name);
    }
    await this.#vici.request('clear-creds');
    const refused = new Map<string, string>();
    for (const connection of this.#connections)
      try {
        for (const [command, settings] of credentialRequests(connection)) await this.#vici.request(command, settings);
        await this.#vici.request('load-conn', { [connection.name]: connection.settings });
      } catch (error) {
        refused.set(connection.name, messageOf(error));
      }
    this.#refused = refused;
  }

  /** It goes on. */
  leave(): void {
    this.#daemon.leave();
    this.#vici.close();
  }

  /** Afresh. */
  async look(): Promise<void> {
    await this.follow();
  }

  /** What is not there is asked for, and what is no more wanted is ended. */
  async #keepTunnels(): Promise<void> {
    const events = await this.#vici.list('list-sas', 'list-sa');
    this.#states = events.flatMap(stateIn);
    this.#passed = new Map(this.#connections.map((each) => [each.connection.name, this.#passedBy(each)]));
    for (const { name } of this.#states) if (this.#isOver(name)) await this.#terminate(name);
    if (!this.#active) return;
    for (const { name, connection } of this.#connections)
      if (connection.ipsec.peer && !this.#refused.has(name)) await this.#askFor(name);
    await this.#forgetFollowed();
  }

  /** Also by the keys of one that it follows. */
  #passedBy({ name, connection }: LoadedConnection): Passed {
    const own = this.#states.filter((state) => followsOn(name, state.name));
    return passedBy(this.#passed.get(connection.name) ?? NOTHING_PASSED, own);
  }

  /** Of a member that is not active, of a connection that is gone, or of one that another has followed. */
  #isOver(name: string): boolean {
    // Somebody calls, and has not said who it is. The daemon itself gives up on those that never do.
    if (name === UNNAMED) return false;
    if (!this.#active) return true;
    if (this.#connections.some((each) => each.name === name)) return false;
    const next = this.#connections.find((each) => followsOn(each.name, name));
    return !next || this.#stateNamed(next.name)?.installed === true || this.#sinceTold() > ASK_AGAIN_MS;
  }

  #sinceTold(): number {
    return performance.now() - (this.#told?.atMs ?? -Infinity);
  }

  /** Of two that were begun from both ends at once, the one that carries. */
  #stateNamed(name: string): SaState | undefined {
    const found = this.#states.filter((state) => state.name === name);
    return found.find(({ installed }) => installed) ?? found[0];
  }

  async #inKernel(): Promise<KernelSa[]> {
    return parseStates((await this.options.run.run({ argv: ['ip', 'xfrm', 'state', 'list', 'nokeys'] })).stdout);
  }

  async #forgetFollowed(): Promise<void> {
    if (this.#left.length === 0) return;
    const waiting = new Set(
      this.#connections.filter(({ name }) => !this.#stateNamed(name)?.installed).map((each) => each.xfrmId),
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
    const state = this.#stateNamed(name);
    const nowMs = performance.now();
    if (state?.installed || state?.busy || nowMs - (this.#askedMs.get(name) ?? -Infinity) < ASK_AGAIN_MS) return;
    this.#askedMs.set(name, nowMs);
    // What comes of it is seen later: it answers at once, and calls that a failure.
    await this.#vici.request('initiate', { ike: name, child: CHILD, timeout: '-1' }).catch(() => undefined);
  }

  /** The other end is told, but not waited for; there may be none to end. */
  async #terminate(name: string): Promise<void> {
    await this.#vici.request('terminate', { ike: name, force: 'yes', timeout: '-1' }).catch(() => undefined);
  }

  /** How the tunnel of a connection was found last, or why there is none. */
  stateOf(connection: string): IpsecStanding {
    const passed = this.#passed.get(connection) ?? NOTHING_PASSED;
    const loaded = this.#connections.find((each) => each.connection.name === connection);
    const state = loaded && this.#stateNamed(loaded.name);
    if (state?.installed) return { state, fault: undefined, passed };
    const fault = this.#fault ?? (loaded && this.#refused.get(loaded.name));
    if (fault !== undefined) return { state, fault: { reason: fault, refuses: false }, passed };
    return { state, fault: loaded && whyNot(this.#log(), loaded.name), passed };
  }

  #log(): string {
    try {
      return readFileSync(this.#daemon.log, 'utf8').slice(-LOG_CHARACTERS);
    } catch {
      return '';
    }
  }
}

function connectionsOf(input: CompileInput): LoadedConnection[] {
  const { model, facts } = input;
  const { siteNumber } = contextOf(input);
  return ipsecsOf(model).flatMap((connection) => {
    const credentials = credentialsOf(connection, facts);
    if (troubleOf(connection, facts) || !credentials) return [];
    return [loadedConnection(connection, siteNumber(connection.site.origin.id), credentials)];
  });
}

function credentialsOf({ ipsec: { credentials } }: IpsecConnection, facts: Facts): Credentials | undefined {
  if (credentials.kind === 'preshared') {
    const fact = facts.keys?.get(credentials.key);
    return fact && 'key' in fact ? { kind: 'preshared', key: fact.key } : undefined;
  }
  const fact = facts.certificates?.get(certificateKey(credentials));
  return fact && 'certificates' in fact ? { kind: 'certificate', ...fact.certificates } : undefined;
}
