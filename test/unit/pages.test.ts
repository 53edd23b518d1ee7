import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { IPVS_SYSCTLS, LINE_SYSCTLS, networkSysctls, PAIR_SYSCTLS } from '../../gateway/features/network-sysctls.js';
import type { GatewayModel } from '../../gateway/model/gateway-model.js';
import { MARK } from '../../gateway/model/ownership.js';

// The pages that are written by hand name all that a gateway puts into the kernel, and all that it tells in figures.

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const page = read('docs/kernel.md');
const golden = readdirSync(new URL('../golden', import.meta.url))
  .filter((name) => name.endsWith('.kernel'))
  .map((name) => read(`test/golden/${name}`))
  .join('\n');

/** Of a part of the page, what stands between backquotes and begins so: `n` for a number, `*` for anything. */
const named = (part: string, prefix: string): RegExp[] =>
  [...(page.split(`\n## ${part}\n`)[1]?.split('\n## ')[0] ?? '').matchAll(/`([^`\s]+)`/g)].flatMap(([, name = '']) =>
    name.startsWith(prefix)
      ? [
          new RegExp(
            `^${name
              .replace('.', '\\.')
              .replace(/n(?=$|-)|N(?=\\)/, '\\d+')
              .replace('*', '.+')}$`,
          ),
        ]
      : [],
  );
const unnamed = (names: Iterable<string>, by: readonly RegExp[]): string[] =>
  [...new Set(names)].filter((name) => !by.some((pattern) => pattern.test(name)));
const matches = (pattern: RegExp): string[] => [...golden.matchAll(pattern)].map(([, found = '']) => found);
/** `net.{ipv4,ipv6}.x` are two. */
const spread = (name: string): string[] => {
  const [whole, inner = ''] = /\{([^}]*)\}/.exec(name) ?? [];
  return whole === undefined ? [name] : inner.split(',').flatMap((each) => spread(name.replace(whole, each)));
};

describe('the page of the kernel', () => {
  it('names every chain, set and rule', () => {
    expect(unnamed(matches(/^(?:mangle|nat|filter) (VG-\S+)$/gm), named('Chains', 'VG-'))).toEqual([]);
    expect(
      unnamed(
        matches(/^(vg-\S+) hash:/gm).map((name) => name.replace(/-6$/, '-4')),
        named('Sets', 'vg-'),
      ),
    ).toEqual([]);
    const rules = [...page.matchAll(/^\| (\d+)( \+ n)? \|/gm)].map(([, first, more]) => [
      Number(first),
      more ? 255 : 0,
    ]);
    const preferences = matches(/^[46] (\d+): /gm).map(Number);
    const holds = (wanted: number) => rules.some(([first = 0, more = 0]) => wanted >= first && wanted <= first + more);
    expect(preferences.filter((wanted) => !holds(wanted))).toEqual([]);
  });

  it('names every bit of the mark', () => {
    const bits = [...page.matchAll(/^\| [\d-]+ \| `0x([0-9a-f]+)` \|/gm)].reduce(
      (all, [, bit]) => all | Number(`0x${bit}`),
      0,
    );
    for (const [name, mask] of Object.entries(MARK)) if (!name.endsWith('Shift')) expect(bits & mask, name).toBe(mask);
  });

  it('and the Dockerfile name every sysctl', () => {
    const all = {
      ...networkSysctls({ timeouts: {} as GatewayModel['timeouts'] }),
      ...LINE_SYSCTLS,
      ...PAIR_SYSCTLS,
      ...IPVS_SYSCTLS,
    };
    const onPage = new Set([...page.matchAll(/`(net\.[^`]+)`/g)].flatMap(([, name = '']) => spread(name)));
    const dockerfile = read('Dockerfile').split(/\s+/);
    for (const [name, value] of Object.entries(all)) {
      expect(onPage).toContain(name);
      expect(dockerfile).toContain(`${name}=${value}`);
    }
  });
});

it('the table of metrics names every one', () => {
  const folder = new URL('../../gateway/metrics', import.meta.url);
  const sources = readdirSync(folder).map((name) => read(`gateway/metrics/${name}`));
  const told = sources.flatMap((text) => [
    ...text.matchAll(/(?:name: '|# TYPE |gauge\('|gauge\(\s+')(vpcgw_[a-z_]+)/g),
  ]);
  const table = read('README.md');
  expect(told.length).toBeGreaterThan(20);
  expect(told.map(([, name]) => name).filter((name) => !new RegExp(`\`${name}[\`{]`).test(table))).toEqual([]);
});
