import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lookAtEnd } from '../../gateway/health/certificate-end.js';
import { readCertificates } from '../../gateway/system/certificate-files.js';
import { Authority } from '../support/certificates.js';

// Certificates by the names of files: what is taken, and what is said of what is not.

const DAY_MS = 86_400_000;
const FILES = { kind: 'certificate', own: 'gw.crt', key: 'gw.key', trusted: 'ca.crt' } as const;

describe('certificates in the folder of keys', () => {
  const directory = mkdtempSync(join(tmpdir(), 'certificates-'));
  const write = (name: string, text: string): void => writeFileSync(join(directory, name), text);
  const read = (files = FILES, nowMs = Date.now()) => readCertificates(directory, files, nowMs);
  const wrong = (files: Partial<Record<'own' | 'key' | 'trusted', string>>, nowMs?: number) =>
    read({ ...FILES, ...files } as typeof FILES, nowMs);

  beforeAll(async () => {
    const authority = await Authority.create();
    const { cert, key } = await authority.sign('gw', '/C=DE/CN=gw', 'DNS:gw.example.com,IP:203.0.113.40');
    const other = await authority.sign('other', '/CN=other');
    write('gw.crt', readFileSync(cert, 'utf8'));
    write('gw.key', readFileSync(key, 'utf8'));
    write('both.pem', readFileSync(key, 'utf8') + readFileSync(cert, 'utf8'));
    write('other.key', readFileSync(other.key, 'utf8'));
    write('other.crt', readFileSync(other.cert, 'utf8'));
    write('ca.crt', readFileSync(authority.ca, 'utf8'));
    write('chain.crt', readFileSync(cert, 'utf8') + readFileSync(authority.ca, 'utf8'));
    write('empty', '');
    write('broken.crt', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    write('locked.key', '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n');
  });

  afterAll(() => rmSync(directory, { recursive: true }));

  it('are taken with the names that they give, the key held back', () => {
    const fact = read();
    if (!('certificates' in fact)) throw new Error(fact.wrong);
    const { own, between, authorities, peers, names, key } = fact.certificates;
    expect(names).toEqual(['gw.example.com', '203.0.113.40', 'C=DE, CN=gw']);
    expect([own, ...authorities].every((pem) => pem.startsWith('-----BEGIN CERTIFICATE-----'))).toBe(true);
    expect([between.length, authorities.length, peers.length]).toEqual([0, 1, 0]);
    expect(key.reveal()).toContain('PRIVATE KEY');
    expect(JSON.stringify(fact)).not.toContain('PRIVATE KEY');
    const end = new X509Certificate(own).validTo;
    expect(fact.certificates.firstEnd).toEqual({ subject: 'C=DE, CN=gw', atMs: Date.parse(end) });
  });

  it('may stand with the key in one file, with those between, and trust another end itself', () => {
    expect(wrong({ own: 'both.pem', key: 'both.pem' })).toEqual(read());
    expect(wrong({ own: 'chain.crt', trusted: 'other.crt' })).toMatchObject({
      certificates: { between: [expect.anything()], authorities: [], peers: [expect.anything()] },
    });
  });

  it.each([
    [{ own: 'absent.crt' }, /^absent\.crt: is not in /],
    [{ own: 'gw.key' }, /^gw\.key: has no certificate in PEM$/],
    [{ own: 'broken.crt' }, /^broken\.crt: has something that begins as a certificate and is none$/],
    [{ key: 'other.key' }, /^other\.key: is not the key of the certificate in gw\.crt$/],
    [{ key: 'empty' }, /^empty: has no private key in PEM$/],
    [{ key: 'locked.key' }, /^locked\.key: has a passphrase; a key without one is wanted$/],
    [{ trusted: '.' }, /^\.: is not a regular file$/],
  ])('are not taken: %j', (files, message) => {
    expect(wrong(files)).toEqual({ wrong: expect.stringMatching(message) as unknown });
  });

  it('are not taken out of their time', () => {
    expect(wrong({}, Date.now() + 3 * DAY_MS)).toEqual({
      wrong: expect.stringMatching(/^gw\.crt: expired at 20.*Z \(C=DE, CN=gw\)$/) as unknown,
    });
    expect(wrong({}, Date.now() - DAY_MS)).toEqual({
      wrong: expect.stringMatching(/^gw\.crt: is not valid before /) as unknown,
    });
  });
});

describe('the end of a certificate', () => {
  const subject = 'CN=gw';
  const atMs = Date.parse('2027-03-01T00:00:00Z');
  it.each([
    [30, undefined],
    [29.9, /^the certificate of CN=gw expires at 2027-03-01T00:00:00\.000Z, in 29 days$/],
    [1.5, /, in 1 day$/],
    [0.5, /, within a day$/],
  ])('is told of in time: %s days before', (days, warning) => {
    const look = lookAtEnd({ subject, atMs }, atMs - days * DAY_MS);
    expect(look.endS).toBe(atMs / 1000);
    if (warning) expect(look.warning).toMatch(warning);
    else expect(look.warning).toBeUndefined();
  });
});
