/**
 * This member of a pair: keeps its daemons and their files as the model in force wants them, knows its role and tells of
 * it. Guarantees:
 * 1. It is no part of a failover: what happens then is the kernel's and keepalived's, with us alive or not.
 * 2. keepalived begins only when the kernel was verified. Our own start and end never touch a role.
 * 3. Unknown means standby: without a member file nothing is elected, and the fence stays closed.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { messageOf, VpcgwError } from '../errors.js';
import type { PairFiles } from '../failover/keepalived.js';
import type { Role, RoleReport } from '../failover/role.js';
import { announcement, closing } from '../failover/switch-list.js';
import type { SyncState } from '../failover/sync-state.js';
import type { CommandRunner } from '../kernel/command.js';
import type { Allocations } from '../kernel/state.js';
import type { GatewayModel } from '../model/gateway-model.js';
import type { DocumentsVersion, MemberState } from '../failover/member-message.js';
import {
  givenWay,
  type HighAvailability,
  isPair,
  leaseMs,
  type Member,
  unheardAdverts,
} from '../model/high-availability.js';
import { FENCE_TABLE, LEASE_SET } from '../model/ownership.js';
import type { Clock } from '../system/clock.js';
import { replaceFile } from '../system/daemon.js';
import type { Lookout } from '../system/lookout.js';
import { Timers } from '../system/timers.js';
import { voteStore } from '../system/vote-store.js';
import { agree } from './allocate.js';
import { Channel, type ChannelOptions, type OwnState } from './channel.js';
import { ConnectionSync } from './connection-sync.js';
import { Election } from './election.js';
import { Gatekeeper } from './gatekeeper.js';
import { MemberNeighbours } from './member-neighbours.js';
import type { PairStatus } from './pair-status.js';
import { StandingDown } from './standing-down.js';
import { Voter } from './voter.js';

export interface PairOptions {
  /** Gone with the machine: the daemons' files. */
  readonly runDirectory: string;
  /** Kept: whether this member is in maintenance. */
  readonly stateDirectory: string;
  readonly member: Member | undefined;
  readonly version: string;
  readonly documents: ChannelOptions['documents'] & { readonly version: () => DocumentsVersion | undefined };
  readonly endpoints: ChannelOptions['endpoints'];
  readonly learnt: ChannelOptions['learnt'];
  /** Of external networks, by name: those of the active member are both's. */
  readonly numbers: {
    readonly give: () => Allocations['externals'] | undefined;
    readonly take: (externals: Allocations['externals'], isWanted: () => boolean) => Promise<void>;
    readonly onShared: (areShared: boolean) => void;
  };
  /** One of the gateway's own, that stands in the kernel. */
  readonly hasLink: (link: string) => boolean;
  /** The kernel holds what it should. */
  readonly verified: () => boolean;
  readonly run: CommandRunner;
  readonly lookout: Lookout;
  readonly clock: Clock;
  readonly log: Logger;
  readonly tell: (type: string, message: string) => void;
  /** The members have just told each other all connections. */
  readonly onTold: () => void;
  /** Some time after tunnels were told their peers: a call may have been lost, or its answer gone to the other member. */
  readonly onCallsLost: () => void;
  /** The other member was active beside this one: sites may have spoken with it. */
  readonly onAlone: () => void;
  /** It may be that nothing comes from the other member by a link of WireGuard. */
  readonly onUnheard: () => void;
  /** keepalived may start programs, for which it sheds groups first: a container lets it not. */
  readonly electionStartsPrograms: boolean;
}

/** A frame may be lost, and a network's controller busy: what was announced at a takeover is announced twice more. */
const ANNOUNCE_AGAIN_MS = [200, 1_000];
/** The first is longer than an answer takes from anywhere on earth. */
const CALL_AGAIN_MS = [600, 1_500, 3_000];
const CALL_OTHER_MS = { lower: 1_000, higher: 1_300 } as const;
const SET_UP_AGAIN_MS = 5_000;
const SWITCHOVER = 'switchover';
const RIVAL = 'the other member is active';
const ANSWER_EVERY_MS = 1_000;
const TAKE = 'numbers';
const TAKE_AGAIN_MS = 5_000;

