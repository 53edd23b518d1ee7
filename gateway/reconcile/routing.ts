/**
 * The routing program of dedicated lines that learn their networks. Guarantees:
 * 1. BIRD runs only while a line asks for it, and on the active member of a pair alone; it outlives us, with its routes.
 * 2. A line whose password cannot be used is left out, says so, and touches no other.
 * 3. The other member of a pair has in its kernel what this one learnt, as a routing program that was killed leaves it:
 *    who takes over leads there at once, and its BIRD confirms each way or takes it away.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { messageOf } from '../errors.js';
import { type BgpFault, type BgpLook, lookAtSession } from '../health/bgp-look.js';
import { placedLines } from '../features/line.js';
import { isPair } from '../model/high-availability.js';
import type { Role } from '../failover/role.js';
import type { CommandRunner } from '../kernel/command.js';
import { type IpRoute, listsIn } from '../kernel/ip.js';
import { birdConfig, type LearningLine, sessionName } from '../routing/bird.js';
import { parseBfd, parseSessions, type SessionState } from '../routing/bird-state.js';
import { changesFor, type Learnt, learntIn, LEARNT_ROUTES, routesOf } from '../routing/learnt.js';
import { askBird } from '../system/bird-control.js';
import { Daemon } from '../system/daemon.js';
import type { Lookout, LookoutListener } from '../system/lookout.js';
import type { PasswordFact } from '../system/password-file.js';
import { type CompileInput, contextOf } from './compile.js';

export interface RoutingOptions {
  readonly directory: string;
  readonly log: Logger;
  readonly run: CommandRunner;
  readonly lookout: Pick<Lookout, 'listeners'>;
  /** Of a pair; `undefined`: not known yet. */
  readonly role: () => Role | undefined;
  /** On the active member: the other should know. */
  readonly onLearnt: () => void;
  readonly inForce: () => CompileInput | undefined;
  readonly readPassword: (file: string) => PasswordFact;
}

export interface BgpTrouble {
  readonly reason: BgpFault;
  readonly message: string;
}

const PROGRAM = '/usr/sbin/bird';
/** Of its routes; linux/rtnetlink.h. */
const BIRD_PROTOCOL = 12;
/** A table that is learnt comes in many pieces. */
const LEARNT_WITHIN_MS = 200;
/** As often as BIRD looks after its own. */
const KEEP_EVERY_MS = 10_000;

export class Routing {
  readonly #daemon: Daemon;
  #runs = false;
  /** The kernel leads by what an earlier life, or the other member of a pair, learnt. */
  #recovers = false;
  #lines: readonly LearningLine[] = [];
  #troubles: ReadonlyMap<string, BgpTrouble> = new Map();
  #looks: readonly BgpLook[] = [];
  #queue: Promise<void> = Promise.resolve();
  /** By this member, which is active. */
  #learnt: Learnt | undefined;
  /** By the other member, which was active then. */
  #told: Learnt | undefined;
  #kept: { readonly key: string; readonly atMs: number } | undefined;
  #bell: LookoutListener | undefined;
  #ringing: NodeJS.Timeout | undefined;

  constructor(private readonly options: RoutingOptions) {
    const { directory, log } = options;
    this.#daemon = new Daemon({
      name: 'bird',
      directory,
      argv: (config) => [PROGRAM, '-f', ...(this.#recovers ? ['-R'] : []), '-c', config, '-s', this.#socket],
      reloads: true,
      leftovers: [this.#socket],
      onStart: () => {
        this.#recovers = true;
        log.info({ daemon: 'bird' }, 'started');
      },
      onEnd: () => log.info({ daemon: 'bird' }, 'ended'),
    });
  }

  get #socket(): string {
    return join(this.options.directory, 'bird.sock');
  }

  /** As the model in force, this member's role and the passwords want it. */
  follow(): Promise<void> {
    this.#queue = this.#queue
      .then(() => this.#follow())
      .catch((error: unknown) =>
        this.options.log.error({ error: messageOf(error) }, 'the routing program could not be set up'),
      );
    return this.#queue;
  }

  async #follow(): Promise<void> {
    const input = this.options.inForce();
    if (!input) return;
    this.#lines = this.#usable(input);
    const role = isPair(input.model) ? (this.options.role() ?? 'Unknown') : 'Active';
    if (role === 'Unknown') return;
    if (role !== 'Active') return this.#rest(input);
    await this.#speak(input);
    if (isPair(input.model) && this.#runs) await this.#listen();
    else this.#listenNoMore();
  }

  #usable(input: CompileInput): LearningLine[] {
    const placed = placedLines(input.model, contextOf(input)).filter(({ line }) => line.bgp);
    const troubles = new Map<string, BgpTrouble>();
    const lines = placed.flatMap(({ line, number }): LearningLine[] => {
      const { bgp, name } = line;
      if (!bgp) return [];
      if (!existsSync(PROGRAM)) {
        troubles.set(name, { reason: 'NoBird', message: 'the program bird is missing; install the package bird2' });
        return [];
      }
      const fact = bgp.authKey === undefined ? undefined : this.options.readPassword(bgp.authKey);
      if (fact && 'wrong' in fact) {
        troubles.set(name, { reason: 'AuthKeyUnusable', message: `${bgp.authKey}: ${fact.wrong}` });
        return [];
      }
      return [{ line, bgp, number, password: fact?.password.reveal() }];
    });
    this.#troubles = troubles;
    return lines;
  }

