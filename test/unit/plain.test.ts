import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitDocuments } from '../../gateway/documents/parse.js';
import { NOT_PLAIN, readPlain } from '../../gateway/documents/plain.js';
import { readTree } from '../../gateway/documents/yaml.js';

// The short way through a plain text has to be the library's way: whatever it takes, with the same value, or nothing.

const written = ['test/golden', 'manifests/examples'].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => join(folder, name))
    .flatMap((file) => splitDocuments({ file, text: readFileSync(file, 'utf8') })),
);

/** Whether it was plain. */
function agrees(text: string): boolean {
  const value = readPlain(text);
  if (value === NOT_PLAIN) return false;
  const { problems, value: wanted } = readTree(text);
  expect({ text, problems, value }).toEqual({ text, problems: [], value: wanted });
  return true;
}

const scalars = [
  ...[
    'a',
    'null',
    'Null',
    'nULL',
    '~',
    'true',
    'True',
    'TRUE',
    'tRUE',
    'false',
    'yes',
    'no',
    'on',
    'y',
    '',
    'NaN',
    '.nan',
  ],
  ...[
    '0',
    '1',
    '-1',
    '+1',
    '007',
    '-0',
    '0x1f',
    '0o17',
    '0b1',
    '1_000',
    '1.5',
    '1.',
    '.5',
    '1e3',
    '1E-3',
    '1e',
    '12e03',
  ],
  ...['1.2.3', '10.0.0.5', '10.0.0.0/24', '2s', '100Mbit', '2001-12-14', '2001-12-14 21:59:43', '12:30:45', '1:2'],
  ...['999999999999999', '9007199254740993', '99999999999999999999', 'fd00::1', 'fd00::', '::/0', 'fd00::/64', '.inf'],
  ...[
    'a b',
    'a  b',
    'a:b',
    'a: b',
    'a :b',
    'a#b',
    'a #b',
    'a, b',
    'a-b',
    '-a',
    '- a',
    '--',
    'a/b',
    '/a',
    '@a',
    '%a',
    '`a',
  ],
  ...[
    '"a"',
    '"a: b"',
    "'a'",
    "'a''b'",
    '"a\\tb"',
    '""',
    "''",
    '"1"',
    "'null'",
    '"a" b',
    '"a"#b',
    '"a" # b',
    '"é"',
    'é',
  ],
  ...[
    '{}',
    '[]',
    '{a}',
    '{a: }',
    '{a: 1}',
    '{a: 1, a: 2}',
    '{"a":1}',
    '{"a": 1}',
    '{"a" : 1}',
    "{'a': 1}",
    '{a:1}',
    '{,}',
  ],
  ...[
    '[a]',
    '[a,b]',
    '[a, b,]',
    '[ a , b ]',
    '[[a], {b: [c]}]',
    '[a: 1]',
    '[a b]',
    '[,]',
    '[a\n, b]',
    '{a: 1\n}',
    '[a #b\n]',
  ],
  ...[
    '&x a',
    '*x',
    '!!str 1',
    '!a b',
    '|',
    '>',
    '|\n a',
    '? a',
    '<<',
    '__proto__',
    'constructor',
    '{__proto__: 1}',
    '{null: 1}',
  ],
];
const keys = [
  'a',
  'b',
  'c.d/e-f',
  '"a"',
  "'b'",
  '"b c"',
  'null',
  'true',
  '1',
  '<<',
  '__proto__',
  'hasOwnProperty',
  'é',
  '? a',
];
const joints = [
  '\n',
  ': ',
  ':',
  ':\n',
  ' ',
  '  ',
  '    ',
  '- ',
  '-',
  '-\n',
  '#',
  ' # x\n',
  '\n\n',
  '{',
  '}',
  '[',
  ']',
  ',',
  ', ',
  '\t',
  '\r\n',
];

/** Text that may be anything, of what YAML is made of. */
const soup = fc
  .array(fc.oneof(fc.constantFrom(...joints), fc.constantFrom(...scalars), fc.constantFrom(...keys)), { maxLength: 12 })
  .map((parts) => parts.join(''));

/** Mostly well-formed, with lines that are moved a little. */
const indented = fc
  .array(
    fc.record({
      indent: fc.nat(5),
      dashes: fc.constantFrom('', '', '- ', '-   ', '- - '),
      key: fc.option(fc.constantFrom(...keys)),
      value: fc.option(fc.constantFrom(...scalars)),
      comment: fc.constantFrom('', '', '', ' # said', '# said', ' '),
    }),
    { minLength: 1, maxLength: 7 },
  )
  .map((lines) =>
    lines
      .map(({ indent, dashes, key, value, comment }) => {
        const pair = key === null ? (value ?? '') : `${key}:${value === null ? '' : ` ${value}`}`;
        return `${' '.repeat(indent)}${dashes}${pair}${comment}\n`;
      })
      .join(''),
  );

/** What somebody wrote, with one mistake in it. */
const mistyped = fc
  .record({
    source: fc.constantFrom(...written),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    removed: fc.nat(3),
    added: fc.oneof(fc.constantFrom(...joints), fc.constantFrom(...scalars)),
  })
  .map(({ source: { text }, at, removed, added }) => {
    const offset = Math.floor(at * text.length);
    return text.slice(0, offset) + added + text.slice(offset + removed);
  });

describe('a plain text', () => {
  it('has the value that the library finds, or is left to the library', () => {
    const plain: Record<string, number> = {};
    for (const [name, texts, numRuns] of [
      ['soup', soup, 15_000],
      ['indented', indented, 15_000],
      ['mistyped', mistyped, 2_000],
    ] as const)
      fc.assert(
        fc.property(texts, (text) => {
          if (agrees(text)) plain[name] = (plain[name] ?? 0) + 1;
        }),
        { numRuns },
      );
    // Else nothing would have been compared.
    for (const name of ['soup', 'indented', 'mistyped']) expect(plain[name], name).toBeGreaterThan(150);
  });

  it.each(scalars)('holds %j as a value, or is left to the library', (scalar) => {
    for (const text of [
      `a: ${scalar}`,
      `a: ${scalar}\nb: 1\n`,
      `- ${scalar}\n`,
      `a: [${scalar}, x]`,
      `a: {b: ${scalar}}`,
      scalar,
    ])
      agrees(text);
  });

  it('is what documents are, as a rule', () => {
    const left = written.filter(({ text }) => !agrees(text)).map(({ file, firstLine }) => `${file}:${firstLine}`);
    expect(written.length).toBeGreaterThan(50);
    expect(left).toEqual([]);
  });

  it('may be JSON', () => {
    const value = { a: 'b', c: [1, true, null, { d: {} }], 'e f': [], g: 'fd00::/64', h: '{', i: '1', j: 'null' };
    expect(readPlain(JSON.stringify(value))).toEqual(value);
    expect(readPlain(JSON.stringify(value, null, 2))).toEqual(value);
  });
});
