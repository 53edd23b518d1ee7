/** A tunnel of IPsec: what both ends have to agree on. */
import * as z from 'zod';
import { keyRef, pemRef } from './keys.js';
import { tunnelProbe } from './peer.js';
import { cidr, duration, ipAddress, quoted } from './scalars.js';

export const DEFAULT_PROPOSALS = [
  { encryption: 'aes128gcm16', hash: 'sha256', group: 'curve25519' },
  { encryption: 'aes256gcm16', hash: 'sha384', group: 'ecp384' },
  { encryption: 'aes256', hash: 'sha256', group: 'modp2048' },
] as const;

/** A name or an address, or the subject of a certificate. */
const IDENTITY = /^(?:[A-Za-z0-9@][A-Za-z0-9@._:-]*|[A-Za-z0-9.]+=[A-Za-z0-9 .,=@:_+*/()-]+)$/;

const identity = z
  .string()
  .max(256)
  .regex(IDENTITY, {
    error: (issue) =>
      `${quoted(String(issue.input).slice(0, 60))} is not an identity, such as 198.51.100.7, vpn.example.com, gw@example.com or C=DE, CN=gw`,
  });

const certificates = z
  .strictObject({
    ownRef: pemRef.describe(
      "The gateway's certificate in PEM, and after it those between it and its authority, if there are any.",
    ),
    keyRef: pemRef.describe('Its private key in PEM, without a passphrase; it may stand in the same file.'),
    trustedRef: pemRef.describe(
      "In PEM, the certificates of the authorities that may have signed the other end's, or the other end's own.",
    ),
  })
  .describe('Both ends show certificates.');

const proposal = z.strictObject({
  encryption: z
    .enum(['aes128gcm16', 'aes256gcm16', 'aes128', 'aes256'], {
      error: 'must be aes128gcm16, aes256gcm16, aes128 or aes256',
    })
    .describe('`aes128` and `aes256` are CBC.'),
  hash: z
    .enum(['sha256', 'sha384', 'sha512'], { error: 'must be sha256, sha384 or sha512' })
    .describe('Checks what CBC encrypts, and derives the keys of IKE.'),
  group: z
    .enum(['curve25519', 'ecp256', 'ecp384', 'modp2048', 'modp3072', 'modp4096'], {
      error: 'must be curve25519, ecp256, ecp384, modp2048, modp3072 or modp4096',
    })
    .describe('Of each key exchange: of IKE, and of each new key of the tunnel.'),
});

export const ipsec = z
  .strictObject({
    peer: ipAddress
      .optional()
      .describe(
        "The other end's address, or that of the NAT in front of it. Left out: it calls, from anywhere, and is known by `peerId`.",
      ),
    networks: z
      .array(cidr)
      .min(1)
      .max(256)
      .describe('What is behind it: only from these addresses may it send, and to these the VPC is led.'),
    presharedKeyRef: keyRef.optional().describe('A text that only both ends know; or `certificates`.'),
    certificates: certificates.optional(),
    localId: identity
      .optional()
      .describe(
        "What the gateway calls itself. Left out: the elastic IP's address, or the first name in its certificate.",
      ),
    peerId: identity
      .optional()
      .describe('What the other end calls itself, and its certificate calls it; `peer` when left out.'),
    proposals: z
      .array(proposal)
      .min(1)
      .max(8)
      .default([...DEFAULT_PROPOSALS])
      .describe('In the order of preference, for IKE and the tunnel alike; the other end must have one of them.'),
    dpd: duration
      .refine((ms) => ms >= 1_000 && ms <= 3_600_000 && ms % 1_000 === 0, {
        error: 'must be whole seconds, 1s to 1h',
      })
      .default(10_000)
      .describe(
        'After so long a silence the other end is asked whether it lives; after 7 s without an answer it does not.',
      ),
    probe: tunnelProbe,
  })
  .superRefine(({ peer, peerId, presharedKeyRef, certificates: shown }, context) => {
    const issue = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if ((presharedKeyRef === undefined) === (shown === undefined))
      issue('presharedKeyRef', 'must stand there, or certificates, and not both: how the two ends know each other');
    if (peer === undefined && peerId === undefined)
      issue('peerId', 'is missing: without peer the other end is known by it alone');
  });
