/**
 * What this member knows of the other, and tells it. Guarantees:
 * 1. Nothing in the packet path waits for it: members that cannot talk fail over all the same.
 * 2. Where documents are edited by API, the later set of the two is taken over whole, by whoever has the earlier one.
 * 3. What is known of the other is at most `SILENT_MS` old, or not known.
 */
import type { Logger } from 'pino';
import { messageOf } from '../errors.js';
import { CLOCK_LIMIT_MS, offsetMs } from '../failover/clocks.js';
import { isLater, type MemberDocuments, type MemberState, parseMessage } from '../failover/member-message.js';
import { givenWay, type Member } from '../model/high-availability.js';
import type { Learnt } from '../routing/learnt.js';
import { onBeat } from '../system/beat.js';
import type { Clock } from '../system/clock.js';
import { MemberLink, SILENT_MS } from '../system/member-link.js';
import { Timers } from '../system/timers.js';

export type OwnState = Omit<MemberState, 'type' | 'sentMs' | 'heard' | 'name'>;

export interface ChannelOptions {
  readonly member: Member;
  readonly clock: Clock;
  readonly log: Logger;
  readonly tell: (type: string, message: string) => void;
  readonly own: () => OwnState;
  readonly documents: {
    /** For the other member; `undefined`: there are none. */
    readonly give: () => Omit<MemberDocuments, 'type'> | undefined;
    /** In place of this member's own. */
    readonly take: (from: string, documents: MemberDocuments) => Promise<void>;
  };
  /** Of tunnels' peers: told by the active member, taken by the other. */
  readonly endpoints: {
    readonly give: () => Readonly<Record<string, string>>;
    readonly take: (all: Readonly<Record<string, string>>) => void;
  };
  /** Of lines: the same. `undefined`: nothing is known yet. */
  readonly learnt: {
    readonly give: () => Learnt | undefined;
    readonly take: (all: Learnt) => void;
  };
  /** Something of the other member is known that was not. */
  readonly onHeard: (state: MemberState | undefined) => void;
}

export interface PeerStatus {
  readonly name: string;
  readonly version: string;
  readonly role: MemberState['role'];
  readonly notEligible: readonly string[];
  readonly faults: readonly string[];
  readonly documents: 'Same' | 'Earlier' | 'Later' | 'None';
  /** Positive where its clock is ahead. */
  readonly clockOffsetMs: number | undefined;
}

const TELL_EVERY_MS = 1_000;
/** What was refused is asked for again. */
const ASK_AGAIN_MS = 5_000;

export class Channel {
  readonly #link: MemberLink | undefined;
  readonly #timers: Timers;
  #endTelling: (() => void) | undefined;
  #heard: { readonly state: MemberState; readonly atMs: number } | undefined;
  #offsetMs: number | undefined;
  #taking = false;
  #notTaken: string | undefined;
  #trouble: string | undefined;

