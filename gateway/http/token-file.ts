/**
 * The accounts of the management address: a file with a name, a role and the SHA-256 of a token each. The tokens
 * themselves are in nobody's file, log or audit here. Guarantees:
 * 1. A file that others may write, or everybody may read, is not taken.
 * 2. The file is read again when it has changed; while it is not valid nobody is known.
 * 3. How long a look-up takes tells nothing of the tokens.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { parse } from 'yaml';
import * as z from 'zod';
import { messageOf, VpcgwError } from '../errors.js';
import { type Role, ROLES } from './route.js';

const accountsSchema = z
  .array(
    z.strictObject({
      name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$/, { error: 'is no name: letters, digits and ._@-' }),
      role: z.enum(ROLES),
      sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/, { error: 'must be a SHA-256 in hexadecimal; vpcgw token new makes one' }),
    }),
  )
  .max(1_000)
  .refine((accounts) => new Set(accounts.map(({ name }) => name)).size === accounts.length, {
    error: 'a name stands twice',
  });

export interface Account {
  readonly name: string;
  readonly role: Role;
}

type Known = Account & { readonly digest: Buffer };

const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest();

/** Throws what is wrong in words that do not repeat the text. */
export function parseAccounts(text: string): Known[] {
  let value: unknown;
  try {
    value = parse(text);
  } catch {
    throw new Error('is neither YAML nor JSON');
  }
  const { data, error } = accountsSchema.safeParse(value);
  if (error) throw new Error(z.prettifyError(error));
  return data.map(({ name, role, sha256 }) => ({ name, role, digest: Buffer.from(sha256, 'hex') }));
}

export class TokenFile {
  #stamp = '';
  #accounts: readonly Known[] = [];

  /** Throws `BadRequest` when the file cannot be taken now. `onTrouble` is told when it cannot be taken later. */
  constructor(
    private readonly path: string,
    private readonly onTrouble: (message: string) => void,
  ) {
    const trouble = this.#refresh();
    if (trouble !== undefined) throw new VpcgwError('BadRequest', trouble);
  }

  find(token: string): Account | undefined {
    const trouble = this.#refresh();
    if (trouble !== undefined) this.onTrouble(`${trouble}; nobody gets in by token until it is mended`);
    const digest = digestOf(token);
    let found: Account | undefined;
    for (const { name, role, digest: known } of this.#accounts)
      if (timingSafeEqual(digest, known)) found = { name, role };
    return found;
  }

  /** Returns what is newly wrong. */
  #refresh(): string | undefined {
    let stamp = 'absent';
    try {
      const { ino, size, mtimeMs, ctimeMs, mode } = statSync(this.path);
      stamp = `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
      if (stamp === this.#stamp) return undefined;
      if ((mode & 0o027) !== 0)
        throw new Error(`has mode ${(mode & 0o777).toString(8)}; it must be 600 or 640: chmod 600`);
      this.#accounts = parseAccounts(readFileSync(this.path, 'utf8'));
      return undefined;
    } catch (error) {
      this.#accounts = [];
      return stamp === this.#stamp ? undefined : `tokens ${this.path}: ${messageOf(error)}`;
    } finally {
      this.#stamp = stamp;
    }
  }
}

/** A token that cannot be guessed, and what the file holds of it. */
export function newToken(): { readonly token: string; readonly sha256: string } {
  const token = `vpcgw_${randomBytes(32).toString('base64url')}`;
  return { token, sha256: digestOf(token).toString('hex') };
}
