/** One figure, as it is printed. `ratio` is value over baseline, both from one interleaved run; times are in ms. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit:
    'ms' | 'processes' | 'Mbit/s' | 'MB' | '% of a core' | '%' | 'of the rate' | 'connections' | 'a second' | 'changes';
  readonly baseline: number | null;
  readonly ratio: number | null;
}

export interface Scale {
  /** Fewer samples: enough to see that a bench still works, not to argue with its figures. */
  readonly short: boolean;
}

export interface Bench {
  /** The names of its rows, in their order. */
  readonly rows: readonly string[];
  run(scale: Scale): Promise<Row[]>;
}

export function plain(name: string, value: number, unit: Row['unit']): Row {
  return { name, value: round(value), unit, baseline: null, ratio: null };
}

export function compared(name: string, value: number, unit: Row['unit'], baseline: number): Row {
  return { name, value: round(value), unit, baseline: round(baseline), ratio: round(value / baseline) };
}

const round = (value: number): number => Number(value.toPrecision(4));

/** Progress, beside the figures: never on standard output. */
export function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}
