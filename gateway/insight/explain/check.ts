/**
 * The contract of a check: one question about an object, in two halves. `look` reads what it needs through `Eyes`;
 * `judge` is pure, and says what that means.
 */
import type { FlowJudge } from '../../model/flow.js';
import type { GatewayModel, Origin } from '../../model/gateway-model.js';
import type { FirewallRule, Policy } from '../../model/firewall.js';
import type { PairStatus } from '../../reconcile/pair-status.js';
import type { GatewayStatus } from '../../reconcile/status.js';
import type { Shaper } from '../../kernel/state.js';
import type { Pressure } from '../../model/pressure.js';
import type { CheckName, FaultCode } from './codes.js';
import type { Eyes } from './eyes.js';
import type { Question, Subject } from './subject.js';

/** All that is known before anything is looked at. */
export interface About {
  readonly subject: Subject;
  readonly question: Question;
  /** In force; of the documents, where nothing is in force or the subject is not. */
  readonly model: GatewayModel;
  readonly judge: FlowJudge;
  readonly standing: Situation;
  /** Of an external network, with which its packets are routed. */
  readonly markOf: (external: string) => number;
  /** `file:line`. */
  readonly placeOf: (origin: Origin) => string;
  readonly placeOfRule: (policy: Policy, rule: FirewallRule) => string;
}

/** How the gateway stands. */
export interface Situation {
  readonly refusal: string | undefined;
  readonly refused: GatewayStatus['diagnostics'];
  readonly lacking: string | undefined;
  readonly unsettable: readonly string[];
  readonly paused: boolean;
  /** `undefined` for a single gateway, and for one that has no role yet. */
  readonly pair: Pick<PairStatus, 'member' | 'role' | 'reason'> | undefined;
  /** Why the documents are not in force; `undefined` when they are. */
  readonly trouble: string | undefined;
  /** The kernel holds the subject and who may reach it as the documents say. */
  readonly unchanged: boolean;
  readonly revision: number;
  readonly pressure: Pressure;
  readonly shaper: Shaper | undefined;
}

export type Outcome =
  | { readonly verdict: 'Pass' | 'Skipped'; readonly evidence: readonly string[] }
  | { readonly code: FaultCode; readonly evidence: readonly string[]; readonly fix?: string | undefined };

export const pass = (...evidence: readonly string[]): Outcome => ({ verdict: 'Pass', evidence });
/** There is nothing to be checked. */
export const skipped = (...evidence: readonly string[]): Outcome => ({ verdict: 'Skipped', evidence });
export const fault = (code: FaultCode, evidence: readonly string[], fix?: string): Outcome => ({ code, evidence, fix });

export interface CheckOf<Seen> {
  readonly name: CheckName;
  /** Checks whose failure explains whatever this one would find: then it is skipped. */
  readonly after: readonly CheckName[];
  readonly look: (eyes: Eyes, about: About) => Promise<Seen>;
  readonly judge: (about: About, seen: Seen) => Outcome;
}

export type Check = CheckOf<unknown>;

/** With the type of what it saw towards its judgement; without it in the lists. */
export const check = <Seen>(definition: CheckOf<Seen>): Check => definition as unknown as Check;

/** Of what is already known. */
export const known = (name: CheckName, after: readonly CheckName[], judge: (about: About) => Outcome): Check =>
  check({ name, after, look: () => Promise.resolve(undefined), judge });

/** So many of a kind are asked on the wire; a pool may have more. */
export const ASKED_AT_MOST = 8;

/** The first of many, and how many are left out. */
export const some = (texts: readonly string[], most = 5): string[] =>
  texts.length > most ? [...texts.slice(0, most), `… and ${texts.length - most} more`] : [...texts];
