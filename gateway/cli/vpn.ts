/** `vpn keygen`: a key in the folder of keys. */
import { KeyFolder } from '../system/key-folder.js';
import { print } from './output.js';
import type { Format } from './output.js';

interface KeygenOptions {
  readonly keys: string;
  readonly psk: boolean;
  readonly output: Format;
}

/** The private key is never printed: only its file has it. */
export function keygen(file: string, { keys, psk, output }: KeygenOptions): void {
  const publicKey = new KeyFolder(keys).create(file, psk ? 'preshared' : 'private');
  const made = { file, ...(publicKey === undefined ? {} : { publicKey }) };
  print(output, made, () =>
    publicKey === undefined
      ? `${keys}/${file} holds a preshared key; the peer needs the same\n`
      : `${keys}/${file} holds a private key; its public key is\n${publicKey}\n`,
  );
}
