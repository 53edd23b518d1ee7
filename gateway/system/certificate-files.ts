/**
 * Certificates in the folder of keys. Guarantees:
 * 1. What is found has been checked as a whole: the key is the certificate's, and neither it nor what is trusted is out of
 *    its time. Else the file is named with what is wrong with it.
 * 2. The private key is held as a `Secret`, and no error repeats any of it.
 */
import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { CertificateEnd, CertificateFact } from '../kernel/state.js';
import { Secret } from '../model/secret.js';
import type { CertificateFiles } from '../model/vpn.js';

const MAX_BYTES = 64 * 1024;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const KEY = /-----BEGIN ((?:EC |RSA |ENCRYPTED )?PRIVATE KEY)-----[\s\S]+?-----END \1-----/;

/** Of a file, said to whoever reads the status. */
class Unusable extends Error {
  constructor(file: string, wrong: string) {
    super(`${file}: ${wrong}`);
  }
}

export function readCertificates(directory: string, files: CertificateFiles, nowMs: number): CertificateFact {
  try {
    const [own, ...between] = certificatesIn(directory, files.own, nowMs);
    const trusted = certificatesIn(directory, files.trusted, nowMs);
    const key = keyIn(directory, files.key);
    if (!own) throw new Unusable(files.own, 'has no certificate in PEM');
    if (!own.checkPrivateKey(key)) throw new Unusable(files.key, `is not the key of the certificate in ${files.own}`);
    const text = key.export({ type: 'pkcs8', format: 'pem' }).toString();
    const secret = new Secret(text, createHash('sha256').update(text).digest('base64').slice(0, 16));
    const all = [own, ...between, ...trusted];
    const parts = all.map(({ fingerprint256 }) => fingerprint256);
    return {
      certificates: {
        own: own.toString(),
        between: between.map(String),
        key: secret,
        authorities: trusted.filter(({ ca }) => ca).map(String),
        peers: trusted.filter(({ ca }) => !ca).map(String),
        names: namesOf(own),
        firstEnd: all.map(endOf).reduce((first, end) => (end.atMs < first.atMs ? end : first)),
        fingerprint: createHash('sha256').update(parts.join()).digest('hex').slice(0, 16),
      },
    };
  } catch (error) {
    return { wrong: error instanceof Unusable ? error.message : `${files.own}: holds what cannot be made sense of` };
  }
}

function textOf(directory: string, file: string): string {
  try {
    const stat = statSync(join(directory, file));
    if (!stat.isFile()) throw new Unusable(file, 'is not a regular file');
    if (stat.size > MAX_BYTES) throw new Unusable(file, `is longer than ${MAX_BYTES} bytes`);
    return readFileSync(join(directory, file), 'latin1');
  } catch (error) {
    if (error instanceof Unusable) throw error;
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new Unusable(file, missing ? `is not in ${directory}` : 'cannot be read');
  }
}

function certificatesIn(directory: string, file: string, nowMs: number): X509Certificate[] {
  const texts = textOf(directory, file).match(CERTIFICATE) ?? [];
  if (texts.length === 0) throw new Unusable(file, 'has no certificate in PEM');
  return texts.map((text) => {
    const certificate = parsed(file, text);
    const [from, to] = [Date.parse(certificate.validFrom), endOf(certificate).atMs];
    if (nowMs > to) throw new Unusable(file, `expired at ${new Date(to).toISOString()} (${subjectOf(certificate)})`);
    if (nowMs < from)
      throw new Unusable(file, `is not valid before ${new Date(from).toISOString()} (${subjectOf(certificate)})`);
    return certificate;
  });
}

function parsed(file: string, text: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch {
    throw new Unusable(file, 'has something that begins as a certificate and is none');
  }
}

function keyIn(directory: string, file: string): KeyObject {
  const [text, label] = KEY.exec(textOf(directory, file)) ?? [];
  if (text === undefined) throw new Unusable(file, 'has no private key in PEM');
  if (label === 'ENCRYPTED PRIVATE KEY' || text.includes('Proc-Type: 4,ENCRYPTED'))
    throw new Unusable(file, 'has a passphrase; a key without one is wanted');
  try {
    return createPrivateKey(text);
  } catch {
    throw new Unusable(file, 'has something that begins as a private key and is none');
  }
}

/** As it stands in the certificate, in one line. */
const subjectOf = ({ subject }: X509Certificate): string => subject.split('\n').join(', ');

const endOf = (certificate: X509Certificate): CertificateEnd => ({
  subject: subjectOf(certificate),
  atMs: Date.parse(certificate.validTo),
});

function namesOf(certificate: X509Certificate): string[] {
  const alternative = [...(certificate.subjectAltName ?? '').matchAll(/(DNS|email|IP Address):([^\s,"]+)/g)];
  return [...alternative.map(([, , name = '']) => name), subjectOf(certificate)].filter((name) => name !== '');
}
