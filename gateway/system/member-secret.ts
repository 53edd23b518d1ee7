/**
 * What both members of a pair know and nobody else, and what is made of it: nothing of that is kept, and who knows one key
 * knows no other.
 */
import { hkdfSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { messageOf, VpcgwError } from '../errors.js';
import { presharedFingerprint } from '../kernel/wireguard/subsystem.js';
import type { Tunnels } from '../kernel/state.js';
import type { Member, MemberKeys } from '../model/high-availability.js';
import { type End, otherEnd, throughTunnels } from '../model/member-tunnel.js';
import { Secret } from '../model/secret.js';
import { publicKeyOf } from './key-folder.js';

const MIN_SECRET_LENGTH = 32;
const KEY_BYTES = 32;

/** As its file asks. Read once: of two members that exchange their secret one after the other, neither would hear the other. */
export async function encrypted(member: Member, chooseTunnels: () => Promise<Tunnels>): Promise<Member> {
  const { encryption, secretFile } = member;
  if (encryption === undefined || secretFile === undefined) return member;
  const { engine, namespace, lacking } = await chooseTunnels();
  if (lacking !== undefined)
    throw new VpcgwError(
      'ConfigInvalid',
      `the member file asks for encryption: ${encryption}, but ${lacking}; without encryption in the files of both members they talk in the clear`,
    );
  const secret = readMemberSecret(secretFile);
  return throughTunnels(member, { engine, namespace }, (path, own) => tunnelKeys(secret, path, own));
}

export function readMemberSecret(file: string): string {
  const secret = textOf(file).trim();
  if (secret.length < MIN_SECRET_LENGTH)
    throw new VpcgwError(
      'ConfigInvalid',
      `the secret in ${file} is shorter than ${MIN_SECRET_LENGTH} characters; write one such as \`openssl rand -hex 32\` gives, the same on both members`,
    );
  return secret;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new VpcgwError('ConfigInvalid', `the secret that the member file names cannot be read: ${messageOf(error)}`);
  }
}

const derive = (secret: string, purpose: string): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, '', purpose, KEY_BYTES));

export const channelKey = (secret: string): Buffer => derive(secret, 'vpcgw member channel');

/** Of one end of a path's link of WireGuard. */
export function tunnelKeys(secret: string, path: number, own: End): MemberKeys {
  const key = (whose: string): string => derive(secret, `vpcgw member tunnel ${path} ${whose}`).toString('base64');
  const [ownKey, preshared] = [key(own), key('preshared')];
  return {
    own: new Secret(ownKey, publicKeyOf(ownKey)),
    preshared: new Secret(preshared, presharedFingerprint(preshared)),
    peer: publicKeyOf(key(otherEnd(own))),
  };
}
