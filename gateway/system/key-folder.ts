/**
 * The folder of keys: read by name, and watched. Guarantees:
 * 1. A key is read as it stands or not at all; one that is not exactly a key is named with what is wrong with it, and
 *    never repeated.
 * 2. What is read is held as a `Secret`.
 */
import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { type FSWatcher, mkdirSync, readFileSync, statSync, watch, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { KEY_TEXT } from '../api/keys.js';
import { messageOf, VpcgwError } from '../errors.js';
import type { KeyFact } from '../kernel/state.js';
import { presharedFingerprint } from '../kernel/wireguard/subsystem.js';
import { Secret } from '../model/secret.js';
import { onBeat } from './beat.js';

/** Of a private key the public one tells which it is; of a preshared key a digest does. */
export type KeyUse = 'private' | 'preshared';

const KEY_CHARACTERS = 44;
const MAX_BYTES = 4_096;
const PKCS8_X25519 = Buffer.from('302e020100300506032b656e04220420', 'hex');
const KEY_BYTES = 32;

export function publicKeyOf(privateKey: string): string {
  const der = Buffer.concat([PKCS8_X25519, Buffer.from(privateKey, 'base64')]);
  const key = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  return key.export({ format: 'der', type: 'spki' }).subarray(-KEY_BYTES).toString('base64');
}

export class KeyFolder {
  #watcher: FSWatcher | undefined;
  #endLooks: (() => void) | undefined;
  #settle: NodeJS.Timeout | undefined;

  constructor(readonly directory: string) {}

  read(file: string, use: KeyUse): KeyFact {
    const path = join(this.directory, file);
    let text: string;
    try {
      const stat = statSync(path);
      if (!stat.isFile()) return { wrong: 'is not a regular file' };
      if (stat.size > MAX_BYTES)
        return { wrong: `is ${stat.size} bytes long, and a key has ${KEY_CHARACTERS} characters` };
      text = readFileSync(path, 'latin1');
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      return { wrong: missing ? `is not in ${this.directory}; vpcgw vpn keygen ${file} makes it` : 'cannot be read' };
    }
    const wrong = faultOf(text);
    if (wrong !== undefined) return { wrong };
    return { key: new Secret(text, use === 'private' ? publicKeyOf(text) : presharedFingerprint(text)) };
  }

  /** Makes a key of random bytes, where there is none; the public key of a private one. */
  create(file: string, use: KeyUse): string | undefined {
    const path = join(this.directory, file);
    const bytes = randomBytes(KEY_BYTES);
    if (use === 'private') {
      // As RFC 7748 has it, and `wg` shows it.
      bytes.writeUInt8(bytes.readUInt8(0) & 248, 0);
      bytes.writeUInt8((bytes.readUInt8(31) & 127) | 64, 31);
    }
    const text = bytes.toString('base64');
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(path, text, { mode: 0o600, flag: 'wx' });
    } catch (error) {
      const there = (error as NodeJS.ErrnoException).code === 'EEXIST';
      throw new VpcgwError(
        'BadRequest',
        there ? `${path} is there already; take it away first, or name another` : `${path}: ${messageOf(error)}`,
      );
    }
    return use === 'private' ? publicKeyOf(text) : undefined;
  }

  /** Calls when something in it may have changed: at once where the system tells, else after a while. */
  follow(onChange: () => void): void {
    this.#endLooks = onBeat(LOOK_EVERY_MS, () => this.#watch(onChange));
    this.#watch(onChange);
  }

  stop(): void {
    this.#watcher?.close();
    this.#endLooks?.();
    clearTimeout(this.#settle);
  }

  /** A mounted Secret changes the link that its files stand behind, which is an event of the folder. */
  #watch(onChange: () => void): void {
    onChange();
    if (this.#watcher) return;
    try {
      this.#watcher = watch(this.directory, () => {
        clearTimeout(this.#settle);
        this.#settle = setTimeout(onChange, SETTLE_MS);
      });
      this.#watcher.on('error', () => {
        this.#watcher?.close();
        this.#watcher = undefined;
      });
    } catch {
      // There is no folder yet.
    }
  }
}

const LOOK_EVERY_MS = 5_000;
const SETTLE_MS = 50;

function faultOf(text: string): string | undefined {
  if (KEY_TEXT.test(text)) return undefined;
  if (KEY_TEXT.test(text.trim()))
    return 'has white space around the key; write the key alone, as printf %s does, without a newline at its end';
  if (text === '') return 'is empty';
  if (text.length !== KEY_CHARACTERS)
    return `has ${text.length} characters, and a key has ${KEY_CHARACTERS} of base64; vpcgw vpn keygen makes one`;
  return `is not a key: ${KEY_CHARACTERS} characters of base64 are wanted; vpcgw vpn keygen makes one`;
}
