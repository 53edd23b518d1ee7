/** Where the peers of tunnels were seen last, for the next supervisor: those that call from anywhere are called at once. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import * as z from 'zod';
import { messageOf } from '../errors.js';
import { replaceFile } from './daemon.js';

const content = z.record(z.string(), z.string());

export class EndpointFile {
  readonly #path: string;
  #written = '';

  constructor(
    private readonly directory: string,
    private readonly log: Logger,
  ) {
    this.#path = join(directory, 'endpoints.json');
  }

  /** Nothing where there is none, or none that can be read: peers call again by themselves, later. */
  read(): Readonly<Record<string, string>> {
    try {
      this.#written = readFileSync(this.#path, 'utf8');
      return content.parse(JSON.parse(this.#written));
    } catch {
      return {};
    }
  }

  write(endpoints: Readonly<Record<string, string>>): void {
    const text = `${JSON.stringify(endpoints)}\n`;
    if (text === this.#written) return;
    try {
      mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      replaceFile(this.#path, text);
      this.#written = text;
    } catch (error) {
      this.log.warn({ error: messageOf(error) }, 'where peers of tunnels are could not be kept');
    }
  }
}
