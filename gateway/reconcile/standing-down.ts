/** Why this member must not be active, in a file that keepalived watches itself. Maintenance is kept over restarts. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MAINTENANCE = 'maintenance';

export class StandingDown {
  readonly #reasons = new Set<string>();
  #found: readonly string[] = [];

  constructor(
    private readonly file: string,
    private readonly stateDirectory: string,
  ) {
    if (existsSync(this.#maintenanceFile)) this.#reasons.add(MAINTENANCE);
  }

  get reasons(): readonly string[] {
    return [...this.#reasons, ...this.#found];
  }

  has(reason: string): boolean {
    return this.#reasons.has(reason);
  }

  set(reason: string, on: boolean): void {
    const had = this.#reasons.has(reason);
    if (on) this.#reasons.add(reason);
    else this.#reasons.delete(reason);
    try {
      this.write();
    } catch (error) {
      // A full disk: nobody takes it back later. What ends is written with whatever is written next.
      if (!had) this.#reasons.delete(reason);
      throw error;
    }
  }

  /** By comparison with the other member, in place of what was found before. Whether anything changed. */
  setFound(reasons: readonly string[]): boolean {
    if (reasons.join() === this.#found.join()) return false;
    const before = this.#found;
    this.#found = reasons;
    try {
      this.write();
    } catch (error) {
      // A full disk: it is found again.
      this.#found = before;
      throw error;
    }
    return true;
  }

  setMaintenance(on: boolean): void {
    if (on) writeFileSync(this.#maintenanceFile, '', { mode: 0o600 });
    else rmSync(this.#maintenanceFile, { force: true });
    this.set(MAINTENANCE, on);
  }

  /** In place, since keepalived watches the file itself; and only when it says something else. */
  write(): void {
    const text = this.reasons.length > 0 ? '1\n' : '0\n';
    if (!existsSync(this.file) || readFileSync(this.file, 'utf8') !== text)
      writeFileSync(this.file, text, { mode: 0o600 });
  }

  get #maintenanceFile(): string {
    return join(this.stateDirectory, MAINTENANCE);
  }
}
