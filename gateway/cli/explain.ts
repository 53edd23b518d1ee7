/** `vpcgw explain`: each check with what was seen, and the fix of what is wrong. */
import type { Explanation, Finding, Verdict } from '../insight/explain/explain.js';
import type { SubjectKind } from '../insight/explain/subject.js';
import { Client } from './client.js';
import type { Common } from './options.js';
import { bold, dim, green, print, red, signOr, yellow } from './output.js';

interface Asked extends Common {
  readonly from: string | undefined;
  readonly port: string | undefined;
}

/** False when something is wrong. */
export async function explain(
  kind: SubjectKind,
  name: string,
  { target, output, from, port }: Asked,
): Promise<boolean> {
  const query = new URLSearchParams({ ...(from !== undefined && { from }), ...(port !== undefined && { port }) });
  const path = `/v1/explain/${kind}/${encodeURIComponent(name)}${query.size > 0 ? `?${query.toString()}` : ''}`;
  const answer = await new Client(target).get<Explanation>(path);
  print(output, answer, () => explanationText(answer));
  return failed(answer).length === 0;
}

const failed = ({ findings }: Explanation): Finding[] => findings.filter(({ verdict }) => verdict === 'Fail');

const MARKS: Readonly<Record<Verdict, () => string>> = {
  Pass: () => green(signOr('✓', 'pass')),
  Fail: () => red(signOr('✗', 'FAIL')),
  Warn: () => yellow(signOr('!', 'warn')),
  Skipped: () => dim(signOr('–', '-')),
  Unknown: () => yellow(signOr('?', '?')),
};
/** Of a mark. */
const markWidth = (): number => signOr(' ', '    ').length;

function explanationText(answer: Explanation): string {
  const { kind, name, addresses, source, findings } = answer;
  const head = [bold(`${kind} ${name}`), addresses.slice(0, 4).join(', '), source ?? ''].filter((part) => part !== '');
  const width = Math.max(...findings.map(({ check }) => check.length));
  const wrong = failed(answer);
  const verdict =
    wrong.length === 0
      ? green('nothing is wrong here')
      : red(`${wrong.map(({ code }) => code).join(', ')}: ${wrong.length} of ${findings.length} checks failed`);
  return `${head.join('  ')}\n\n${findings.map((finding) => findingText(finding, width)).join('')}\n${verdict}\n`;
}

function findingText({ check, verdict, code, evidence, fix }: Finding, width: number): string {
  const mark = MARKS[verdict]().padEnd(markWidth());
  const lines = [
    ...(code === check ? [] : [bold(code)]),
    ...evidence.map((line) => (verdict === 'Skipped' ? dim(line) : line)),
    ...(fix === undefined ? [] : [`fix: ${fix}`]),
  ];
  const indent = ' '.repeat(markWidth() + width + 4);
  return `${mark}  ${check.padEnd(width)}  ${lines.join(`\n${indent}`)}\n`;
}
