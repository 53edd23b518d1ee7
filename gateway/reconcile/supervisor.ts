/**
 * The running gateway: takes documents in, puts them into force, keeps them true, and tells. Guarantees:
 * 1. One thing at a time: every change of documents and every repair goes through one queue.
 * 2. Documents are taken whole or not at all; what is refused leaves what was.
 * 3. A revision is on disk before its first effect; one that waits for a confirmation is undone after its deadline,
 *    also when the supervisor was killed meanwhile.
 * 4. Ready means: the kernel was read and holds the latest revision.
 */
import type { Logger } from 'pino';
import { type Source, type SourceFile } from '../documents/document.js';
import { ParseCache, splitDocuments } from '../documents/parse.js';
import { messageOf, VpcgwError } from '../errors.js';
import type { Allocations } from '../kernel/state.js';
import type { Call } from '../kernel/wireguard/call-again.js';
import { NO_PRESSURE, type Pressure } from '../model/pressure.js';
import type { Clock } from '../system/clock.js';
import type { Journal, Revision } from '../system/journal.js';
import { Timers } from '../system/timers.js';
import { agree, allocateAll, asTheOther } from './allocate.js';
import type { AuditAction, Auditor } from './audit.js';
import { type Candidate, candidateAfter, candidateOf } from './candidate.js';
import type { Suspicion } from './drift-watch.js';
import { difference, digestOf, type DocumentChange } from './document-change.js';
import { type CutFlow, drainsAfter } from './flow-keeper.js';
import { Keeper } from './keeper.js';
import type { LineWatch } from './line-watch.js';
import type { Pair } from './pair.js';
import type { Step } from './plan.js';
import type { Programmer } from './programmer.js';
import { type GatewayStatus, gatewayStatus, newStanding, type Standing } from './status.js';
import type { Author, Edit, Planned, Present, Submission, Submitted, Terms } from './submission.js';
import type { VpnWatch } from './vpn-watch.js';
import { WayBack } from './way-back.js';

export interface SupervisorOptions {
  readonly source: 'Folder' | 'Api';
  /** Where documents are edited, for the message to whom tries elsewhere. */
  readonly editAt: string;
  readonly version: string;
  readonly programmer: Programmer;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly auditor: Auditor;
  /** The other half, where there may be one. */
  readonly pair?: Pick<Pair, 'status' | 'trouble' | 'conditions' | 'refuseLone'>;
  /** How tunnels stand. */
  readonly vpn?: Pick<VpnWatch, 'looks'>;
  /** How dedicated lines stand. */
  readonly lines?: Pick<LineWatch, 'looks'>;
  /** Called when the answer to a change has gone out. */
  readonly afterChange: () => void;
  /** Asked when nothing could be put into force: what this machine lacks, or `undefined` for nothing. */
  readonly diagnose: () => Promise<string | undefined>;
  readonly log: Logger;
}

interface ChangeTerms extends Terms {
  readonly author: Author;
  readonly action: AuditAction;
  readonly confirmWithinMs?: number | undefined;
  /** The number that the other member of a pair gave it. */
  readonly revision?: number;
}

const BY_FOLDER: ChangeTerms = { author: { name: 'folder', via: 'Folder' }, action: 'Folder' };
const RETRY_MIN_MS = 1_000;
const BLAMES_DOCUMENTS: ReadonlySet<string> = new Set(['ConfigInvalid', 'KernelRejected']);
/** One that fails may be a machine that is busy. */
const FAILED_LOOKS = 2;
const RETRY_MAX_MS = 30_000;
/** Texts of documents that are kept although no document has them any more. */
const REMEMBERED_EDITS = 1_000;
/** Changes mostly come in a row: what can wait does so until there is a pause. */
const AFTER_CHANGE_MS = 1_500;

export class Supervisor {
  readonly #cache = new ParseCache();
  #queue: Promise<unknown> = Promise.resolve();
  #current: Candidate | undefined;
  /** The documents of the last revision on disk, until some are in force: a restart is no edit. */
  #kept: ReadonlyMap<string, { readonly source: Source }> = new Map();
  #generations = new Map<string, number>();
  readonly #standing: Standing = newStanding();
  /** The first documents are in force, perhaps by another attempt. */
  onReady: () => void = () => undefined;
  #diagnosed = false;
  /** What the journal holds last is not what is in force: the next revision leads there from what is on disk. */
  #strays = false;
  /** In a row. */
  #failedLooks = 0;
  #retryMs = RETRY_MIN_MS;
  readonly #timers: Timers;
  readonly #keeper: Keeper;
  readonly #wayBack: WayBack;
  readonly listeners = new Set<(event: { type: string; message: string }) => void>();

