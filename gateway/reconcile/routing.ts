/**
 * The routing program of dedicated lines that learn their networks. Guarantees:
 * 1. BIRD runs only while a line asks for it, and on the active member of a pair alone; it outlives us, with its routes.
 * 2. A line whose password cannot be used is left out, says so, and touches no other.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { messageOf } from '../errors.js';
import { type BgpFault, type BgpLook, lookAtSession } from '../health/bgp-look.js';
import { placedLines } from '../features/line.js';
import { isPair } from '../model/high-availability.js';
import { birdConfig, type LearningLine, sessionName } from '../routing/bird.js';
import { parseBfd, parseSessions, type SessionState } from '../routing/bird-state.js';
import { askBird } from '../system/bird-control.js';
import { Daemon } from '../system/daemon.js';
import type { PasswordFact } from '../system/password-file.js';
import { type CompileInput, contextOf } from './compile.js';

export interface RoutingOptions {
  readonly directory: string;
  readonly log: Logger;
  readonly inForce: () => CompileInput | undefined;
  readonly readPassword: (file: string) => PasswordFact;
}

export interface BgpTrouble {
  readonly reason: BgpFault;
  readonly message: string;
}

const PROGRAM = '/usr/sbin/bird';

export class Routing {
  readonly #daemon: Daemon;
  #runs = false;
  /** The other end may still lead to what an earlier life, or the other member of a pair, told it. */
  #recovers = false;
  #lines: readonly LearningLine[] = [];
  #troubles: ReadonlyMap<string, BgpTrouble> = new Map();
  #looks: readonly BgpLook[] = [];

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
  async follow(): Promise<void> {
    const input = this.options.inForce();
    if (!input) return;
    const resting = isPair(input.model) && !input.pressure.active;
    const placed = placedLines(input.model, contextOf(input)).filter(({ line }) => line.bgp);
    const troubles = new Map<string, BgpTrouble>();
    this.#lines = placed.flatMap(({ line, number }): LearningLine[] => {
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
    await this.#settle(resting ? undefined : this.#lines, input);
  }

  async #settle(lines: readonly LearningLine[] | undefined, input: CompileInput): Promise<void> {
    try {
      if (lines && lines.length > 0) {
        this.#runs = true;
        this.#recovers ||= isPair(input.model);
        await this.#daemon.ensure(birdConfig(input.model, lines));
      } else if (this.#runs || this.#daemon.pid !== undefined) {
        this.#runs = false;
        this.#recovers = false;
        this.#looks = [];
        await this.#daemon.stop();
      }
    } catch (error) {
      this.options.log.error({ error: messageOf(error) }, 'the routing program could not be set up');
    }
  }

  /** It goes on. */
  leave(): void {
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
