/**
 * A straight answer to "my elastic IP does not work": every check of an object, in order. Guarantees:
 * 1. A fault that explains others is told alone: what only follows from it is skipped.
 * 2. A check that could not be carried out says so, and stops no other.
 * 3. It answers within some 3 s, on the busiest machine within 10 s or so, and changes nothing.
 */
import { messageOf, VpcgwError } from '../../errors.js';
import { nearest } from '../../documents/explain.js';
import { locate } from '../../documents/parse.js';
import { FlowJudge } from '../../model/flow.js';
import type { GatewayModel } from '../../model/gateway-model.js';
import { markOfExternal } from '../../model/ownership.js';
import type { Pair } from '../../reconcile/pair.js';
import type { Programmer } from '../../reconcile/programmer.js';
import type { Supervisor } from '../../reconcile/supervisor.js';
import type { About, Check, Outcome, Situation } from './check.js';
import { CHECKS_OF } from './checks.js';
import { judgeRefusal } from './checks/gateway.js';
import { type CheckName, type Code, FAULTS } from './codes.js';
import { Eyes, type Sight } from './eyes.js';
import { DOCUMENT_KINDS, namesOf, type Question, sameMeaning, subjectOf, type SubjectKind } from './subject.js';

export type Verdict = 'Pass' | 'Fail' | 'Warn' | 'Skipped' | 'Unknown';

export interface Finding {
  readonly check: CheckName;
  readonly verdict: Verdict;
  /** Of the fault, or the name of the check. */
  readonly code: Code;
  readonly evidence: readonly string[];
  readonly fix: string | undefined;
}

export interface Explanation {
  readonly kind: string;
  readonly name: string;
  readonly addresses: readonly string[];
  readonly source: string | undefined;
  readonly findings: readonly Finding[];
}

interface Parts extends Omit<Sight, 'differences'> {
  readonly supervisor: Supervisor;
  readonly programmer: Programmer;
  readonly pair: Pick<Pair, 'status'>;
}

/** Each starts a dozen programs. */
const AT_ONCE = 4;

export class Explain {
  #underWay = 0;

  constructor(private readonly parts: Parts) {}

  /** Throws `NotFound` when there is no such object. */
  async explain(kind: SubjectKind, name: string, question: Question): Promise<Explanation> {
    if (this.#underWay >= AT_ONCE)
      throw new VpcgwError('Overloaded', `${AT_ONCE} explanations are under way; try again in a second`);
    this.#underWay++;
    try {
      return await this.#explain(kind, name, question);
    } finally {
      this.#underWay--;
    }
  }

  async #explain(kind: SubjectKind, name: string, question: Question): Promise<Explanation> {
    const about = this.#about(kind, name, question);
    const head = { kind: DOCUMENT_KINDS[kind], name };
    if (!about) return { ...head, addresses: [], source: undefined, findings: this.#refused(kind, name) };
    const { supervisor, ...sight } = this.parts;
    const eyes = new Eyes({ ...sight, differences: () => supervisor.differences() });
    const { origin, elasticIps } = about.subject;
    return {
      ...head,
      addresses: elasticIps.map(({ address }) => address.text),
      source: about.placeOf(origin),
      findings: inOrder(
        CHECKS_OF[kind],
        await Promise.all(CHECKS_OF[kind].map((check) => carryOut(check, eyes, about))),
      ),
    };
  }

  /** `undefined` for what may stand in the documents that were refused. */
  #about(kind: SubjectKind, name: string, question: Question): About | undefined {
    const { supervisor, programmer } = this.parts;
    const candidate = supervisor.current;
    const subject = candidate && subjectOf(kind, name, candidate.model);
    if (!candidate || !subject) {
      if (supervisor.standing.refusal !== undefined) return undefined;
      const near = candidate ? nearest(name, namesOf(kind, candidate.model)) : '';
      throw new VpcgwError('NotFound', `there is no ${DOCUMENT_KINDS[kind]} ${name}${near}`);
    }
    const { inForce } = programmer;
    const held = inForce && subjectOf(kind, name, inForce.model);
    const model = held ? inForce.model : candidate.model;
    const numbers = inForce?.allocations.externals ?? {};
    const document = (id: string) => candidate.documents.get(id);
    return {
      subject: held ?? subject,
      question,
      model,
      judge: new FlowJudge(model),
      standing: this.#situation(candidate.model, held && sameMeaning(held, subject) ? inForce.model : undefined),
      markOf: (external) => markOfExternal(numbers[external] ?? 0),
      placeOf: ({ file, line }) => `${file}:${line}`,
      placeOfRule(policy, rule) {
        const source = document(policy.origin.id)?.source;
        const { file, line } = source ? locate(source, ['spec', 'rules', rule.index]) : policy.origin;
        return `${file}:${line}`;
      },
    };
  }

  #situation(documents: GatewayModel, held: GatewayModel | undefined): Situation {
    const { supervisor, programmer, pair } = this.parts;
    const { ready, trouble, refusal, refused, lacking } = supervisor.standing;
    const inForce = programmer.inForce?.model === documents && ready;
    return {
      refusal,
      refused,
      lacking,
      unsettable: programmer.unsettable,
      paused: documents.paused,
      pair: pair.status,
      trouble: inForce ? undefined : trouble.message,
      unchanged:
        held !== undefined &&
        sameMeaning(held.sides, documents.sides) &&
        sameMeaning(held.firewall, documents.firewall),
      revision: supervisor.revision,
      pressure: programmer.pressure,
      shaper: programmer.shaper,
    };
  }

  #refused(kind: SubjectKind, name: string): Finding[] {
    const { refusal = '', refused } = this.parts.supervisor.standing;
    const outcome = judgeRefusal(refusal, refused, `there is no ${DOCUMENT_KINDS[kind]} ${name} in force`);
    return CHECKS_OF[kind].map((check) =>
      check.name === 'Documents' ? told(check, outcome) : follows(check, 'Documents'),
    );
  }
}

/** A check that could not be carried out. */
type Carried = Outcome | { readonly error: string };

async function carryOut(check: Check, eyes: Eyes, about: About): Promise<Carried> {
  try {
    return check.judge(about, await check.look(eyes, about));
  } catch (error) {
    return { error: messageOf(error) };
  }
}

function inOrder(checks: readonly Check[], outcomes: readonly Carried[]): Finding[] {
  /** What failed, by each check that failed or follows from it. */
  const causes = new Map<CheckName, CheckName>();
  return checks.map((check, index) => {
    const earlier = check.after.find((name) => causes.has(name));
    const cause = earlier && causes.get(earlier);
    if (cause) {
      causes.set(check.name, cause);
      return follows(check, cause);
    }
    const finding = told(check, outcomes[index] ?? { error: 'not carried out' });
    if (finding.verdict === 'Fail') causes.set(check.name, check.name);
    return finding;
  });
}

function told({ name }: Check, outcome: Carried): Finding {
  if ('error' in outcome)
    return { check: name, verdict: 'Unknown', code: name, evidence: [outcome.error], fix: undefined };
  const { evidence } = outcome;
  if ('verdict' in outcome) return { check: name, verdict: outcome.verdict, code: name, evidence, fix: undefined };
  const { verdict, fix } = FAULTS[outcome.code];
  return { check: name, verdict, code: outcome.code, evidence, fix: outcome.fix ?? fix };
}

const follows = ({ name }: Check, cause: CheckName): Finding => ({
  check: name,
  verdict: 'Skipped',
  code: name,
  evidence: [`since ${cause} failed`],
  fix: undefined,
});