  constructor(private readonly options: SupervisorOptions) {
    const { clock, log } = options;
    this.#timers = new Timers(clock, (name, error) => log.error({ error: messageOf(error) }, `${name} failed`));
    this.#keeper = new Keeper({
      ...options,
      timers: this.#timers,
      standing: this.#standing,
      isPaused: () => this.#current?.model.paused ?? false,
      enqueue: (work) => this.#enqueue(work),
      tell: (type, message) => this.#tell(type, message),
    });
    this.#wayBack = new WayBack({
      ...options,
      timers: this.#timers,
      enqueue: (work) => this.#enqueue(work),
      tell: (type, message) => this.#tell(type, message),
      putBack: (author, sources) => this.#change({ author, action: 'Rollback' }, () => this.#whole(sources())),
    });
  }

  // ---- life -------------------------------------------------------------------------------------------------------

  /** Puts the last good revision into force. */
  async start(): Promise<void> {
    this.#loadJournal();
    await this.#enqueue(() => this.#startFromJournal());
  }

  /** The folder first, since it is the truth; the last good revision only where the folder is refused. */
  async startWith(read: () => SourceFile[]): Promise<void> {
    this.#loadJournal();
    await this.loadFolder(read);
    if (!this.options.programmer.inForce) {
      await this.#enqueue(() => this.#startFromJournal());
      // What went back to an earlier revision still wants the folder's.
      if (this.#standing.folder?.taken === false) this.#retryFolder(read);
    }
    this.#keeper.armDrains();
  }

  #loadJournal(): void {
    const { journal, log } = this.options;
    journal.load();
    if (journal.damage !== undefined) log.error({ damage: journal.damage }, 'the journal was damaged');
    for (const revision of journal.revisions) this.#countGenerations(revision);
    this.#kept = this.#onDisk;
  }

  get #onDisk(): ReadonlyMap<string, { readonly source: Source }> {
    return new Map([...(this.options.journal.documentsAt() ?? [])].map(([id, source]) => [id, { source }]));
  }

  async #startFromJournal(): Promise<void> {
    const { journal, log } = this.options;
    for (const { revision } of [...journal.revisions].reverse().slice(0, 5)) {
      const sources = journal.documentsAt(revision);
      if (!sources || sources.size === 0) continue;
      try {
        this.#current = this.#whole([...sources.values()]);
        await this.#putIntoForce(this.#current);
        this.#strays = revision !== journal.latest?.revision;
        break;
      } catch (error) {
        log.error({ revision, error: messageOf(error) }, 'a kept revision could not be put into force');
        this.#failed(error);
        // Only what the documents are to blame for leads to earlier ones; all else is tried again.
        if (!(error instanceof VpcgwError) || !BLAMES_DOCUMENTS.has(error.code)) break;
      }
    }
    this.#wayBack.armKept();
    this.#keeper.armDrains();
  }

  stop(): void {
    this.#timers.cancelAll();
  }

  /** Until everything that was begun has ended. */
  idle(): Promise<unknown> {
    return this.#queue;
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  #tell(type: string, message: string): void {
    this.options.log.info({ event: type }, message);
    for (const listener of this.listeners) listener({ type, message });
  }

  // ---- documents in -----------------------------------------------------------------------------------------------

  /** The folder as it stands now. A refusal is kept for status, and not thrown: the former documents stay in force. */
  loadFolder(read: () => SourceFile[]): Promise<void> {
    return this.#enqueue(async () => {
      let digest: string | undefined;
      try {
        const files = read();
        digest = digestOf(files);
        await this.#change(BY_FOLDER, () => this.#whole(files.flatMap(splitDocuments)));
        this.#standing.refused = [];
        this.#standing.refusal = undefined;
        this.#standing.folder = { digest, taken: true };
      } catch (error) {
        this.#standing.folder = { digest, taken: false };
        this.#folderNotTaken(error, read);
      }
    });
  }

  /** The documents may be at fault, or the machine: then they are tried again, and nothing is said against them. */
  #folderNotTaken(error: unknown, read: () => SourceFile[]): void {
    const { log } = this.options;
    const code = error instanceof VpcgwError ? error.code : 'Invariant';
    const refused = code === 'ConfigInvalid' || code === 'KernelRejected';
    this.#standing.refused = error instanceof VpcgwError ? error.diagnostics : [];
    this.#standing.refusal = refused ? messageOf(error) : undefined;
    const text = refused ? 'the folder was refused; what was in force stays' : 'the folder is not in force yet';
    log.error({ error: messageOf(error), diagnostics: this.#standing.refused }, text);
    if (code !== 'ConfigInvalid') this.#retryFolder(read);
  }

  submit(submission: Submission): Promise<Submitted> {
    return this.#enqueue(() =>
      this.#change(submission, () => {
        this.#refuseOtherWriters();
        if (submission.confirmWithinMs !== undefined && !this.options.journal.latest)
          throw new VpcgwError(
            'BadRequest',
            'this is the first revision: there is none to go back to, so it cannot wait for a confirmation',
          );
        return this.#candidate(submission);
      }),
    );
  }

  /**
   * The other member's documents in place of this one's, under their number. One that this member has given away
   * already is passed over; then the other takes over the next. `isLater` is asked when their turn has come: an edit of
   * this member may have been before them.
   */
  takeOver(from: string, revision: number, sources: readonly Source[], isLater: () => boolean): Promise<void> {
    return this.#enqueue(async () => {
      if (!isLater()) return;
      await this.#change({ author: { name: from, via: 'Peer' }, action: 'Peer', revision }, () => {
        this.#refuseOtherWriters();
        return this.#whole(sources);
      });
    });
  }

  /**
   * Numbers of external networks, as the active member of the pair has them. `isWanted` is asked when their turn has come:
   * this member may itself be the active one by then.
   */
  takeNumbers(externals: Allocations['externals'], isWanted: () => boolean): Promise<void> {
    return this.#enqueue(async () => {
      const { programmer } = this.options;
      const [candidate, known] = [this.#current, this.#numbers];
      if (!candidate || !programmer.inForce || candidate.model.paused || !isWanted()) return;
      const allocations = allocateAll({ ...known, externals: asTheOther(externals, known.externals) }, candidate.model);
      this.#rememberNumbers(allocations.externals);
      await this.#putIntoForce(candidate, undefined, allocations);
    });
  }

  /** Where the disk is full they are told again after a restart. */
  #rememberNumbers(externals: Allocations['externals']): void {
    const { journal } = this.options;
    if (agree(externals, journal.allocations.externals)) return;
    try {
      journal.setExternals(externals);
    } catch (error) {
      this.#standing.persistTrouble = messageOf(error);
    }
  }

  /** Those in force, which the journal lacks where it cannot be written. */
  get #numbers(): Allocations {
    const { journal, programmer } = this.options;
    const { externals = journal.allocations.externals } = programmer.inForce?.allocations ?? {};
    return { ...journal.allocations, externals };
  }

  /** What was accepted last is in force: nothing is under way that could yet be refused. */
  get settled(): boolean {
    const model = this.#current?.model;
    return model !== undefined && (model.paused || this.options.programmer.inForce?.model === model);
  }

  /** Every change of documents comes this way. */
  #change(change: ChangeTerms, make: () => Candidate): Promise<Submitted> {
    return this.options.auditor.during(change.author, change.action, async (note) => {
      const candidate = make();
      const documents = difference(this.#present.documents, candidate);
      note(documents, this.#present);
      change.permission?.(documents);
      return this.#accept(candidate, documents, change);
    });
  }

  get #present(): Present {
    return { revision: this.revision, documents: this.#current?.documents ?? this.#kept };
  }

  #refuseOtherWriters(): void {
    const { source, editAt } = this.options;
    if (source === 'Folder')
      throw new VpcgwError(
        'NotWriter',
        `this supervisor takes its documents from the folder ${editAt}; edit them there`,
      );
  }

  #candidate({ files, remove = [], prune, precondition }: Edit): Candidate {
    precondition?.(this.#present);
    const sources = files.flatMap(splitDocuments);
    if (remove.length > 0) return this.#whole([...this.#sourcesWithout(remove), ...sources]);
    if (prune || !this.#current) return this.#whole(sources);
    if (this.#cache.size > 2 * this.#current.documents.size + REMEMBERED_EDITS) this.#cache.forgetUnused();
    return candidateAfter(this.#current, sources, this.#cache);
  }

  #whole(sources: readonly Source[]): Candidate {
    const candidate = candidateOf(sources, this.#cache);
    this.#cache.forgetUnused();
    return candidate;
  }

  #sourcesWithout(ids: readonly string[]): Source[] {
    return [...this.#present.documents].flatMap(([id, { source }]) => (ids.includes(id) ? [] : [source]));
  }

  async #accept(candidate: Candidate, { put, remove }: DocumentChange, terms: ChangeTerms): Promise<Submitted> {
    const { journal, clock } = this.options;
    // The way back is open in any case.
    if (terms.action !== 'Rollback') this.options.pair?.refuseLone(candidate.model);
    const by = terms.action === 'Rollback' ? 'rollback' : terms.author.name;
    if (terms.action !== 'Rollback') this.#wayBack.refuseWhilePending();
    const changed = [...Object.keys(put), ...remove];
    const strayed = this.#strays;
    const stored = strayed ? difference(this.#onDisk, candidate) : { put, remove };
    const differs = changed.length + Object.keys(stored.put).length + stored.remove.length > 0;
    const keeps = differs || terms.revision !== undefined;
    if (!keeps && this.#standing.ready)
      return { revision: journal.latest?.revision ?? 0, changed, steps: [], cut: [], warnings: candidate.warnings };
    const before = this.options.programmer.inForce;
    const nowMs = clock.nowMs();
    const allocations = allocateAll(this.#numbers, candidate.model);
    const revision: Revision = {
      revision: Math.max(journal.nextRevision, terms.revision ?? 0),
      time: new Date(nowMs).toISOString(),
      by,
      ...stored,
      allocations: journal.toKeep(allocations),
      drains: drainsAfter(before?.model, candidate.model, journal.drains, nowMs),
      ...(terms.confirmWithinMs === undefined ? {} : { confirmByMs: nowMs + terms.confirmWithinMs }),
    };
    const remembered = keeps && this.#remember(revision, allocations);
    if (remembered && terms.confirmWithinMs !== undefined) this.#wayBack.arm(revision, terms.confirmWithinMs);
    const former = this.#current;
    this.#current = candidate;
    try {
      const { steps, cut } = await this.#putIntoForce(candidate, revision, allocations);
      this.#countGenerations(revision);
      this.#keeper.armDrains();
      this.#timers.set('after change', AFTER_CHANGE_MS, () => Promise.resolve(this.options.afterChange()));
      if (changed.length > 0)
        this.#tell('Applied', `revision ${revision.revision} by ${by}: ${changed.length} document(s)`);
      return { revision: revision.revision, changed, steps, cut, warnings: candidate.warnings };
    } catch (error) {
      // With nothing in force there is nothing to go back to: these documents are what the retries aim at.
      if (before && keeps) {
        this.#current = former;
        this.#strays = strayed;
        if (remembered) this.#withdraw(revision);
      }
      throw error;
    }
  }

  /** A folder is its own memory, so it goes on without a writable disk; what comes by API must not be lost. */
  #remember(revision: Revision, { classes }: Allocations): boolean {
    try {
      this.options.journal.append(revision, classes);
      this.#standing.persistTrouble = undefined;
      this.#strays = false;
      return true;
    } catch (error) {
      this.#standing.persistTrouble = messageOf(error);
      if (this.options.source === 'Api') throw error;
      this.options.log.error({ error: messageOf(error) }, 'the revision could not be kept on disk');
      this.#strays = true;
      return false;
    }
  }

  #withdraw({ revision }: Revision): void {
    try {
      this.options.journal.withdraw(revision);
    } catch (error) {
      this.#standing.persistTrouble = messageOf(error);
      this.#strays = true;
    }
  }

  async #putIntoForce(
    candidate: Candidate,
    revision?: Revision,
    allocations = allocateAll(this.#numbers, candidate.model),
  ): Promise<{ steps: readonly Step[]; cut: readonly CutFlow[] }> {
    const { programmer, journal, clock } = this.options;
    if (candidate.model.paused) {
      this.#standing.trouble = { reason: 'Paused', message: 'spec.paused is set: nothing is written to the kernel' };
      this.#standing.ready = programmer.inForce !== undefined;
      return { steps: [], cut: [] };
    }
    const began = clock.nowMs();
    try {
      const done = await programmer.program(candidate.model, allocations, revision?.drains ?? journal.drains);
      this.#standing.lastChange = {
        time: new Date(began).toISOString(),
        durationMs: clock.nowMs() - began,
        cutFlows: done.cut.length,
      };
      this.#succeeded();
      if (done.unsettled) this.#keeper.endDrainsIn(RETRY_MIN_MS);
      return done;
    } catch (error) {
      this.#failed(error);
      throw error;
    }
  }

  #succeeded(): void {
    const wasReady = this.#standing.ready;
    this.#standing.ready = true;
    this.#standing.lacking = undefined;
    this.#retryMs = RETRY_MIN_MS;
    this.#timers.cancel('retry');
    if (!wasReady) this.onReady();
  }

  #failed(error: unknown): void {
    this.#standing.trouble = {
      reason: error instanceof VpcgwError ? error.code : 'Invariant',
      message: messageOf(error),
    };
    const { programmer } = this.options;
    if (programmer.inForce) {
      // The former state could not be put back: nobody looks for drift where nothing is known.
      if (!programmer.knowsKernel) this.#timers.set('inspect', RETRY_MIN_MS, () => this.inspect('all'));
      return;
    }
    this.#standing.ready = false;
    this.#retry(() => this.#enqueue(() => this.#firstAttempt()));
  }

  /** Something changed while nothing could be put into force: an interface may have come. */
  async #firstAttempt(): Promise<void> {
    if (!this.#current || this.#standing.ready) return;
    await this.#diagnose();
    await this.#putIntoForce(this.#current);
    const { folder, refusal } = this.#standing;
    if (folder && refusal === undefined) this.#standing.folder = { ...folder, taken: true };
  }

  /** Asked once: an answer takes seconds, and an interface that is not there yet has said enough. */
  async #diagnose(): Promise<void> {
    const { programmer, diagnose } = this.options;
    if (programmer.inForce || this.#standing.trouble.reason === 'NotConverged' || this.#diagnosed) return;
    this.#diagnosed = true;
    this.#standing.lacking = await diagnose();
  }

  #retryFolder(read: () => SourceFile[]): void {
    this.#retry(async () => {
      await this.#enqueue(() => this.#diagnose());
      await this.loadFolder(read);
    });
  }

  /** A failure may ask for it more than once; the pause grows with each time that it comes to that. */
  #retry(work: () => Promise<unknown>): void {
    this.#timers.set('retry', this.#retryMs, () => {
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
      return work();
    });
  }

  #countGenerations(revision: Revision): void {
    for (const id of Object.keys(revision.put)) this.#generations.set(id, (this.#generations.get(id) ?? 0) + 1);
    for (const id of revision.remove) this.#generations.delete(id);
  }

  // ---- confirm and go back ----------------------------------------------------------------------------------------

  confirm(author: Author, { precondition, permission }: Terms = {}): Promise<{ revision: number }> {
    return this.#enqueue(() =>
      this.options.auditor.during(author, 'Confirm', async () => {
        precondition?.(this.#present);
        return { revision: this.#wayBack.confirm(permission) };
      }),
    );
  }

  /** By one, or to a certain revision. */
  rollback(author: Author, { to, precondition }: Terms & { to?: number | undefined } = {}): Promise<Submitted> {
    return this.#enqueue(() =>
      this.#wayBack.goBack(author, to, () => {
        this.#refuseOtherWriters();
        precondition?.(this.#present);
      }),
    );
  }

  // ---- kept true --------------------------------------------------------------------------------------------------

  /** What is in force is in the kernel, as far as can be seen. */
  get verified(): boolean {
    return this.#standing.ready && this.#failedLooks < FAILED_LOOKS;
  }

  inspect(suspicion: Suspicion | 'all'): Promise<void> {
    return this.#enqueue(async () => {
      if (this.options.programmer.inForce) await this.#keeper.inspect(suspicion);
      else await this.#firstAttempt();
      this.#failedLooks = 0;
    }).catch((error: unknown) => {
      this.#failedLooks++;
      this.options.log.error({ error: messageOf(error) }, 'looking after the kernel failed');
      this.#timers.set('inspect', RETRY_MIN_MS, () => this.inspect('all'));
    });
  }

  /** The folder of keys may have changed. */
  followKeys(): Promise<void> {
    return this.#enqueue(() => this.#keeper.followKeys()).catch((error: unknown) =>
      this.options.log.error({ error: messageOf(error) }, 'a key could not be taken up'),
    );
  }

  setPressure(pressure: Partial<Pressure>): Promise<void> {
    return this.#enqueue(() => this.#keeper.setPressure(pressure));
  }

  /** What the model in force does not allow, wherever it came from. */
  endStaleFlows(): void {
    this.#keeper.endDrainsIn(0);
  }

  /** Peers of tunnels, on the active member of a pair; or its other member. */
  callAgain(call: Call): void {
    const { programmer, log } = this.options;
    this.#enqueue(() => programmer.callAgain(call)).catch((error: unknown) =>
      log.warn({ error: messageOf(error) }, 'who should answer by WireGuard could not be called again'),
    );
  }

  // ---- telling ----------------------------------------------------------------------------------------------------

  plan(edit: Edit): Promise<Planned> {
    return this.#enqueue(async () => {
      const { programmer, journal, clock } = this.options;
      const candidate = this.#candidate(edit);
      const { put, remove } = difference(this.#present.documents, candidate);
      edit.permission?.({ put, remove });
      this.options.pair?.refuseLone(candidate.model);
      const drains = drainsAfter(programmer.inForce?.model, candidate.model, journal.drains, clock.nowMs());
      const allocations = allocateAll(this.#numbers, candidate.model);
      const { state: desired } = await programmer.planned(candidate.model, allocations, drains);
      return {
        put: Object.keys(put),
        added: Object.keys(put).filter((id) => !this.#present.documents.has(id)),
        remove,
        steps: await programmer.view.plan(desired),
        cut: await programmer.flows.wouldCut(programmer.inForce?.model, candidate.model, drains, allocations),
        warnings: candidate.warnings,
      };
    });
  }

  /** Where the kernel is not as it should be, while nothing else is under way. */
  differences(): Promise<readonly Step[]> {
    return this.#enqueue(() => this.options.programmer.differences());
  }

  get current(): Candidate | undefined {
    return this.#current;
  }

  get ready(): boolean {
    return this.#standing.ready;
  }

  history(): { revision: number; time: string; by: string; put: string[]; remove: readonly string[]; state: string }[] {
    const { journal } = this.options;
    const { pending, latest } = journal;
    return journal.revisions.map(({ revision, time, by, put, remove }) => ({
      revision,
      time,
      by,
      put: Object.keys(put),
      remove,
      state:
        revision === pending?.revision ? 'WaitsForConfirm' : revision === latest?.revision ? 'Current' : 'Superseded',
    }));
  }

  /** For figures that are asked for often; `status` tells of every document. */
  get standing(): Readonly<Standing> {
    return this.#standing;
  }

  get revision(): number {
    return this.options.journal.latest?.revision ?? 0;
  }

  status(): GatewayStatus {
    const { journal, auditor, source, version, programmer } = this.options;
    return gatewayStatus({
      standing: this.#standing,
      candidate: this.#current,
      generations: this.#generations,
      source,
      version,
      revision: this.revision,
      pending: this.#wayBack.pending,
      journalDamage: journal.damage,
      auditTrouble: auditor.log.trouble,
      unsettable: programmer.unsettable,
      pressure: programmer.inForce?.compiled.input.pressure ?? NO_PRESSURE,
      shaper: programmer.shaper,
      facts: programmer.facts,
      balancing: programmer.balancing,
      inForce: programmer.inForce?.model,
      pair: this.options.pair,
      tunnels: this.options.vpn?.looks,
      lines: this.options.lines?.looks,
    });
  }
}
