/**
 * What the members say to each other finds its way also when a tenant has filled the node's neighbour table (1,024
 * entries by default, one table for all network namespaces): an advert that has no entry is dropped by the kernel without
 * an error, and so would be the lease of the active member. Entries that are kept by hand count towards no limit.
 */
import type { Logger } from 'pino';
import { messageOf } from '../errors.js';
import type { CommandRunner } from '../kernel/command.js';
import { givenWay, type Member } from '../model/high-availability.js';
import { ROUTE_PROTOCOL, witness, witnessMac } from '../model/ownership.js';
import type { Timers } from '../system/timers.js';

/** The kernel takes an entry away when the link goes down. Who has the same entry already loses nothing by it. */
const AGAIN_AFTER_MS = 30_000;
const TIMER = 'neighbour entries';

interface Neighbour {
  /** As `ip neigh` names it. */
  readonly place: string;
  /** How its MAC address is known. */
  readonly kept: string;
}

/** Of all that goes by a link on which nobody has a MAC address. */
const ANYBODY = '0.0.0.0';

/**
 * The peer's MAC address is found out and followed by the kernel itself. A link of WireGuard has one entry of its own, which
 * gives way to others in a full table as any does.
 */
export function membersNeighbours({ paths }: Pick<Member, 'paths'>): Neighbour[] {
  return paths.flatMap((path) => {
    const { interface: device, peer } = givenWay(path);
    return [
      { place: `${peer.text} dev ${device}`, kept: 'managed extern_learn' },
      path.under
        ? { place: `${ANYBODY} dev ${path.interface}`, kept: 'nud permanent' }
        : { place: `${witness(peer.family)} dev ${device}`, kept: `lladdr ${witnessMac(peer.family)} nud permanent` },
    ];
  });
}

export class MemberNeighbours {
  #kept: readonly Neighbour[] = [];
  #trouble: string | undefined;

  constructor(
    private readonly run: CommandRunner,
    private readonly timers: Timers,
    private readonly log: Logger,
  ) {}

  async keep(member: Member): Promise<void> {
    this.#kept = membersNeighbours(member);
    await this.#write();
  }

  async end(): Promise<void> {
    this.timers.cancel(TIMER);
    const lines = this.#kept.map(({ place }) => `neigh del ${place}`);
    this.#kept = [];
    if (lines.length > 0) await this.#batch(lines).catch(() => undefined);
  }

  async #write(): Promise<void> {
    try {
      await this.#batch(this.#kept.map(({ place, kept }) => `neigh replace ${place} ${kept} proto ${ROUTE_PROTOCOL}`));
      this.#trouble = undefined;
    } catch (error) {
      const trouble = messageOf(error);
      if (trouble !== this.#trouble) this.log.warn({ error: trouble }, 'neighbour entries of the members are not kept');
      this.#trouble = trouble;
    }
    this.timers.set(TIMER, AGAIN_AFTER_MS, () => this.#write());
  }

  #batch(lines: readonly string[]): Promise<unknown> {
    return this.run.run({ argv: ['ip', '-batch', '-'], stdin: `${lines.join('\n')}\n` });
  }
}
