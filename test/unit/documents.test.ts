import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { locate, parseDocuments, ParseCache, parseSources, splitDocuments } from '../../gateway/documents/parse.js';
import { VpcgwError } from '../../gateway/errors.js';
import { formatDiagnostic } from '../../gateway/model/diagnostic.js';
import { readFiles, readFolder } from '../../gateway/system/folder-source.js';
import { spec } from '../support/complaints.js';

// From the bytes of files to documents, and back from a document to its line and column.

const eip = (name: string, address = '203.0.113.10'): string => spec('ElasticIP', name, `  address: ${address}\n`);
const diagnosticsOf = (text: string): string[] =>
  parseDocuments([{ file: 'a.yaml', text }]).diagnostics.map(formatDiagnostic);

describe('positions', () => {
  it('count lines over several documents, comments and blank lines', () => {
    const text = `# the first\n\n${eip('a')}\n---\n\n# the second\n${eip('b', '010.0.0.1')}---\n---\n# nothing\n---\n${eip('c', '1.2.3')}`;
    const lines = text.split('\n');
    expect([lines[15], lines[24]]).toEqual(['  address: 010.0.0.1', '  address: 1.2.3']);
    expect(diagnosticsOf(text)).toEqual([
      'a.yaml:16:12: spec.address: "010.0.0.1" has a leading zero: some programs read that as octal; write it without',
      'a.yaml:25:12: spec.address: "1.2.3" is not an IPv4 or IPv6 address',
    ]);
  });

  it('are the same for CRLF files', () => {
    const unix = `# first\n${eip('a', '1.2.3')}---\n${eip('b', '4.5.6')}`;
    const said = diagnosticsOf(unix);
    expect(said).toHaveLength(2);
    expect(diagnosticsOf(unix.replaceAll('\n', '\r\n'))).toEqual(said);
  });

  it('count columns where a document begins on the line of its marker', () => {
    const text = `${eip('a')}--- {apiVersion: vpcgw.io/v1alpha1, kind: ElasticIP, metadata: {name: b}, spec: {address: 1.2.3}}\n`;
    const line = text.split('\n')[5] ?? '';
    expect(diagnosticsOf(text)).toEqual([
      `a.yaml:6:${line.indexOf('1.2.3') + 1}: spec.address: "1.2.3" is not an IPv4 or IPv6 address`,
    ]);
    expect(diagnosticsOf(text.slice(text.indexOf('---')))).toEqual([
      `a.yaml:1:${line.indexOf('1.2.3') + 1}: spec.address: "1.2.3" is not an IPv4 or IPv6 address`,
    ]);
  });

  it('count a wide character as what an editor shows', () => {
    const text = `apiVersion: vpcgw.io/v1alpha1\nkind: ElasticIP\nmetadata: {labels: {é: "ü"}, name: UPPER}\nspec: {address: 203.0.113.1}\n`;
    expect(diagnosticsOf(text)[0]).toMatch(/^a\.yaml:3:36: metadata\.name: "UPPER"/);
  });

  it('are found again in a document that was accepted', () => {
    const { documents } = parseDocuments([{ file: 'a.yaml', text: `# one\n${eip('a')}--- # two\n${eip('b')}` }]);
    expect(documents.map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
    const at = (path: PropertyKey[]): string[] =>
      documents.map(({ source }) => Object.values(locate(source, path)).join(':'));
    expect(at(['spec', 'address'])).toEqual(['a.yaml:6:12', 'a.yaml:12:12']);
    expect(at(['kind'])).toEqual(['a.yaml:3:7', 'a.yaml:9:7']);
    expect(at(['spec', 'target', 'address'])).toEqual(['a.yaml:6:3', 'a.yaml:12:3']);
    expect(at([])).toEqual(['a.yaml:2:1', 'a.yaml:8:1']);
  });

  it('move with a document that the cache knows', () => {
    const cache = new ParseCache();
    const said = (text: string): string[] =>
      parseSources(splitDocuments({ file: 'a.yaml', text }), cache).diagnostics.map(formatDiagnostic);
    const document = eip('a', '1.2.3');
    expect(said(document)[0]).toMatch(/^a\.yaml:5:12:/);
    expect(said(`# one\n# two\n---\n${document}`)[0]).toMatch(/^a\.yaml:8:12:/);
    expect(said(document)[0]).toMatch(/^a\.yaml:5:12:/);
  });
});

describe('documents that are taken', () => {
  it('leave out empty ones and comments', () => {
    const names = (text: string): string[] =>
      parseDocuments([{ file: 'a.yaml', text }]).documents.map(({ metadata }) => metadata.name);
    const text = `%YAML 1.2\n---\n${eip('a')}`;
    expect([names(text), diagnosticsOf(text)]).toEqual([['a'], []]);
    expect(names('')).toEqual([]);
    expect(names('---\n---\n...\n')).toEqual([]);
    expect(names('# only\n  # comments\n')).toEqual([]);
    expect(names(`---\n${eip('a')}...\n---\n${eip('b')}---`)).toEqual(['a', 'b']);
    expect(names(`\uFEFF${eip('a')}`)).toEqual(['a']);
  });

  it('may use a few aliases, JSON, and a text that looks like a marker', () => {
    const json = JSON.stringify({
      apiVersion: 'vpcgw.io/v1alpha1',
      kind: 'ElasticIP',
      metadata: { name: 'a' },
      spec: { address: '203.0.113.10' },
    });
    expect(diagnosticsOf(json)).toEqual([]);
    const text = `apiVersion: vpcgw.io/v1alpha1\nkind: SnatRule\nmetadata: {name: a, annotations: {note: "---", b: |\n    ----\n}}\nspec:\n  sources: [{cidr: &net 10.0.0.0/24}]\n  elasticIPs: [nat]\n`;
    expect(diagnosticsOf(text)).not.toContain('a.yaml');
    expect(
      diagnosticsOf(spec('SnatRule', 'a', '  sources: [&s {cidr: 10.0.0.0/24}, *s]\n  elasticIPs: [nat]\n')),
    ).toEqual([]);
  });
});

describe('what is not YAML', () => {
  it('is said with its line and column', () => {
    expect(diagnosticsOf('kind: ElasticIP\n\tmetadata: {}\n')).toMatchInlineSnapshot(`
      [
        "a.yaml:2:1: not YAML: Tabs are not allowed as indentation",
      ]
    `);
    expect(diagnosticsOf('kind: [1, 2\nspec: {}\n')).toMatchInlineSnapshot(`
      [
        "a.yaml:2:1: not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
      ]
    `);
    expect(diagnosticsOf('kind: "unfinished\n')).toMatchInlineSnapshot(`
      [
        "a.yaml:2:1: not YAML: Missing closing "quote",
      ]
    `);
    expect(diagnosticsOf('a: b: c\n')).toMatchInlineSnapshot(`
      [
        "a.yaml:1:4: not YAML: Nested mappings are not allowed in compact mappings",
      ]
    `);
    expect(diagnosticsOf('\u0000\u0001\u0002')).toMatchInlineSnapshot(`
      [
        "a.yaml:1:1: must be an object with apiVersion, kind, metadata and spec",
      ]
    `);
    expect(diagnosticsOf('%PDF-1.7 \n1 0 obj\n')).toMatchInlineSnapshot(`
      [
        "a.yaml:2:1: not YAML: Missing directives-end/doc-start indicator line",
      ]
    `);
    expect(diagnosticsOf('kind: *nowhere\n')).toMatchInlineSnapshot(`
      [
        "a.yaml:1:7: kind: *nowhere has no anchor &nowhere before it",
      ]
    `);
    expect(diagnosticsOf('kind: !!js/function "function () {}"\n')).toMatchInlineSnapshot(`
      [
        "a.yaml:1:1: apiVersion: must be vpcgw.io/v1alpha1",
      ]
    `);
    expect(diagnosticsOf(`${eip('a')}---\nkind: ElasticIP\n  name: [\n`)).toMatchInlineSnapshot(`
      [
        "a.yaml:7:7: not YAML: Nested mappings are not allowed in compact mappings",
        "a.yaml:9:1: not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
      ]
    `);
  });

  it('names a key that stands twice, on any level', () => {
    const twice = spec('ElasticIP', 'a', '  address: 203.0.113.10\n  address: 203.0.113.11\n');
    expect(diagnosticsOf(twice)).toMatchInlineSnapshot(`
      [
        "a.yaml:6:3: the key stands twice in this map; keep one",
      ]
    `);
    expect(diagnosticsOf(`${eip('a')}spec: {address: 203.0.113.11}\nkind: SnatRule\n`)).toMatchInlineSnapshot(`
      [
        "a.yaml:6:1: the key stands twice in this map; keep one",
        "a.yaml:7:1: the key stands twice in this map; keep one",
      ]
    `);
  });

  it('names the path of a number with a leading zero', () => {
    const lines = '  elasticIP: nat\n  protocol: TCP\n  port: 0080\n  target: {address: 10.0.0.5}\n';
    expect(diagnosticsOf(spec('DnatRule', 'a', lines))).toMatchInlineSnapshot(`
      [
        "a.yaml:7:9: spec.port: 0080 has a leading zero; write 80",
      ]
    `);
    expect(diagnosticsOf(spec('SnatRule', 'a', '  sources: []\n  elasticIPs: [a, 007]\n'))).toMatchInlineSnapshot(`
      [
        "a.yaml:6:19: spec.elasticIPs[1]: 007 has a leading zero; write 7",
      ]
    `);
  });
});

describe('what is too much', () => {
  const bomb = (levels: number, width: number): string =>
    Array.from({ length: levels }, (_, i) =>
      i === 0 ? `a0: &a0 [${'x, '.repeat(width)}]` : `a${i}: &a${i} [${`*a${i - 1}, `.repeat(width)}]`,
    ).join('\n');

  /** Refused, in a time that nobody notices and without growing. */
  function refusedCheaply(text: string): string[] {
    const before = process.memoryUsage().rss;
    const began = performance.now();
    const said = diagnosticsOf(text);
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(300e6);
    // How deep is too deep depends on the stack.
    return said.map((line) => line.replace(/\d+(?=: nested)/, 'N'));
  }

  it('an alias bomb', () => {
    expect(refusedCheaply(bomb(10, 10))).toMatchInlineSnapshot(`
      [
        "a.yaml:1:1: aliases cannot be resolved: Excessive alias count indicates a resource exhaustion attack",
      ]
    `);
    expect(refusedCheaply(`${bomb(30, 30)}\n`)).toMatchInlineSnapshot(`
      [
        "a.yaml:1:1: aliases cannot be resolved: Excessive alias count indicates a resource exhaustion attack",
      ]
    `);
    const inside = `apiVersion: vpcgw.io/v1alpha1\nkind: ElasticIP\nmetadata: {name: a}\nspec: {address: 203.0.113.10}\nstatus:\n${bomb(9, 9).replace(/^/gm, '  ')}\n`;
    expect(refusedCheaply(inside)).toMatchInlineSnapshot(`
      [
        "a.yaml:1:1: aliases cannot be resolved: Excessive alias count indicates a resource exhaustion attack",
      ]
    `);
    expect(refusedCheaply('a: &a [*a]\n')).toMatchInlineSnapshot(`
      [
        "a.yaml:1:1: apiVersion: must be vpcgw.io/v1alpha1",
      ]
    `);
  });

  it('deep nesting', () => {
    expect(refusedCheaply('['.repeat(100_000))).toMatchInlineSnapshot(`
      [
        "a.yaml:1:N: nested too deeply; no field of the language is more than five levels down",
      ]
    `);
    expect(refusedCheaply(`a: ${'['.repeat(50_000)}${']'.repeat(50_000)}\n`)).toMatchInlineSnapshot(`
      [
        "a.yaml:1:N: nested too deeply; no field of the language is more than five levels down",
      ]
    `);
    expect(refusedCheaply(`a: ${'{a: '.repeat(20_000)}${'}'.repeat(20_000)}\n`)).toMatchInlineSnapshot(`
      [
        "a.yaml:1:N: nested too deeply; no field of the language is more than five levels down",
      ]
    `);
    expect(refusedCheaply(Array.from({ length: 500 }, (_, i) => `${' '.repeat(i)}a:\n`).join('')))
      .toMatchInlineSnapshot(`
      [
        "a.yaml:1:1: apiVersion: must be vpcgw.io/v1alpha1",
      ]
    `);
    for (const depth of [300, 700, 1_000, 2_000, 4_000, 8_000]) {
      expect(refusedCheaply(`a: ${'['.repeat(depth)}${']'.repeat(depth)}\n`)).toHaveLength(1);
      expect(refusedCheaply(`a:\n${' - '.repeat(depth)}\n`)).toHaveLength(1);
    }
  });

  it('a document of 300 KB, and a text beyond 16 MiB', () => {
    expect(refusedCheaply(`# ${'x'.repeat(300 * 1024)}\n${eip('a')}`)).toMatchInlineSnapshot(`
      [
        "a.yaml:1:1: the document is larger than 256 KiB",
      ]
    `);
    expect(refusedCheaply('x'.repeat(17 * 1024 * 1024))).toMatchInlineSnapshot(`
      [
        "a.yaml:1:1: the file is larger than 16 MiB; split it",
      ]
    `);
  });
});

describe('files', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vpcgw-test-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const put = (name: string, content: string | Buffer): void => writeFileSync(join(folder, name), content);
  function refusal(): string[] {
    try {
      readFolder(folder);
    } catch (error) {
      if (!(error instanceof VpcgwError)) throw error;
      return [error.message, ...error.diagnostics.map(formatDiagnostic)].map((line) =>
        line.replaceAll(folder, 'FOLDER'),
      );
    }
    return [];
  }

  it('are read in the order of their names, those that are documents', () => {
    put('b.yaml', 'b');
    put('a.yml', 'a');
    put('.hidden.yaml', 'x');
    put('c.yaml~', 'x');
    put('notes.txt', 'x');
    expect(readFolder(folder)).toEqual([
      { file: join(folder, 'a.yml'), text: 'a' },
      { file: join(folder, 'b.yaml'), text: 'b' },
    ]);
  });

  it('of 50 MB are refused without being read', () => {
    put('huge.yaml', '');
    truncateSync(join(folder, 'huge.yaml'), 50e6);
    const before = process.memoryUsage();
    expect(refusal()).toMatchInlineSnapshot(`
      [
        "1 file cannot be read",
        "FOLDER/huge.yaml:1:1: the file is larger than 16 MiB; split it",
      ]
    `);
    const grown = process.memoryUsage();
    expect(grown.rss - before.rss + grown.arrayBuffers - before.arrayBuffers).toBeLessThan(20e6);
  });

  it('that are not UTF-8 are refused, all of them at once', () => {
    put('latin.yaml', Buffer.from('# gr\xfc\xdfe\n', 'latin1'));
    put('utf16.yaml', Buffer.from('\ufeffkind: ElasticIP\n', 'utf16le'));
    put('good.yaml', '# grüße\n');
    expect(refusal()).toMatchInlineSnapshot(`
      [
        "2 files cannot be read",
        "FOLDER/latin.yaml:1:1: is not UTF-8 text",
        "FOLDER/utf16.yaml:1:1: is not UTF-8 text",
      ]
    `);
  });

  it('that cannot be read are named', () => {
    expect(() => readFiles([join(folder, 'absent.yaml')])).toThrow(VpcgwError);
    rmSync(folder, { recursive: true });
    expect(refusal()).toMatchInlineSnapshot(`
      [
        "the folder FOLDER cannot be read: ENOENT: no such file or directory, scandir 'FOLDER'",
      ]
    `);
  });

  it('that are folders, links to nowhere or pipes are named, and nobody waits for them', () => {
    symlink('nowhere', 'dangling.yaml');
    mkdir('folder.yaml');
    execFileSync('mkfifo', [join(folder, 'pipe.yaml')]);
    expect(refusal()).toMatchInlineSnapshot(`
      [
        "3 files cannot be read",
        "FOLDER/dangling.yaml:1:1: ENOENT: no such file or directory, stat 'FOLDER/dangling.yaml'",
        "FOLDER/folder.yaml:1:1: is not a regular file",
        "FOLDER/pipe.yaml:1:1: is not a regular file",
      ]
    `);
  });

  const symlink = (to: string, name: string): void => symlinkSync(to, join(folder, name));
  const mkdir = (name: string): void => mkdirSync(join(folder, name));
});