  constructor(private readonly options: ChannelOptions) {
    const { member, log, clock } = options;
    this.#timers = new Timers(clock, (name, error) => log.error({ error: messageOf(error) }, `${name} failed`));
    if (member.secretFile === undefined) {
      this.#trouble = 'the member file names no secretFile, without which members do not talk';
      return;
    }
    this.#link = new MemberLink({
      paths: member.paths,
      secretFile: member.secretFile,
      onUp: () => {
        this.tell();
        this.tellEndpoints();
        this.tellLearnt();
      },
      onDown: () => this.#lost(),
      onMessage: (value) => this.#onMessage(value),
      onTrouble: (message) => {
        if (this.#trouble !== message) log.warn({ trouble: message }, 'the members cannot talk');
        this.#trouble = message;
      },
    });
  }

  start(): void {
    this.#link?.start();
    if (this.#link) this.#endTelling = onBeat(TELL_EVERY_MS, () => this.tell());
  }

  stop(): void {
    this.#timers.cancelAll();
    this.#endTelling?.();
    this.#link?.stop();
  }

  /** Now, beside each beat. */
  tell(): void {
    const { own, clock, member } = this.options;
    if (!this.#link?.isUp) return;
    const nowMs = clock.nowMs();
    const heard = this.#heard && { sentMs: this.#heard.state.sentMs, agoMs: nowMs - this.#heard.atMs };
    const state: MemberState = { type: 'state', name: member.name, ...own(), sentMs: nowMs, heard };
    this.#link.send(state);
  }

  /** At once: they are needed when this member is gone. */
  tellEndpoints(): void {
    const { endpoints, own } = this.options;
    if (this.#link?.isUp && own().role === 'Active') this.#link.send({ type: 'endpoints', all: endpoints.give() });
  }

  tellLearnt(): void {
    const { learnt, own } = this.options;
    const all = learnt.give();
    if (all && this.#link?.isUp && own().role === 'Active') this.#link.send({ type: 'learnt', all });
  }

  /** What the other member said last, unless that is too long ago. */
  get peer(): MemberState | undefined {
    return this.#link?.isUp && this.#heard && this.options.clock.nowMs() - this.#heard.atMs < SILENT_MS
      ? this.#heard.state
      : undefined;
  }

  /** With its answers as of now, as far as it told. */
  get health(): MemberState | undefined {
    const { peer } = this;
    const sinceMs = this.options.clock.nowMs() - (this.#heard?.atMs ?? 0);
    const aged = Object.entries(peer?.answeredMsAgo ?? {}).map(([link, ms]) => [link, ms + sinceMs] as const);
    return peer && { ...peer, answeredMsAgo: Object.fromEntries(aged) };
  }

  get status(): PeerStatus | undefined {
    const { peer } = this;
    if (!peer) return undefined;
    const { name, version, role, notEligible, faults } = peer;
    return { name, version, role, notEligible, faults, documents: this.#compare(peer), clockOffsetMs: this.#offsetMs };
  }

  /** Sentences for conditions; `undefined` where all is well. */
  get unheard(): string | undefined {
    if (this.peer) return undefined;
    return this.#trouble ?? `the other member (${givenWay(this.options.member.paths[0]).peer.text}) is not heard`;
  }

  get clocksDiffer(): string | undefined {
    const ms = this.peer ? (this.#offsetMs ?? 0) : 0;
    if (Math.abs(ms) < CLOCK_LIMIT_MS) return undefined;
    return `the other member's clock is ${Math.abs(ms) / 1000} s ${ms > 0 ? 'ahead' : 'behind'}; synchronise both (NTP)`;
  }

  get documentsDiffer(): string | undefined {
    const { peer } = this;
    const compared = peer && this.#compare(peer);
    if (!peer || compared === 'Same') return undefined;
    if (this.#notTaken !== undefined) return `the other member's documents could not be taken over: ${this.#notTaken}`;
    return `the other member has ${compared === 'None' ? 'no documents yet' : `${compared?.toLowerCase()} documents`}`;
  }

  /** Whether this member's own documents are the earlier ones. */
  get isBehind(): boolean {
    const { peer } = this;
    return peer !== undefined && this.#compare(peer) === 'Later';
  }

  #compare({ documents: theirs }: MemberState): PeerStatus['documents'] {
    const ours = this.options.own().documents;
    if (!theirs) return ours ? 'None' : 'Same';
    if (ours && theirs.digest === ours.digest) return 'Same';
    return isLater(theirs, ours) ? 'Later' : 'Earlier';
  }

  #onMessage(value: unknown): void {
    const message = parseMessage(value);
    if (!message) return;
    if (message.type === 'state') return this.#onState(message);
    if (message.type === 'documents') return void this.#take(message);
    const { own, endpoints, learnt } = this.options;
    if (message.type === 'endpoints') return own().role === 'Active' ? undefined : endpoints.take(message.all);
    if (message.type === 'learnt') return own().role === 'Active' ? undefined : learnt.take(message.all);
    const documents = this.options.documents.give();
    if (documents) this.#link?.send({ type: 'documents', ...documents });
  }

  #onState(state: MemberState): void {
    const { clock, member, tell } = this.options;
    const nowMs = clock.nowMs();
    if (state.name === member.name) {
      this.#trouble = `the other member calls itself ${state.name} too; its member file needs another name`;
      this.#heard = undefined;
      return;
    }
    const first = this.peer === undefined;
    const differed = this.clocksDiffer;
    this.#trouble = undefined;
    this.#heard = { state, atMs: nowMs };
    this.#offsetMs = offsetMs(state, nowMs) ?? this.#offsetMs;
    if (first) tell('PeerHeard', `member ${state.name}, version ${state.version}`);
    if (this.clocksDiffer !== undefined && differed === undefined) tell('ClocksDisagree', this.clocksDiffer);
    this.#askFor(state);
    this.options.onHeard(state);
  }

  #lost(): void {
    this.#heard = undefined;
    this.#offsetMs = undefined;
    this.options.tell('PeerLost', this.unheard ?? '');
    this.options.onHeard(undefined);
  }

  #askFor({ documents: theirs }: MemberState): void {
    const ours = this.options.own().documents;
    if (theirs?.source !== 'Api' || this.#taking || !isLater(theirs, ours)) return;
    this.#taking = true;
    this.#timers.set('ask again', ASK_AGAIN_MS, () => Promise.resolve((this.#taking = false)));
    this.#link?.send({ type: 'want-documents' });
  }

  async #take(documents: MemberDocuments): Promise<void> {
    const { log, documents: own } = this.options;
    try {
      await own.take(this.#heard?.state.name ?? 'peer', documents);
      this.#notTaken = undefined;
      this.#timers.cancel('ask again');
      this.#taking = false;
    } catch (error) {
      this.#notTaken = messageOf(error);
      log.error({ error: messageOf(error) }, "the other member's documents could not be taken over");
    }
    this.tell();
  }
}
