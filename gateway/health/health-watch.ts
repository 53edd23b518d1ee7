/**
 * Keeps checking the members of all pools that ask for it. Guarantees:
 * 1. Each member has a timer of its own, and each check but a ping a socket: a slow or hostile one never delays another.
 * 2. A member that an edit does not touch keeps what is known of it, and its rhythm.
 * 3. While it rests, as a standby that is fenced off has to, what was known last stays known; afterwards the first check
 *    decides at once, as it does of a member that was never checked.
 * 4. Who listens is told of all that are down, once for all that were found in one turn.
 */
import { type Down, type Member, memberId, type Pool } from '../model/balancer.js';
import type { GatewayModel } from '../model/gateway-model.js';
import { MemberChecks, type Probe } from './check-member.js';
import { newTally, type Tally, tallied } from './tally.js';

/** Checks are begun up to so much earlier, so that those of many members do not stay together. */
const JITTER = 0.1;
/** The first check of all: soon, but not of all at once. */
const FIRST_WITHIN_MS = 200;

interface Watched {
  readonly probe: Probe;
  tally: Tally;
  timer: NodeJS.Timeout | undefined;
}

export class HealthWatch {
  readonly #watched = new Map<string, Watched>();
  #telling = false;
  #resting = false;

  constructor(
    private readonly nowMs: () => number,
    private readonly onChange: (down: Down) => void,
    private readonly checks: Pick<MemberChecks, 'check' | 'stop'> = new MemberChecks(),
    private readonly random: () => number = Math.random,
  ) {}

  /** Of the model that is in force. */
  follow(model: GatewayModel): void {
    const wanted = new Map(probesOf(model));
    let changed = false;
    for (const [id, watched] of this.#watched) {
      const probe = wanted.get(id);
      if (probe && sameProbe(probe, watched.probe)) continue;
      clearTimeout(watched.timer);
      this.#watched.delete(id);
      changed ||= !watched.tally.up;
    }
    for (const [id, probe] of wanted) if (!this.#watched.has(id)) this.#watch(id, probe);
    if (changed) this.#tell();
  }

  stop(): void {
    for (const { timer } of this.#watched.values()) clearTimeout(timer);
    this.#watched.clear();
    this.checks.stop();
  }

  rest(resting: boolean): void {
    if (resting === this.#resting) return;
    this.#resting = resting;
    for (const [id, watched] of this.#watched) {
      clearTimeout(watched.timer);
      watched.tally = { ...watched.tally, checked: false, against: 0 };
      // What is under way by now is another's.
      const again = { ...watched };
      this.#watched.set(id, again);
      this.#begin(id, again);
    }
  }

  get tallies(): ReadonlyMap<string, Tally> {
    return new Map([...this.#watched].map(([id, { tally }]) => [id, tally]));
  }

  #watch(id: string, probe: Probe): void {
    const watched: Watched = { probe, tally: newTally(this.nowMs()), timer: undefined };
    this.#watched.set(id, watched);
    this.#begin(id, watched);
  }

  #begin(id: string, watched: Watched): void {
    if (this.#resting) return;
    const { probe } = watched;
    const firstMs = Math.min(FIRST_WITHIN_MS, probe.check.intervalMs) * this.random();
    watched.timer = setTimeout(() => void this.#look(id, watched), firstMs);
  }

  async #look(id: string, watched: Watched): Promise<void> {
    const { probe } = watched;
    const began = this.nowMs();
    const failure = await this.checks.check(probe);
    // Meanwhile the member may have gone, or another check have come.
    if (this.#watched.get(id) !== watched) return;
    const before = watched.tally.up;
    watched.tally = tallied(watched.tally, failure, probe.check, this.nowMs());
    const dueMs = began + probe.check.intervalMs * (1 - JITTER * this.random()) - this.nowMs();
    watched.timer = setTimeout(() => void this.#look(id, watched), Math.max(1, dueMs));
    if (watched.tally.up !== before) this.#tell();
  }

  #tell(): void {
    if (this.#telling) return;
    this.#telling = true;
    setImmediate(() => {
      this.#telling = false;
      const down = [...this.#watched].filter(([, { tally }]) => !tally.up);
      this.onChange(new Map(down.map(([id, { tally }]) => [id, tally.reason])));
    });
  }
}

const sameProbe = (a: Probe, b: Probe): boolean =>
  a === b || (a.port === b.port && a.from === b.from && JSON.stringify(a.check) === JSON.stringify(b.check));

function probesOf(model: GatewayModel): [string, Probe][] {
  return model.loadBalancers.flatMap(({ pools, listeners }) =>
    pools.flatMap((pool) => {
      const { check } = pool;
      const listener = listeners.find((candidate) => candidate.pool === pool);
      if (!check || !listener) return [];
      const probe = (member: Member): Probe => ({
        check,
        address: member.address,
        port: check.port ?? member.port ?? listener.ports.first,
        from: model.internal.addresses.find(({ address }) => address.family === member.address.family)?.address.text,
      });
      return inPool(pool).map((member): [string, Probe] => [memberId(pool, member), probe(member)]);
    }),
  );
}

/** One in maintenance takes no connections, so it is left alone. */
const inPool = ({ members }: Pool): Member[] => members.filter(({ maintenance }) => !maintenance);
