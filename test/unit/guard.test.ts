import { describe, expect, it } from 'vitest';
import { asFormer } from '../../gateway/kernel/guard/render.js';

// The guard of before beside the next one, while a change is under way.

const OURS = `table inet vpcgw_guard {
set outside { type ifname; elements = { "ext0", "vg-ext0" }; }
chain postrouting { type filter hook postrouting priority 300; policy accept;
ip saddr 10.0.0.0/24 oifname @outside counter drop
}
}`;
const PRINTED = `table inet vpcgw_guard {
	set outside {
		type ifname
		elements = { "vg-ext0", "ext0" }
	}

	chain postrouting {
		type filter hook postrouting priority 300; policy accept;
		ip saddr 10.0.0.0/24 oifname @outside counter drop
	}
}`;
const namesIn = (text: string): string[] =>
  [...text.matchAll(/(?:^|\s)((?:set|chain) \w+|@\w+)/g)].map(([, name = '']) => name);
const inside = (text: string): string => text.slice(text.indexOf('{') + 1, text.lastIndexOf('}'));

describe('the former guard', () => {
  it('has names of its own, as we write it and as nft prints it', () => {
    for (const text of [OURS, PRINTED]) {
      const names = namesIn(asFormer(text));
      expect(names).toEqual([
        expect.stringMatching(/^set former_[0-9a-f]{8}_outside$/),
        expect.stringMatching(/^chain former_[0-9a-f]{8}_postrouting$/),
        expect.stringMatching(/^@former_[0-9a-f]{8}_outside$/),
      ]);
      expect(asFormer(text)).toContain('ip saddr 10.0.0.0/24');
    }
  });

  it('is there once, however often a change fails, and those before it stay', () => {
    const beside = (next: string, former: string): string =>
      `table inet vpcgw_guard {${inside(next)}${inside(former)}}`;
    const other = OURS.replace('10.0.0.0/24', '10.1.0.0/24');
    let table = beside(other, asFormer(OURS));
    for (let attempt = 0; attempt < 5; attempt++) {
      table = beside(OURS, asFormer(table));
      table = beside(other, asFormer(table));
    }
    const chains = namesIn(table).filter((name) => name.startsWith('chain '));
    expect(chains).toHaveLength(3);
    expect(Math.max(...chains.map(({ length }) => length))).toBeLessThan(50);
    expect(table.match(/10\.0\.0\.0\/24/g)).toHaveLength(1);
    expect(table.match(/10\.1\.0\.0\/24/g)).toHaveLength(2);
  });
});
