import type { FlowReport } from '../support/pair-flows.js';
import type { Walked } from '../support/pair-walk.js';

/** Of several walks of one fault, for each flow the longest gap and the most that was lost. */
export function worstOf(walked: readonly Walked[]): Walked {
  const [first, ...more] = walked as [Walked, ...Walked[]];
  return more.reduce(
    (worst, next) => ({
      ...worst,
      flows: worst.flows.map((flow, index) => worse(flow, next.flows[index] as FlowReport)),
      untranslated: worst.untranslated + next.untranslated,
      overlapMs: Math.max(worst.overlapMs, next.overlapMs),
      speaking: next.speaking.join() === next.expected ? worst.speaking : next.speaking,
      expected: next.speaking.join() === next.expected ? worst.expected : next.expected,
    }),
    first,
  );
}

const worse = (a: FlowReport, b: FlowReport): FlowReport => ({
  ...a,
  ...(a.gapMs === undefined ? {} : { gapMs: Math.max(a.gapMs, b.gapMs ?? 0) }),
  lost: Math.max(a.lost, b.lost),
});

/** In Markdown: gaps of streams in milliseconds, lost connections of all. */
export function faultTable(rows: readonly Walked[]): string {
  const streams = (rows[0]?.flows ?? []).filter(({ gapMs }) => gapMs !== undefined).map(({ flow }) => flow);
  const lines = rows.map(({ fault, flows, untranslated, overlapMs, speaking, expected }) => {
    const gaps = flows.flatMap(({ gapMs }) => (gapMs === undefined ? [] : [String(Math.round(gapMs))]));
    const lost = flows.reduce((sum, flow) => sum + flow.lost, 0);
    const of = flows.reduce((sum, flow) => sum + flow.of, 0);
    const active = speaking.join() === expected ? 'one' : `${speaking.length}`;
    return [fault, ...gaps, `${lost} of ${of}`, String(untranslated), overlapMs.toFixed(0), active];
  });
  const head = ['fault', ...streams.map((flow) => `${flow}, ms`), 'lost', 'untranslated', 'both, ms', 'active'];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...lines.map(line)].join('\n');
}
