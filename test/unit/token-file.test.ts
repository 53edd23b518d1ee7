import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newToken, parseAccounts, TokenFile } from '../../gateway/http/token-file.js';
import { AuditFile } from '../../gateway/system/audit-file.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vpcgw-unit-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('the accounts', () => {
  const { sha256 } = newToken();

  it('are read from YAML and from JSON', () => {
    const accounts = [{ name: 'ci', role: 'editor', sha256 }];
    for (const text of [JSON.stringify(accounts), `- {name: ci, role: editor, sha256: ${sha256}}\n`])
      expect(parseAccounts(text)).toMatchObject([{ name: 'ci', role: 'editor' }]);
    expect(parseAccounts('[]')).toEqual([]);
  });

  it.each([
    ['[', 'is neither YAML nor JSON'],
    ['', 'expected array'],
    ['name: ci', 'expected array'],
    [`- {name: ci, role: king, sha256: ${sha256}}`, 'role'],
    [`- {name: "a b", role: viewer, sha256: ${sha256}}`, 'is no name'],
    ['- {name: ci, role: viewer, sha256: vpcgw_the-token-itself}', 'must be a SHA-256'],
    [`- {name: ci, role: viewer, sha256: ${sha256}, token: x}`, 'token'],
    [`- &a {name: ci, role: viewer, sha256: ${sha256}}\n- *a`, 'a name stands twice'],
  ])('%j: %s', (text, words) => {
    expect(() => parseAccounts(text)).toThrow(words);
    expect(() => parseAccounts(text)).not.toThrow('the-token-itself');
  });
});

describe('the tokens file', () => {
  const known = newToken();
  const line = `- {name: ci, role: editor, sha256: ${known.sha256}}\n`;
  const write = (text: string, mode = 0o600): string => {
    const path = join(directory, 'tokens.yaml');
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };

  it('knows a token by its digest, and nothing else', () => {
    const file = new TokenFile(write(line), () => undefined);
    expect(file.find(known.token)).toEqual({ name: 'ci', role: 'editor' });
    for (const token of ['', known.sha256, `${known.token} `, newToken().token])
      expect(file.find(token)).toBeUndefined();
  });

  it.each([0o640, 0o400, 0o600])('may have mode %o', (mode) => {
    expect(new TokenFile(write(line, mode), () => undefined).find(known.token)).toBeDefined();
  });

  it.each([0o644, 0o660, 0o602, 0o666])('may not have mode %o', (mode) => {
    expect(() => new TokenFile(write(line, mode), () => undefined)).toThrow(/has mode 6\d\d; it must be 600 or 640/);
  });

  it('says once what is wrong with it later, and lets nobody in until it is mended', () => {
    const troubles: string[] = [];
    const path = write(line);
    const file = new TokenFile(path, (message) => troubles.push(message));
    write('- broken: true\n');
    expect([file.find(known.token), file.find(known.token)]).toEqual([undefined, undefined]);
    rmSync(path);
    expect(file.find(known.token)).toBeUndefined();
    expect(troubles).toHaveLength(2);
    write(line);
    expect(file.find(known.token)).toBeDefined();
  });
});

describe('the audit file', () => {
  it('is bounded: the oldest lines go', () => {
    const file = new AuditFile<{ n: number }>(directory, 1_000);
    for (let n = 1; n <= 1_000; n++) file.append({ n });
    const kept = file.last(10_000).map(({ n }) => n);
    expect(kept.at(-1)).toBe(1_000);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 1_000 - kept.length + 1 + i));
    expect(kept.length).toBeGreaterThan(80);
    expect(kept.length).toBeLessThan(250);
    expect(file.last(3)).toEqual([{ n: 998 }, { n: 999 }, { n: 1_000 }]);
  });
});