  async #speak({ model }: CompileInput): Promise<void> {
    this.#kept = undefined;
    // It learns itself from now on.
    this.#told = undefined;
    if (this.#lines.length > 0) {
      if (!this.#runs) this.#recovers = (await this.#ways()).length > 0;
      this.#runs = true;
      await this.#daemon.ensure(birdConfig(model, this.#lines));
    } else if (this.#runs || this.#daemon.pid !== undefined) await this.#end('SIGTERM');
  }

  async #end(by: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#runs = false;
    this.#recovers = false;
    this.#looks = [];
    await this.#daemon.stop(by);
  }

  // ---- of a pair --------------------------------------------------------------------------------------------------

  /** Says nothing, also not that it ends: the other ends of the lines take the other member for a BIRD that is back. */
  async #rest({ model }: CompileInput): Promise<void> {
    this.#listenNoMore();
    if (this.#runs || this.#daemon.pid !== undefined) await this.#end('SIGKILL');
    const key = JSON.stringify([this.#told, birdConfig(model, this.#lines)]);
    // Without a line there is nothing that could be lost.
    const lasts = this.#lines.length === 0 || performance.now() < (this.#kept?.atMs ?? -Infinity) + KEEP_EVERY_MS;
    if (this.#kept?.key === key && lasts) return;
    this.#kept = { key, atMs: performance.now() };
    const present = await this.#ways();
    const told = this.#told ?? learntIn(present, this.#lines);
    for (const [family, lines] of changesFor(told, present, model, this.#lines))
      if (lines.length > 0)
        await this.options.run.run({
          // The port of one line may be missing.
          argv: ['ip', `-${family}`, '-force', '-batch', '-'],
          stdin: `${lines.join('\n')}\n`,
          okExitCodes: [0, 1, 2],
        });
  }

  async #ways(): Promise<IpRoute[]> {
    const lists = await Promise.all(
      ([4, 6] as const).map(async (family) => {
        const { code, stdout } = await this.options.run.run({
          argv: ['ip', '-j', `-${family}`, ...LEARNT_ROUTES.split(' ')],
          okExitCodes: [0, 2],
        });
        // A table that has no route of a family is none, for `ip`.
        return code === 0 ? routesOf(family, listsIn(stdout).flat() as IpRoute[]) : [];
      }),
    );
    return lists.flat();
  }

  async #listen(): Promise<void> {
    if (this.#bell) return;
    const hear = (): void =>
      void this.#hear().catch((error: unknown) =>
        this.options.log.error({ error: messageOf(error) }, 'what lines have learnt could not be read'),
      );
    const ring = (): void => void (this.#ringing ??= setTimeout(hear, LEARNT_WITHIN_MS));
    this.#bell = {
      onEvent: (event) => {
        if (event.kind === 'route' && event.protocol === BIRD_PROTOCOL) ring();
      },
      onMissed: ring,
    };
    this.options.lookout.listeners.add(this.#bell);
    await this.#hear();
  }

  #stopListening(): void {
    if (this.#bell) this.options.lookout.listeners.delete(this.#bell);
    this.#bell = undefined;
  }

  #listenNoMore(): void {
    this.#stopListening();
    this.#learnt = undefined;
  }

  async #hear(): Promise<void> {
    this.#ringing = undefined;
    const learnt = learntIn(await this.#ways(), this.#lines);
    if (!this.#bell || isDeepStrictEqual(learnt, this.#learnt)) return;
    this.#learnt = learnt;
    this.options.onLearnt();
  }

  /** For the other member. */
  get learnt(): Learnt | undefined {
    return this.#learnt;
  }

  /** By the other member, which is active. */
  take(told: Learnt): void {
    this.#told = told;
    void this.follow();
  }

  /** It goes on. */
  leave(): void {
    this.#stopListening();
    clearTimeout(this.#ringing);
    this.#daemon.leave();
  }

  troubleOf = (line: string): BgpTrouble | undefined => this.#troubles.get(line);

  /** Of one line, or of all. */
  looks(line?: string): readonly BgpLook[] {
    return line === undefined ? this.#looks : this.#looks.filter((look) => look.line === line);
  }

  /** Afresh. */
  async look(): Promise<void> {
    if (!this.#runs) return;
    const [sessions, bfd] = await Promise.all([
      askBird(this.#socket, 'show protocols all').then(parseSessions, (): SessionState[] => []),
      askBird(this.#socket, 'show bfd sessions').then(parseBfd, () => new Map<string, string>()),
    ]);
    const known = new Map(sessions.map((session) => [session.name, session]));
    this.#looks = this.#lines.flatMap(({ line, bgp, number }) =>
      line.peers.map(({ family, text }) =>
        lookAtSession({
          line: line.name,
          peer: text,
          peerAsn: bgp.peerAsn,
          maxPrefixes: bgp.maxPrefixes,
          wantsBfd: bgp.bfd !== undefined,
          session: known.get(sessionName(number, family)),
          bfd: bfd.get(text),
        }),
      ),
    );
  }
}
