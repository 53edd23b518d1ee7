/** Whether the gateway as a whole does what its documents say. Pure. */
import { type Diagnostic, formatDiagnostic } from '../../../model/diagnostic.js';
import type { Change } from '../../../kernel/subsystem.js';
import type { Step } from '../../../reconcile/plan.js';
import { isPair } from '../../../model/high-availability.js';
import { roleLink } from '../../../model/ownership.js';
import { type About, type Check, check, fault, known, type Outcome, pass, some } from '../check.js';
import type { Link } from '../eyes.js';

export const documents: Check = known('Documents', [], ({ standing: { refusal, refused, revision } }) =>
  refusal === undefined ? pass(`revision ${revision}`) : judgeRefusal(refusal, refused),
);

export const judgeRefusal = (refusal: string, refused: readonly Diagnostic[], ...more: string[]): Outcome =>
  fault('DocumentsRefused', [refusal, ...some(refused.map(formatDiagnostic)), ...more]);

export const machine: Check = known('Machine', [], ({ standing: { lacking, unsettable } }) => {
  if (lacking !== undefined) return fault('MachineLacking', [`missing: ${lacking}`]);
  return unsettable.length > 0 ? fault('SwitchesUnset', some(unsettable)) : pass('nothing is missing');
});

/** The interfaces of the platform, and those that the gateway has above them. */
export const links: Check = check<ReadonlyMap<string, Link>>({
  name: 'Links',
  after: [],
  look: (eyes) => eyes.links(),
  judge({ model, subject }, seen) {
    const names = new Set(subject.elasticIps.map(({ external }) => external));
    const externals = model.externals.filter(({ name }) => names.has(name)).map((external) => external.interface);
    const parents = [model.internal.interface, ...externals];
    const missing = parents.filter((name) => !seen.has(name));
    if (missing.length > 0)
      return fault(
        'InterfaceMissing',
        missing.map((name) => `there is no ${name}`),
      );
    const down = parents.flatMap((parent) =>
      [parent, roleLink(parent)].flatMap((name) => {
        const link = seen.get(name);
        if (!link || (link.up && link.carrier)) return [];
        return [`${name} ${link.up ? 'has no carrier' : 'is down'}`];
      }),
    );
    return down.length > 0 ? fault('LinkDown', down) : pass(parents.join(' and ') + ' are up');
  },
});

export const programmed: Check = known('Programmed', ['Machine', 'Links'], ({ standing, subject, placeOf }) => {
  const place = placeOf(subject.origin);
  if (standing.paused) return fault(standing.unchanged ? 'PausedUnchanged' : 'Paused', [place]);
  return standing.trouble === undefined
    ? pass(`verified, ${place}`)
    : fault('NotProgrammed', [standing.trouble, place]);
});

/** The other member's links are fenced: whatever is asked by them finds silence, which is nobody's fault. */
export const active: Check = known('Active', ['Links'], ({ model, standing: { pair } }) => {
  if (!pair && !isPair(model)) return pass('a single gateway always is');
  if (!pair) return fault('NotActive', ['it has no role in its pair; PairReady of vpcgw status says why']);
  const { member, role, reason } = pair;
  return role === 'Active' ? pass(`${member} is`) : fault('NotActive', [`${member} is ${role}: ${reason}`]);
});

export const announced: Check = check<readonly Step[]>({
  name: 'Announced',
  after: ['Links', 'Programmed'],
  look: (eyes) => eyes.differences(),
  judge({ subject: { elasticIps }, model }, seen) {
    const absent = new Set(changesOf(seen).flatMap((change) => (change.action === 'add' ? [change.key] : [])));
    const links = new Map(model.externals.map((external) => [external.name, roleLink(external.interface)]));
    const lost = elasticIps.filter(({ address, external, announced }) =>
      announced
        ? absent.has(`${links.get(external)} ${address.text}/${address.family === 4 ? 32 : 128}`)
        : [...absent].some((key) => key.startsWith(`${address.family} local ${address.text} `)),
    );
    const [first] = lost;
    const texts = some(lost.map(({ address, external }) => `${address.text} is not on ${links.get(external)}`));
    if (first) return fault(first.announced ? 'NotAnnounced' : 'RouteWithdrawn', texts);
    return pass(
      ...some(
        elasticIps.map(({ address, announced, external }) =>
          announced ? `${address.text} is answered for on ${links.get(external)}` : `${address.text} is routed here`,
        ),
      ),
    );
  },
});

export const kernel: Check = check<readonly Step[]>({
  name: 'Kernel',
  after: ['Links', 'Programmed', 'Announced'],
  look: (eyes) => eyes.differences(),
  judge(about, seen) {
    const found = seen.flatMap(({ subsystem, changes }) =>
      changes
        .filter((change) => concerns(change, about))
        .map(({ action, key }) => `${subsystem}: ${WORDS[action]} ${key}`),
    );
    return found.length > 0 ? fault('Drifted', some(found)) : pass('read just now: as it should be');
  },
});

/** What would have to be done says what has happened. */
const WORDS: Readonly<Record<Change['action'], string>> = { add: 'gone', replace: 'changed', remove: 'not ours' };

const changesOf = (steps: readonly Step[]): Change[] => steps.flatMap((step) => step.changes);

/** What carries no document is for everybody; what other documents ask for is theirs. */
function concerns({ lines }: Change, { subject }: About): boolean {
  const { origin, elasticIps, entries, exits } = subject;
  const ids = new Set(
    [origin, ...[...elasticIps, ...entries, ...exits].map((part) => part.origin)].map(({ id }) => id),
  );
  return lines.length === 0 || lines.some((line) => line.origin === undefined || ids.has(line.origin.id));
}
