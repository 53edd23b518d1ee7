import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { redact } from '../../gateway/insight/bundle/redact.js';
import { TAR_END, tarEntry } from '../../gateway/insight/bundle/tar.js';

// What leaves the machine in a support bundle, and in what.

const KEY = 'yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=';

describe('redact', () => {
  it.each([
    ['a private key', `a\n-----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY-----\nb`],
    ['one in JSON', JSON.stringify({ text: '-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n' })],
    ['a token', 'curl vpcgw_hunter2hunter2hunter2'],
    ['a header', 'Authorization: Bearer hunter2.x'],
    ['YAML', 'spec:\n  password: hunter2 hunter2\n  next: 1'],
    ['quoted YAML', `  'preSharedKey': 'it''s hunter2'\n`],
    ['flow style', 'spec: {a: 1, secret: hunter2, b: 2}'],
    ['a comment', '# the token: hunter2'],
    ['a block', 'spec:\n  clientSecret: |\n    hunter2\n\n    hunter2\n  next: 1'],
    ['a value on the next line', 'spec:\n  password:\n    hunter2\n  next: 1'],
    ['an item', '- token: >-\n    hunter2\n- other'],
    ['JSON', JSON.stringify({ privateKey: 'hun"ter2 hunter2', next: 1 }, undefined, 2)],
    ['an assignment', 'VPCGW_TOKEN=hunter2'],
  ])('takes out %s', (_, text) => {
    const result = redact(text);
    expect(result).not.toMatch(/hunter2|ter2/);
    expect(result).toContain('[redacted]');
    for (const kept of ['next: 1', '"next": 1', '- other']) if (text.includes(kept)) expect(result).toContain(kept);
  });

  it('takes out keys of WireGuard wherever they stand, and leaves the rest alone', () => {
    expect(redact(`peer ${KEY} up`)).toBe('peer [redacted] up');
    const plain = 'spec:\n  address: 203.0.113.10\n-A VG-D -d 203.0.113.10/32 -j DNAT --to-destination 10.0.0.5\n';
    expect(redact(plain)).toBe(plain);
    expect(redact('the tokens file has no account')).toBe('the tokens file has no account');
    const digest = `{"digest": "${'0af3'.repeat(16)}"}`;
    expect(redact(digest)).toBe(digest);
  });

  it('takes no longer for text that is made to be slow', () => {
    const began = performance.now();
    for (const piece of ['token', 'secret:', ' ', 'A', '\n ', '"', '-----BEGIN PRIVATE KEY-----'])
      redact(piece.repeat(20_000));
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});

describe('tar', () => {
  it('is what tar reads', () => {
    const archive = Buffer.concat([
      tarEntry('folder/a.txt', Buffer.from('first'), 1),
      tarEntry('folder/b.txt', Buffer.alloc(512, 'b'), 1),
      tarEntry('folder/empty', Buffer.alloc(0), 1),
      TAR_END,
    ]);
    const tar = (...args: string[]) => spawnSync('tar', args, { input: archive });
    expect(tar('-tf', '-')).toMatchObject({ status: 0, stderr: Buffer.alloc(0) });
    expect(tar('-tf', '-').stdout.toString()).toBe('folder/a.txt\nfolder/b.txt\nfolder/empty\n');
    expect(tar('-xOf', '-').stdout.toString()).toBe(`first${'b'.repeat(512)}`);
  });
});
