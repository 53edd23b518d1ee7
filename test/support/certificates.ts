import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.js';
import { currentRun } from './run-name.js';

// An authority of the tests' own, and what it signs.

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export class Authority {
  private readonly directory = mkdtempSync(join(currentRun().directory, 'ca-'));

  static async create(name = 'test authority'): Promise<Authority> {
    const authority = new Authority();
    await authority.openssl([
      'req',
      '-x509',
      '-subj',
      `/CN=${name}`,
      '-days',
      // Longer than those that it signs.
      '3',
      ...authority.newKey('ca'),
      '-out',
      authority.ca,
    ]);
    return authority;
  }

  get ca(): string {
    return join(this.directory, 'ca.crt');
  }

  /** For a server with these names, or a client with this subject, such as `/OU=editor/CN=ci`. */
  async sign(name: string, subject: string, names = 'IP:127.0.0.1,DNS:localhost'): Promise<Certificate> {
    const extensions = join(this.directory, `${name}.ext`);
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    const [request, certificate] = [join(this.directory, `${name}.csr`), join(this.directory, `${name}.crt`)];
    await this.openssl(['req', '-subj', subject, ...this.newKey(name), '-out', request]);
    const issuer = ['-CA', this.ca, '-CAkey', join(this.directory, 'ca.key'), '-CAcreateserial', '-days', '2'];
    await this.openssl(['x509', '-req', '-in', request, ...issuer, '-extfile', extensions, '-out', certificate]);
    return { cert: certificate, key: join(this.directory, `${name}.key`) };
  }

  private newKey(name: string): string[] {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    return [...curve, '-keyout', join(this.directory, `${name}.key`)];
  }

  private async openssl(args: readonly string[]): Promise<void> {
    await runCommand(['openssl', ...args]);
  }
}
