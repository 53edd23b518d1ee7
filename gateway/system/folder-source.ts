/** A folder of YAML files, taken all or nothing; a change is seen by event, and by a slow look where events are lost. */
import { type FSWatcher, readdirSync, readFileSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { SourceFile } from '../documents/document.js';
import { MAX_FILE_BYTES, tooLarge } from '../documents/parse.js';
import { messageOf, VpcgwError } from '../errors.js';
import type { Diagnostic } from '../model/diagnostic.js';
import { onBeat } from './beat.js';

const MAX_FILES = 10_000;
const SETTLE_MS = 50;
const LOOK_EVERY_MS = 5_000;

const isDocument = (name: string): boolean => /\.ya?ml$/.test(name) && !name.startsWith('.');

export function readFolder(directory: string): SourceFile[] {
  let names: string[];
  try {
    names = readdirSync(directory).filter(isDocument).sort();
  } catch (error) {
    throw new VpcgwError('ConfigInvalid', `the folder ${directory} cannot be read: ${messageOf(error)}`);
  }
  if (names.length > MAX_FILES) throw new VpcgwError('ConfigInvalid', `${directory} has more than ${MAX_FILES} files`);
  return readFiles(
    names.map((name) => join(directory, name)),
    { onlyRegular: true },
  );
}

/** Sizes are looked at before anything is read. A pipe may be named on the command line; in a folder it is a trap. */
export function readFiles(paths: readonly string[], { onlyRegular } = { onlyRegular: false }): SourceFile[] {
  const problems: Diagnostic[] = [];
  const files: SourceFile[] = [];
  for (const file of paths) {
    try {
      const stat = statSync(file);
      if (stat.size > MAX_FILE_BYTES) problems.push(tooLarge(file));
      else if (onlyRegular && !stat.isFile()) problems.push(atBegin(file, 'is not a regular file'));
      else files.push({ file, text: new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file)) });
    } catch (error) {
      problems.push(atBegin(file, error instanceof TypeError ? 'is not UTF-8 text' : messageOf(error)));
    }
  }
  if (problems.length > 0)
    throw new VpcgwError('ConfigInvalid', `${problems.length} file${problems.length === 1 ? '' : 's'} cannot be read`, {
      diagnostics: problems,
    });
  return files;
}

const atBegin = (file: string, message: string): Diagnostic => ({
  position: { file, line: 1, column: 1 },
  path: '',
  message,
  severity: 'Error',
});

export class FolderWatch {
  #watcher: FSWatcher | undefined;
  #settle: NodeJS.Timeout | undefined;
  #endLooks: (() => void) | undefined;
  #stamp = '';

  constructor(
    private readonly directory: string,
    private readonly onChange: () => void,
  ) {
    this.#stamp = this.#stampOf();
  }

  /** What has changed since this was made counts too: the folder was read meanwhile, and put into force. */
  start(): void {
    this.#watch();
    this.#check();
    this.#endLooks = onBeat(LOOK_EVERY_MS, () => {
      if (!this.#watcher) this.#watch();
      this.#check();
    });
  }

  stop(): void {
    this.#watcher?.close();
    clearTimeout(this.#settle);
    this.#endLooks?.();
  }

  #watch(): void {
    try {
      this.#watcher = watch(this.directory, () => {
        clearTimeout(this.#settle);
        this.#settle = setTimeout(() => this.#check(), SETTLE_MS);
      });
      this.#watcher.on('error', () => {
        this.#watcher?.close();
        this.#watcher = undefined;
      });
    } catch {
      this.#watcher = undefined;
    }
  }

  #check(): void {
    const stamp = this.#stampOf();
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    this.onChange();
  }

  /** Names, sizes and times; a ConfigMap mount changes the link that its files stand behind. */
  #stampOf(): string {
    try {
      const names = readdirSync(this.directory).filter(isDocument).sort();
      return names
        .map((name) => {
          const s = statSync(join(this.directory, name));
          return `${name} ${s.ino} ${s.size} ${s.mtimeMs}`;
        })
        .join('\n');
    } catch {
      return 'unreadable';
    }
  }
}