export class Pair {
  readonly #timers: Timers;
  readonly #election: Election;
  readonly #connections: ConnectionSync;
  readonly #neighbours: MemberNeighbours;
  readonly #standingDown: StandingDown;
  readonly #channel: Channel | undefined;
  readonly #gate: Gatekeeper;
  #voter: Voter | undefined;
  #voterKey = '';
  #model: GatewayModel | undefined;
  /** The latest that was to be followed. */
  #wanted: GatewayModel | undefined;
  #queue: Promise<void> = Promise.resolve();
  #trouble: string | undefined;

  constructor(private readonly options: PairOptions) {
    const { log, clock, run, runDirectory: directory } = options;
    this.#timers = new Timers(clock, (name, error) => log.error({ error: messageOf(error) }, `${name} failed`));
    this.#neighbours = new MemberNeighbours(run, this.#timers, log);
    this.#standingDown = new StandingDown(this.#files.standingDown, options.stateDirectory);
    this.#election = new Election({
      ...{ directory, run, clock, log },
      startsPrograms: options.electionStartsPrograms,
      standingDown: () => this.#standingDown.reasons,
      onRole: (from, report) => this.#onRole(from, report),
      onRival: () => this.#onRival(),
    });
    const role = (): Role => this.#election.report.role;
    this.#connections = new ConnectionSync({
      ...{ directory, run, log, role },
      timers: this.#timers,
      onTold: options.onTold,
    });
    const { member, tell, documents, endpoints, learnt } = options;
    if (member)
      this.#channel = new Channel({
        ...{ member, clock, log, tell, documents, endpoints, learnt },
        own: () => this.#ownState,
        onHeard: (state) => {
          if (state) this.#compareNumbers(state);
          if (state?.asks) this.#gate.answer();
          this.#gate.judge();
        },
      });
    this.#gate = new Gatekeeper({
      ...{ run, tell, role },
      lookout: options.lookout,
      timers: this.#timers,
      verified: options.verified,
      isBehind: () => this.#channel?.isBehind ?? false,
      peer: () => this.#channel?.health,
      standDown: (reasons) => {
        try {
          const changed = this.#standingDown.setFound(reasons);
          if (changed) this.#channel?.tell();
          return changed;
        } catch (error) {
          log.error({ error: messageOf(error) }, 'who may be active could not be written down');
          return false;
        }
      },
      tellPeer: () => this.#channel?.tell(),
      onAlone: () => {
        this.#connections.exchange();
        options.onAlone();
      },
    });
  }

  /** Before there is a model: documents may come from the other member. */
  start(): void {
    this.#channel?.start();
    this.#callOther();
  }

  /**
   * Two that call each other in the same moment take each other's call for an answer to none; so each has its own rhythm.
   * While the supervisors talk a path carries what is said; of a second one that tells nothing.
   */
  #callOther(): void {
    const [path, second] = this.options.member?.paths ?? [];
    if (!path?.under) return;
    const afterMs = path.address.value < path.peer.value ? CALL_OTHER_MS.lower : CALL_OTHER_MS.higher;
    this.#timers.set('call the other member', afterMs, async () => {
      if (second || !this.#channel?.peer) this.options.onUnheard();
      this.#callOther();
    });
  }

  /** Peers of tunnels are elsewhere than the other member knows. */
  tellEndpoints(): void {
    this.#channel?.tellEndpoints();
  }

  /** Lines lead elsewhere than the other member knows. */
  tellLearnt(): void {
    this.#channel?.tellLearnt();
  }

  /** Documents, or whether the kernel holds them: the other member should know at once. */
  changed(): void {
    this.#channel?.tell();
    this.#gate.judge();
  }

  #compareNumbers({ role, externals: theirs }: MemberState): void {
    const { numbers, log } = this.options;
    const ours = numbers.give();
    const areShared = theirs !== undefined && ours !== undefined && agree(theirs, ours);
    numbers.onShared(areShared);
    if (areShared || !theirs || !ours || role !== 'Active' || this.isActive || this.#timers.has(TAKE)) return;
    // One at a time; what failed is tried again later.
    this.#timers.set(TAKE, TAKE_AGAIN_MS, () => Promise.resolve());
    numbers
      .take(theirs, () => !this.isActive)
      .then(() => this.#channel?.tell())
      .catch((error: unknown) =>
        log.error({ error: messageOf(error) }, "the active member's numbers of external networks could not be taken"),
      );
  }

  get #ownState(): OwnState {
    const { role, since } = this.#election.report;
    const notEligible = [...this.#standingDown.reasons];
    const { version, documents } = this.options;
    const { faults, answeredMsAgo } = this.#gate;
    return {
      ...{ version, role, since, notEligible, faults, answeredMsAgo },
      asks: faults.length > 0,
      documents: documents.version(),
      externals: this.options.numbers.give(),
    };
  }

  // ---- what is wanted ---------------------------------------------------------------------------------------------

  /** The other member takes the same documents: without a pair both would speak for every address. */
  refuseLone(model: GatewayModel): void {
    const { member } = this.options;
    if (!member || isPair(model)) return;
    throw new VpcgwError(
      'ConfigInvalid',
      `VpcGateway/${model.name}: highAvailability.mode is None, but this is member ${member.name} of a pair; set AcrossNodes or SameNode, or start both without --member`,
    );
  }

  /** The model that the kernel was verified to hold. */
  follow(model: GatewayModel): Promise<void> {
    this.#wanted = model;
    this.#queue = this.#queue.then(() => this.#follow(model));
    return this.#queue;
  }

  async #follow(model: GatewayModel): Promise<void> {
    const { member } = this.options;
    try {
      if (!isPair(model)) await this.#end();
      else if (member) await this.#begin(model, member);
      this.#trouble = isPair(model) && !member ? NO_MEMBER : undefined;
      this.#timers.cancel('pair');
    } catch (error) {
      const before = this.#trouble;
      this.#trouble = messageOf(error);
      if (this.#trouble !== before) this.options.log.error({ error: this.#trouble }, 'the pair could not be set up');
      if (!(error instanceof VpcgwError && error.code === 'ConfigInvalid'))
        this.#timers.set('pair', SET_UP_AGAIN_MS, () => this.follow(this.#wanted ?? model));
    }
  }

  async #begin(model: GatewayModel, member: Member): Promise<void> {
    if (model.highAvailability.vote && member.paths.some(({ address }) => address.family === 6))
      throw new VpcgwError('ConfigInvalid', STRICT_BY_IPV6);
    const files = this.#files;
    mkdirSync(this.options.runDirectory, { recursive: true, mode: 0o700 });
    replaceFile(files.announcement, announcement(model, member, this.options.hasLink));
    replaceFile(files.closing, closing());
    this.#standingDown.write();
    this.#model = model;
    this.#ensureVoter(model.highAvailability, member);
    await this.#neighbours.keep(member);
    await this.#connections.ensure(model, member);
    await this.#election.ensure(model, member, files);
    this.#gate.follow(model);
  }

  /** Of a `Strict` pair. */
  #ensureVoter(highAvailability: HighAvailability, member: Member): void {
    const { vote } = highAvailability;
    const key = JSON.stringify(highAvailability);
    if (key === this.#voterKey) return;
    this.#stopVoter();
    if (!vote) return;
    const { log, tell } = this.options;
    const strict = { ...highAvailability, vote };
    this.#voterKey = key;
    this.#voter = new Voter({
      ...{ paths: member.paths, highAvailability: strict, timers: this.#timers, log, tell },
      store: voteStore(strict, member.vote ?? {}),
      self: `${member.name} ${givenWay(member.paths[0]).address.text}`,
      role: () => this.#election.report.role,
      onGranted: () => this.#announceLater([highAvailability.advertIntervalMs + 10, ...ANNOUNCE_AGAIN_MS]),
    });
    this.#voter.start();
  }

  #stopVoter(): void {
    this.#voter?.stop();
    this.#voter = undefined;
    this.#voterKey = '';
  }

  async #end(): Promise<void> {
    this.#model = undefined;
    this.#stopVoter();
    this.#gate.stop();
    await this.#election.stop();
    await this.#connections.stop();
    await this.#neighbours.end();
  }

  /** The daemons go on. */
  leave(): void {
    this.#stopVoter();
    this.#timers.cancelAll();
    this.#gate.stop();
    this.#channel?.stop();
    this.#election.leave();
    this.#connections.leave();
  }

  // ---- role -------------------------------------------------------------------------------------------------------

  #onRole(from: Role, { role, reason }: RoleReport): void {
    this.options.tell('Role', `${from} → ${role}: ${reason}`);
    this.#voter?.onRole();
    this.#connections.exchange();
    this.#gate.onRole(role);
    this.#channel?.tell();
    if (!this.options.electionStartsPrograms) void this.#actForElection(role);
    if (role !== 'Active') return;
    this.#announceLater(ANNOUNCE_AGAIN_MS);
  }

  /** With the role, the peers of tunnels have come here, and were called. */
  called(): void {
    for (const ms of CALL_AGAIN_MS)
      this.#timers.set(`call again after ${ms} ms`, ms, () => Promise.resolve(this.options.onCallsLost()));
  }

  #announceLater(delaysMs: readonly number[]): void {
    for (const ms of delaysMs) this.#timers.set(`announcement after ${ms} ms`, ms, () => this.#announceAgain());
  }

  /** In a container the election ends with us, so we are there whenever it changes a role. */
  async #actForElection(role: Role): Promise<void> {
    const { run, log } = this.options;
    try {
      if (role === 'Active') await this.#announceAgain();
      else await run.run({ argv: ['nft', '-f', this.#files.closing] });
    } catch (error) {
      log.error({ error: messageOf(error) }, `what a member does that is ${role} could not be done`);
    }
  }

  async #announceAgain(): Promise<void> {
    if (this.#election.report.role !== 'Active') return;
    await this.options.run.run({ argv: ['ip', '-batch', this.#files.announcement], okExitCodes: [0, 1, 2] });
  }

  /** keepalived says so at each advert that it hears, as many as 50 a second for as long as its own do not arrive. */
  #onRival(): void {
    if (this.#timers.has(RIVAL)) return;
    this.#timers.set(RIVAL, ANSWER_EVERY_MS, () => Promise.resolve());
    void this.#answerRival().catch((error: unknown) =>
      this.options.log.error({ error: messageOf(error) }, 'the other active member could not be answered'),
    );
  }

  /**
   * The fence says who of two is active: one whose lease ended while it was frozen, or the other. Who stays announces
   * itself, since the network may have learnt the other meanwhile.
   */
  async #answerRival(): Promise<void> {
    if (this.#standingDown.has(RIVAL)) return;
    if (await this.holdsLease()) {
      this.#announceLater(ANNOUNCE_AGAIN_MS);
      return this.#announceAgain();
    }
    this.#standingDown.set(RIVAL, true);
    await this.#election.until((role) => role !== 'Active', SWITCHOVER_WITHIN_MS);
    this.#standingDown.set(RIVAL, false);
  }

  /** Gives the role to the other member. */
  async switchover(): Promise<PairStatus> {
    const { status } = this.#requirePair();
    if (status.role !== 'Active')
      throw new VpcgwError(
        'NotActive',
        `this member (${status.member}) is ${status.role}; only the active one can give way`,
      );
    const other = this.#channel?.health;
    if (other && (other.role !== 'Standby' || other.notEligible.length > 0))
      throw new VpcgwError(
        'NotActive',
        `no other member would take over: ${other.name} is ${other.role}${other.notEligible.length > 0 ? ` and stands down for ${other.notEligible.join(', ')}` : ''}`,
      );
    this.#standingDown.set(SWITCHOVER, true);
    const gave = await this.#election.until((role) => role !== 'Active', SWITCHOVER_WITHIN_MS);
    this.#standingDown.set(SWITCHOVER, false);
    if (!gave) throw new VpcgwError('NotActive', 'keepalived did not give way; see its log');
    // Standby as soon as it hears the other; active again when there is none.
    await this.#election.until((role) => role !== 'Fault', SWITCHOVER_WITHIN_MS);
    if (await this.#election.until((role) => role === 'Active', this.#nobodyAfterMs))
      throw new VpcgwError('NotActive', 'no other member took over; this one is active again');
    return this.#requirePair().status;
  }

  /** Out of the election, or back in it, until told otherwise; a restart does not change it. */
  async setMaintenance(on: boolean): Promise<PairStatus> {
    this.#requirePair();
    this.#standingDown.setMaintenance(on);
    await this.#election.until((role) => (on ? role === 'Fault' : role !== 'Fault'), SWITCHOVER_WITHIN_MS);
    return this.#requirePair().status;
  }

  get #nobodyAfterMs(): number {
    const highAvailability = this.#model?.highAvailability;
    if (!highAvailability) return 0;
    return (unheardAdverts(highAvailability) + SEEN_AFTER_ADVERTS) * highAvailability.advertIntervalMs;
  }

  // ---- telling ----------------------------------------------------------------------------------------------------

  /** `undefined` where no pair is asked for. */
  get status(): PairStatus | undefined {
    const { member } = this.options;
    if (!this.#model || !member) return undefined;
    const notEligible = this.#standingDown.reasons;
    return {
      member: member.name,
      peer: givenWay(member.paths[0]).peer.text,
      ...this.#election.report,
      leaseMs: leaseMs(this.#model.highAvailability),
      eligible: notEligible.length === 0,
      notEligible,
      faults: this.#gate.faults,
      roleChanges: this.roleChanges,
      lastGapMs: this.#gate.gapMs,
      vote: this.#voter?.status,
      other: this.#channel?.status,
    };
  }

  /** What a member is wanted for: it takes part in the election, and has begun to learn the other's connections. */
  get isReady(): boolean {
    if (!this.options.member || !this.#wanted || !isPair(this.#wanted)) return true;
    return this.#election.report.role !== 'Unknown' && this.#connections.hasExchanged;
  }

  /** By what is known of the election, also before there is a model. */
  get isActive(): boolean {
    return this.#election.report.role === 'Active';
  }

  get roleChanges(): number {
    return this.#election.changes;
  }

  /** Why this member is none, for a condition. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Of a pair alone, by name, each with what is wrong. */
  get conditions(): readonly (readonly [type: string, trouble: string | undefined])[] {
    if (!this.#model || !this.#channel) return [];
    return [
      ['PeerHeard', this.#channel.unheard],
      ['DocumentsAgree', this.#channel.documentsDiffer],
      ['ClocksAgree', this.#channel.clocksDiffer],
      ['OneActive', this.#gate.rival],
      ['RoleStable', this.#gate.unstable],
      ...(this.#voter ? [['VoteReachable', this.#voter.trouble] as const] : []),
    ];
  }

  /** Whether the kernel lets this member speak, now. */
  async holdsLease(): Promise<boolean> {
    const { stdout } = await this.options.run.run({
      argv: ['nft', 'list', 'set', 'netdev', FENCE_TABLE, LEASE_SET],
      okExitCodes: [0, 1],
    });
    return stdout.includes('expires');
  }

  syncState(): Promise<SyncState | undefined> {
    return this.#connections.state();
  }

  #requirePair(): { status: PairStatus } {
    const { status } = this;
    if (!status) throw new VpcgwError('NotActive', this.#trouble ?? 'this gateway is not a pair');
    return { status };
  }

  get #files(): PairFiles {
    const file = (name: string): string => join(this.options.runDirectory, name);
    return {
      announcement: file('announcement'),
      closing: file('closing.nft'),
      notices: file('notices'),
      standingDown: file('standing-down'),
    };
  }
}

const SWITCHOVER_WITHIN_MS = 3_000;
/** More than those unheard. */
const SEEN_AFTER_ADVERTS = 3;
const NO_MEMBER =
  'highAvailability asks for a pair, and no member file says which of the two this is (vpcgw run --member FILE): it stays a standby';
const STRICT_BY_IPV6 =
  'fencing: Strict needs members that meet by IPv4, and the member file has an IPv6 address: it stays a standby';
