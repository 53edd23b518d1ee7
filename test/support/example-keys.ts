import { createHash } from 'node:crypto';
import type { Certificates, KeyFact } from '../../gateway/kernel/state.js';
import { presharedFingerprint } from '../../gateway/kernel/wireguard/subsystem.js';
import { Secret } from '../../gateway/model/secret.js';
import { publicKeyOf } from '../../gateway/system/key-folder.js';

/** A key of its own for each name, the same in each run. */
export const exampleKey = (name: string): string => createHash('sha256').update(name).digest('base64');
export const examplePublicKey = (name: string): string => publicKeyOf(exampleKey(name));

/** As if each file held the example key of its name. */
export const exampleKeyFact = (file: string, use: 'private' | 'preshared'): KeyFact => ({
  key: new Secret(
    exampleKey(file),
    use === 'private' ? examplePublicKey(file) : presharedFingerprint(exampleKey(file)),
  ),
});

/** As if each file held certificates, which nobody looks into. */
export const exampleCertificates = (own: string): Certificates => ({
  own: `certificate ${own}`,
  between: [],
  key: new Secret(`key of ${own}`, own),
  authorities: ['certificate of an authority'],
  peers: [],
  names: [`${own}.example.com`],
  firstEnd: { subject: own, atMs: 0 },
  fingerprint: own,
});

/** Files whose names begin with `psk` hold preshared keys. */
export const exampleKeys = (...files: readonly string[]): ReadonlyMap<string, KeyFact> =>
  new Map(files.map((file) => [file, exampleKeyFact(file, file.startsWith('psk') ? 'preshared' : 'private')]));
