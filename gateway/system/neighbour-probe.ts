/**
 * Whether anybody answers behind each link, also behind one that must not speak for the gateway: asked by the lookout. A
 * link that comes, or is made anew, is asked from then on; of one that is not there nothing is known.
 */
import type { ProbedLink } from '../failover/probed-links.js';
import type { CommandRunner } from '../kernel/command.js';
import { bitsOf, type IpAddress } from '../model/ip.js';
import type { Lookout, LookoutListener } from './lookout.js';

/** Of one link, ms ago; `undefined`: never. */
export interface Answers {
  /** Three questions in a row were not answered, the last of which had its time too. */
  readonly gone: boolean;
  readonly answeredMsAgo: number | undefined;
  readonly watchedMsAgo: number | undefined;
}

export const QUESTION_EVERY_MS = 100;
/** Of the pair's own address: who answered by then does not any more. */
export const WATCHED_FOR_MS = 3 * QUESTION_EVERY_MS;
const AGAIN_AFTER_MS = 1_000;

export class NeighbourProbe {
  #links: readonly ProbedLink[] = [];
  #key = '';
  /** As the lookout was told last. */
  #asked = '';
  #answers: ReadonlyMap<string, Answers> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #queue: Promise<void> = Promise.resolve();
  #queued = false;
  readonly #listener: LookoutListener = {
    onEvent: (event) => {
      if (event.kind === 'link' && this.#links.some(({ link }) => link === event.link)) this.#place();
    },
    onMissed: () => this.#place(),
    onEnd: () => this.#forget(),
    onNeighbours: (line) => this.#hear(line),
  };

  constructor(
    private readonly run: CommandRunner,
    private readonly lookout: Pick<Lookout, 'listeners' | 'tell'>,
    private readonly onAnswers: (answers: ReadonlyMap<string, Answers>) => void,
  ) {}

  /** None: nobody is asked. */
  set(links: readonly ProbedLink[]): void {
    const key = links
      .map(({ link, watched, neighbours }) => [link, watched?.text, ...neighbours.map(({ text }) => text)].join())
      .join(' ');
    if (key === this.#key) return;
    this.#key = key;
    this.#links = links;
    if (links.length > 0) this.lookout.listeners.add(this.#listener);
    else this.lookout.listeners.delete(this.#listener);
    this.#place();
  }

  stop(): void {
    this.set([]);
    clearTimeout(this.#timer);
  }

  /** What is known is told as soon as can be. */
  ask(): void {
    if (this.#links.length > 0) this.lookout.tell('ask');
  }

  #hear(line: string): void {
    const [first, ...words] = line.split(' ');
    if (first === 'answers') this.#answers = answersIn(words);
    else if (first === 'lost') {
      this.#answers = new Map([...this.#answers].filter(([link]) => link !== words[0]));
      // One that went tells of itself when it comes back; what else failed may go on to.
      this.#asked = '';
      this.#placeLater();
    } else return;
    this.onAnswers(this.#answers);
  }

  #forget(): void {
    this.#asked = '';
    this.#answers = new Map();
    this.onAnswers(this.#answers);
  }

  /** A link that comes and goes is looked up once at a time. */
  #place(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#queue = this.#queue.then(() => this.#placeNow()).catch(() => this.#placeLater());
  }

  #placeLater(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#place(), AGAIN_AFTER_MS).unref();
  }

  /** One that was made anew has another number. */
  async #placeNow(): Promise<void> {
    this.#queued = false;
    const links = this.#links;
    const interfaces = links.length > 0 ? await this.#interfaces() : new Map<string, Interface>();
    if (links !== this.#links) return;
    const found = links.flatMap((link) => argumentOf(link, interfaces.get(link.link)) ?? []);
    const wanted = ['links', QUESTION_EVERY_MS, ...found].join(' ');
    if (wanted === this.#asked) return;
    this.#asked = this.lookout.tell(wanted) ? wanted : '';
  }

  async #interfaces(): Promise<Map<string, Interface>> {
    const { stdout } = await this.run.run({ argv: ['ip', '-j', 'link', 'show'] });
    return new Map((JSON.parse(stdout) as Interface[]).map((each) => [each.ifname, each]));
  }
}

interface Interface {
  readonly ifname: string;
  readonly ifindex: number;
  readonly address: string;
}

/** One that is not there now is left out until it comes. */
function argumentOf({ link, watched, neighbours }: ProbedLink, found: Interface | undefined): string | undefined {
  const addresses = neighbours.map(hexadecimal).join(',');
  return found && [link, found.ifindex, found.address, watched ? hexadecimal(watched) : '', addresses].join('/');
}

const hexadecimal = ({ family, value }: IpAddress): string => value.toString(16).padStart(bitsOf(family) / 4, '0');

function answersIn(words: readonly string[]): Map<string, Answers> {
  const ago = (text = ''): number | undefined => (Number(text) < 0 ? undefined : Number(text));
  return new Map(
    words.map((word) => {
      const [link = '', gone, answered, watched] = word.split('/');
      return [link, { gone: gone === '1', answeredMsAgo: ago(answered), watchedMsAgo: ago(watched) }];
    }),
  );
}
