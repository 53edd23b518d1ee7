/**
 * The audit on disk: lines are appended, never changed. Guarantees:
 * 1. Two files of at most `ROTATE_BYTES` and a line: what is older goes.
 * 2. A line that cannot be written is kept in memory, up to `WAITING_LINES`, and written before the next; `trouble` says so.
 * 3. Nothing waits for the disk to have it: after a power cut the last seconds may be missing.
 */
import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../errors.js';

const ROTATE_BYTES = 4 * 1024 * 1024;
const WAITING_LINES = 1_000;

export class AuditFile<Line> {
  readonly #directory: string;
  readonly #path: string;
  #waiting: string[] = [];
  /** Why lines wait, or went missing. */
  trouble: string | undefined;

  constructor(
    directory: string,
    private readonly rotateBytes = ROTATE_BYTES,
  ) {
    this.#directory = directory;
    this.#path = join(directory, 'audit.jsonl');
  }

  append(line: Line): void {
    this.#waiting.push(`${JSON.stringify(line)}\n`);
    if (this.#waiting.length > WAITING_LINES) this.#waiting.shift();
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      this.#write(Buffer.from(this.#waiting.join('')));
      this.#waiting = [];
      this.trouble = undefined;
    } catch (error) {
      this.trouble = `${this.#path}: ${messageOf(error)}; ${this.#waiting.length} lines wait in memory`;
    }
  }

  #write(lines: Buffer): void {
    const fd = openSync(this.#path, 'a', 0o600);
    try {
      const { size } = fstatSync(fd);
      try {
        for (let offset = 0; offset < lines.length;) offset += writeSync(fd, lines, offset);
      } catch (error) {
        // Half a line would spoil the next one too.
        ftruncateSync(fd, size);
        throw error;
      }
      if (size + lines.length > this.rotateBytes) renameSync(this.#path, `${this.#path}.1`);
    } finally {
      closeSync(fd);
    }
  }

  /** The newest, at most so many, in the order in which they came; those that wait too. */
  last(count: number): Line[] {
    const lines = [...linesOf(`${this.#path}.1`), ...linesOf(this.#path), ...this.#waiting];
    return lines.slice(-count).flatMap(parsed<Line>);
  }
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}

/** A line that a power cut tore is left out. */
function parsed<Line>(text: string): Line[] {
  try {
    return [JSON.parse(text) as Line];
  } catch {
    return [];
  }
}
