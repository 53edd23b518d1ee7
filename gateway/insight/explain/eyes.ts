/**
 * What can be seen from the gateway. Guarantees:
 * 1. Nothing is changed: questions on the wire, and readings of the kernel.
 * 2. Nobody is waited for longer than 2 s, and all are asked side by side. A reading of the kernel, which takes long only
 *    on a machine that has too much to do, is given up after 10 s.
 * 3. The same is looked at once, however many checks want it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { VpcgwError } from '../../errors.js';
import type { CommandRunner } from '../../kernel/command.js';
import { CONNECTION_COUNT, CONNECTION_MAX, listFlows } from '../../kernel/conntrack/flows.js';
import type { LineLook } from '../../health/line-look.js';
import type { ConnectionLook } from '../../health/peer-state.js';
import type { IpLink } from '../../kernel/ip.js';
import type { Flow } from '../../model/flow.js';
import type { IpAddress } from '../../model/ip.js';
import type { Step } from '../../reconcile/plan.js';
import type { BandwidthRow } from '../../reconcile/show.js';
import type { Knock } from '../../system/knock.js';

export type { Knock };

export interface Sight {
  readonly run: CommandRunner;
  /** Where the kernel differs from what it should hold, by fresh eyes. */
  readonly differences: () => Promise<readonly Step[]>;
  /** What passes limits of bandwidth, over a second. */
  readonly bandwidth: () => Promise<readonly BandwidthRow[]>;
  /** How a VPN connection stands, looked at afresh. */
  readonly tunnel: (name: string) => Promise<ConnectionLook | undefined>;
  /** How a dedicated line stands, looked at afresh. */
  readonly line: (name: string) => Promise<LineLook | undefined>;
  /** Opens a connection and closes it at once. */
  readonly knock: (to: string, port: number, from: string, timeoutMs: number) => Promise<Knock>;
}

export interface Link {
  readonly up: boolean;
  /** The other end is there. */
  readonly carrier: boolean;
}

/** A ping with a source and a mark of the gateway's, so that it goes where such a packet would. */
export interface Echo {
  readonly to: IpAddress;
  readonly from: IpAddress;
  readonly mark: number;
}

const TIMEOUT_MS = 10_000;
const KNOCK_MS = 2_000;

export class Eyes {
  readonly #seen = new Map<string, Promise<unknown>>();

  constructor(private readonly sight: Sight) {}

  tunnel(name: string): Promise<ConnectionLook | undefined> {
    return this.#once(`tunnel ${name}`, () => this.sight.tunnel(name));
  }

  line(name: string): Promise<LineLook | undefined> {
    return this.#once(`line ${name}`, () => this.sight.line(name));
  }

  links(): Promise<ReadonlyMap<string, Link>> {
    return this.#once('links', async () => {
      const links = JSON.parse(await this.#said(['ip', '-j', 'link', 'show'])) as (IpLink & { operstate?: string })[];
      return new Map(
        links.map(({ ifname, flags, operstate }) => [
          ifname,
          { up: flags.includes('UP'), carrier: flags.includes('LOWER_UP') && operstate !== 'LOWERLAYERDOWN' },
        ]),
      );
    });
  }

  differences(): Promise<readonly Step[]> {
    return this.#once('differences', () => inTime(this.sight.differences(), 'a change of the kernel is under way'));
  }

  flows(): Promise<readonly Flow[]> {
    return this.#once('flows', () =>
      inTime(listFlows(this.sight.run), 'the connection table could not be read in time'),
    );
  }

  table(): Promise<{ readonly count: number; readonly max: number }> {
    return this.#once('table', async () => {
      const values = await this.sight.run.switches([CONNECTION_COUNT, CONNECTION_MAX]);
      return { count: Number(values.get(CONNECTION_COUNT)), max: Number(values.get(CONNECTION_MAX)) };
    });
  }

  bandwidth(): Promise<readonly BandwidthRow[]> {
    return this.#once('bandwidth', () => inTime(this.sight.bandwidth(), 'the classes could not be read in time'));
  }

  /** The MAC of who answers for an address on a link; `undefined` for nobody. */
  neighbour(link: string, address: IpAddress, from: IpAddress): Promise<string | undefined> {
    const asks =
      address.family === 4
        ? (['arping', '-f', '-c', '2', '-w', '2', '-I', link, '-s', from.text, address.text] as const)
        : (['ndisc6', '-1', '-n', '-r', '2', '-w', '1000', address.text, link] as const);
    return this.#once(asks.join(' '), async () => macIn(await this.#said(asks)));
  }

  /** The MAC of somebody else who has an address that the gateway has on a link. */
  duplicate(link: string, address: IpAddress): Promise<string | undefined> {
    const asks =
      address.family === 4
        ? (['arping', '-D', '-f', '-c', '2', '-w', '1', '-I', link, address.text] as const)
        : (['ndisc6', '-1', '-n', '-r', '2', '-w', '500', address.text, link] as const);
    return this.#once(asks.join(' '), async () => macIn(await this.#said(asks)));
  }

  /** Whether a ping is answered. */
  echo({ to, from, mark }: Echo): Promise<boolean> {
    const asks = [
      'ping',
      '-n',
      '-q',
      '-c',
      '2',
      '-i',
      '0.3',
      '-W',
      '1',
      '-m',
      `${mark}`,
      '-I',
      from.text,
      to.text,
    ] as const;
    return this.#once(asks.join(' '), async () => / [1-9]\d* received/.test(await this.#said(asks)));
  }

  knock(to: IpAddress, port: number, from: IpAddress): Promise<Knock> {
    return this.#once(`knock ${to.text} ${port} ${from.text}`, () =>
      this.sight.knock(to.text, port, from.text, KNOCK_MS),
    );
  }

  /** A program that asks and gets no answer ends with another code, which is an answer too. */
  async #said(argv: readonly [string, ...string[]]): Promise<string> {
    const { stdout } = await this.sight.run.run({ argv, okExitCodes: [0, 1, 2], timeoutMs: TIMEOUT_MS });
    return stdout;
  }

  #once<T>(what: string, look: () => Promise<T>): Promise<T> {
    const seen = (this.#seen.get(what) as Promise<T> | undefined) ?? look();
    this.#seen.set(what, seen);
    return seen;
  }
}

const macIn = (text: string): string | undefined =>
  /(?:\[|link-layer address: )((?:[0-9A-F]{2}:){5}[0-9A-F]{2})/i.exec(text)?.[1]?.toLowerCase();

async function inTime<T>(work: Promise<T>, otherwise: string): Promise<T> {
  const ending = new AbortController();
  const late = sleep(TIMEOUT_MS, undefined, { signal: ending.signal }).then(() => {
    throw new VpcgwError('ObserveFailed', otherwise);
  });
  late.catch(() => undefined);
  work.catch(() => undefined);
  return Promise.race([work, late]).finally(() => ending.abort());
}
