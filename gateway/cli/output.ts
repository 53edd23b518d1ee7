/** Tables for people, JSON and YAML for machines. Colours only on a terminal that wants them. */
import { stringify } from 'yaml';
import type { SiteState } from '../health/site-state.js';

export type Format = 'table' | 'json' | 'yaml';

export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string;
  readonly right?: boolean;
}

export function print(format: Format, data: unknown, table: () => string): void {
  if (format === 'json') process.stdout.write(`${JSON.stringify(data, undefined, 2)}\n`);
  else if (format === 'yaml') process.stdout.write(stringify(data));
  else process.stdout.write(table());
}

export function table<T>(rows: readonly T[], columns: readonly Column<T>[], empty = 'none'): string {
  if (rows.length === 0) return `${dim(empty)}\n`;
  const cells = rows.map((row) => columns.map((column) => column.value(row)));
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...cells.map((row) => visible(row[i] ?? ''))),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => {
        const padding = ' '.repeat((widths[i] ?? 0) - visible(cell));
        return columns[i]?.right ? padding + cell : i === columns.length - 1 ? cell : cell + padding;
      })
      .join('  ')
      .trimEnd();
  return `${bold(line(columns.map((column) => column.title)))}\n${cells.map(line).join('\n')}\n`;
}

const visible = (text: string): number => text.replace(/\x1b\[\d+m/g, '').length;

let colours = false;
export function useColours(on: boolean): void {
  colours = on;
}
/** For people at a terminal a sign, elsewhere a word. */
export const signOr = (sign: string, word: string): string => (colours ? sign : word);
const paint =
  (code: number) =>
  (text: string): string =>
    colours ? `\x1b[${code}m${text}\x1b[0m` : text;
export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const yellow = paint(33);

const SITE_COLOURS: Readonly<Record<SiteState, (text: string) => string>> = {
  Up: green,
  Degraded: yellow,
  Down: red,
  Idle: dim,
};
export const siteStateText = (state: SiteState): string => SITE_COLOURS[state](state);

export const verdict = (ok: boolean, text: string): string => (ok ? green(text) : red(text));

/** As somebody would say it. */
export function bytesText(bytes: number): string {
  const unit = BYTE_UNITS.findLast(([, size]) => bytes >= size);
  return unit ? `${(bytes / unit[1]).toFixed(1)} ${unit[0]}` : `${bytes} B`;
}

const BYTE_UNITS: readonly (readonly [string, number])[] = [
  ['kB', 1e3],
  ['MB', 1e6],
  ['GB', 1e9],
  ['TB', 1e12],
];
