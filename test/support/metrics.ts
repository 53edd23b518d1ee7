// A scrape, to be asked for single values.

interface Sample {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

export class Metrics {
  private constructor(readonly samples: readonly Sample[]) {}

  static parse(exposition: string): Metrics {
    const lines = exposition.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Metrics(lines.map(parseSample));
  }

  /** Of the one sample with this name that has these labels among its own; fails unless there is exactly one. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const found = this.all(name, labels);
    if (found.length === 1 && found[0]) return found[0].value;
    throw new Error(`${found.length} samples of ${name} ${JSON.stringify(labels)}`);
  }

  all(name: string, labels: Readonly<Record<string, string>> = {}): Sample[] {
    const wanted = Object.entries(labels);
    return this.samples.filter(
      (sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
    );
  }
}

function parseSample(line: string): Sample {
  const [, name, labels = '', value] = /^([\w:]+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
  if (name === undefined) throw new Error(`not a metric: ${line}`);
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
    ([, label = '', text = '']) => [label, JSON.parse(`"${text}"`) as string] as const,
  );
  return {
    name,
    labels: Object.fromEntries(pairs),
    value: value === '+Inf' ? Infinity : Number(value),
  };
}
