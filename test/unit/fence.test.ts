import { describe, expect, it } from 'vitest';
import { fenceTables } from '../../gateway/kernel/fence/render.js';
import { commandsFrom } from '../../gateway/kernel/fence/tables.js';
import { exampleMember } from '../support/example-member.js';

const rendered = (names: readonly string[], change: object = {}): string =>
  fenceTables({
    links: names.map((name, index) => ({ name: `vg-${name}`, parent: name, mac: `02:76:67:00:00:0${index}` })),
    highAvailability: { mode: 'AcrossNodes', advertIntervalMs: 50, virtualRouterId: 1, ...change },
    member: exampleMember,
  });
const strict = { vote: { engine: 'Etcd', servers: [], name: 'x' } };
/** As nft prints it: indented, and without what the sets hold. */
const listed = (text: string): string => text.replace(/^add element .*$/m, '').replace(/^(?!table|\}$)/gm, '\t');
const heads = (text: string): string[] => text.split('\n').filter((line) => /^(table|chain|delete)/.test(line));

describe('a fence that changes', () => {
  it('gets the chains of another link, and keeps all else', () => {
    expect(heads(commandsFrom(listed(rendered(['vpc0'])), rendered(['vpc0', 'ext0'])))).toEqual(
      ['arrives-vg-ext0', 'leaves-vg-ext0', 'enters-ext0', 'below-ext0'].flatMap((chain) => [
        'table netdev vpcgw_fence {',
        `chain ${chain} {`,
      ]),
    );
    expect(commandsFrom(listed(rendered(['vpc0', 'ext0'])), rendered(['vpc0'])).split('\n')).toEqual(
      ['arrives-vg-ext0', 'leaves-vg-ext0', 'enters-ext0', 'below-ext0'].flatMap((chain) => [
        ...['table netdev vpcgw_fence {', `chain ${chain} {`, '}', '}'],
        `delete chain netdev vpcgw_fence ${chain}`,
      ]),
    );
  });

  it('keeps what was promised, and begins with a promise only where nothing is known', () => {
    const [one, two] = [rendered(['vpc0'], strict), rendered(['vpc0', 'ext0'], strict)];
    expect(commandsFrom(listed(one), two)).not.toContain('add element');
    expect(commandsFrom('', two)).toContain('add element');
  });

  it('is made anew where its sets are other ones, or hold what nobody wants', () => {
    const [one, two] = [rendered(['vpc0']), rendered(['vpc0'], { advertIntervalMs: 100 })];
    const anew = ['table netdev vpcgw_fence', 'delete table netdev vpcgw_fence'];
    expect(heads(commandsFrom(listed(one), two)).slice(0, 2)).toEqual(anew);
    const more = one.replace('set heard {', 'set strange {\ntype iface_type\n}\nset heard {');
    expect(heads(commandsFrom(listed(more), one)).slice(0, 2)).toEqual(anew);
  });
});
