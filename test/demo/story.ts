// What the demo tells: a line for each thing that was checked, with how long it took, and what was wrong if it was.

const colours = process.stdout.isTTY && process.env.NO_COLOR === undefined;
const paint =
  (code: number) =>
  (text: string): string =>
    colours ? `\u001b[${code}m${text}\u001b[0m` : text;
const bold = paint(1);
const red = paint(31);
const green = paint(32);
const dim = paint(2);

const lineWidth = 92;

/** What a check found worth a word, shown in place of the time that the whole check took. */
export interface Figure {
  readonly ms: number;
}

export class Story {
  private readonly began = performance.now();
  private passed = 0;
  private readonly failures: string[] = [];
  private scenes = 0;

  get failed(): boolean {
    return this.failures.length > 0;
  }

  scene(title: string): void {
    console.log(`\n${bold(`${++this.scenes}. ${title}`)}`);
  }

  say(text: string): void {
    for (const line of text.split('\n')) console.log(line === '' ? '' : `   ${dim(line)}`);
  }

  /** A check that throws has failed; the story goes on. */
  async check(text: string, run: () => Promise<Figure | void>): Promise<void> {
    const began = performance.now();
    try {
      const figure = await run();
      this.passed++;
      const ms = figure?.ms ?? performance.now() - began;
      console.log(`   ${green('✓')} ${text.padEnd(lineWidth)} ${dim(`${ms.toFixed(ms < 10 ? 1 : 0).padStart(6)} ms`)}`);
    } catch (error) {
      this.fail(text, error);
    }
  }

  fail(text: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.failures.push(text);
    console.log(`   ${red('✗')} ${text}\n     ${red(reason.replaceAll('\n', '\n     '))}`);
  }

  summary(): void {
    const seconds = ((performance.now() - this.began) / 1000).toFixed(1);
    const result = this.failed ? red(`${this.failures.length} FAILED`) : green('none failed');
    console.log(
      `\n${bold(`${this.passed} checks passed, ${result}`)}${bold(`, in ${this.scenes} scenes and ${seconds} s`)}`,
    );
    for (const text of this.failures) console.log(`   ${red('✗')} ${text}`);
  }
}

export function expectSame(what: string, seen: unknown, expected: unknown): void {
  if (seen !== expected) throw new Error(`${what}: expected ${String(expected)}, seen ${String(seen)}`);
}

/** That something is refused, by whatever means; returns once it was. */
export async function expectFailure(what: string, attempt: Promise<unknown>): Promise<void> {
  const succeeded = await attempt.then(
    () => true,
    () => false,
  );
  if (succeeded) throw new Error(`${what}: expected to fail, and it worked`);
}
