/** A password in the folder of keys: read as it stands or not at all, and never repeated. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { KeyFact } from '../kernel/state.js';
import { Secret } from '../model/secret.js';

export type PasswordFact = { readonly password: Secret } | { readonly wrong: string };

/** As a key among others. */
export function passwordKey(directory: string, file: string): KeyFact {
  const fact = readPassword(directory, file);
  return 'wrong' in fact ? fact : { key: fact.password };
}

/** TCP MD5 takes no more. */
const MAX_CHARACTERS = 80;

export function readPassword(directory: string, file: string): PasswordFact {
  let text: string;
  try {
    const path = join(directory, file);
    const stat = statSync(path);
    if (!stat.isFile()) return { wrong: 'is not a regular file' };
    if (stat.size > MAX_CHARACTERS + 2) return { wrong: `is longer than ${MAX_CHARACTERS} characters` };
    text = readFileSync(path, 'latin1');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return { wrong: missing ? `is not in ${directory}` : 'cannot be read' };
  }
  if (text === '') return { wrong: 'is empty' };
  if (text !== text.trim())
    return {
      wrong: 'has white space around the password; write it alone, as printf %s does, without a newline at its end',
    };
  if (text.length > MAX_CHARACTERS) return { wrong: `is longer than ${MAX_CHARACTERS} characters` };
  if (!/^[\x21-\x7e]+$/.test(text) || text.includes('"'))
    return { wrong: 'has a character that is not printable ASCII, or a quotation mark' };
  return { password: new Secret(text, createHash('sha256').update(text).digest('base64').slice(0, 16)) };
}
