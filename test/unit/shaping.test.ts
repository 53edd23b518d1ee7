import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rate } from '../../gateway/api/scalars.js';
import { diffShaping } from '../../gateway/kernel/shaping/diff.js';
import { bitsOf, rateText, sizeText } from '../../gateway/kernel/shaping/entry.js';
import { parseClass, parseFilters, parseNotice, parseQdiscs } from '../../gateway/kernel/shaping/parse.js';
import { type Allocations, type Facts, type Line, NO_ALLOCATIONS } from '../../gateway/kernel/state.js';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import { NO_PRESSURE } from '../../gateway/model/pressure.js';
import { allocateAll } from '../../gateway/reconcile/allocate.js';
import { candidateOf } from '../../gateway/reconcile/candidate.js';
import { compile } from '../../gateway/reconcile/compile.js';
import { formatRate } from '../../gateway/model/bandwidth.js';
import { parseCounts } from '../../gateway/metrics/bandwidth-meters.js';
import { complaintsAbout, spec } from '../support/complaints.js';

const QDISCS = `qdisc noqueue 0: dev ext0 root refcnt 2
qdisc htb 1: dev vg-ext0 root refcnt 2 r2q 10 default 0 direct_packets_stat 12 direct_qlen 1000
qdisc bfifo 10: dev vg-ext0 parent 1:10 limit 128Kb
qdisc fq_codel 11: dev vg-ext0 parent 1:11 limit 1000p flows 32 quantum 1514 target 5ms interval 100ms memory_limit 4Mb ecn drop_batch 64
qdisc ingress ffff: dev vg-ext0 parent ffff:fff1 ----------------
qdisc htb 1: dev eth7 root refcnt 2 r2q 10 default 0 direct_packets_stat 0 direct_qlen 1000
`;
const CLASSES = [
  'class htb 1:1 root rate 400Gbit ceil 400Gbit linklayer ethernet burst 32000000b/1 mpu 0b cburst 32000000b/1 mpu 0b level 7 ',
  'class htb 1:10 parent 1:1 leaf 10: prio 0 quantum 3028 rate 1234Kbit ceil 1234Kbit linklayer ethernet burst 6169b/1 mpu 0b cburst 6169b/1 mpu 0b level 0 ',
  'class htb 1:11 parent 1:1 leaf 11: prio 0 quantum 12500 rate 10Mbit ceil 10Mbit linklayer ethernet burst 1Mb/1 mpu 0b cburst 50000b/1 mpu 0b level 0 ',
];
const FILTERS = `filter protocol ip pref 100 u32 chain 0
filter protocol ip pref 100 u32 chain 0 fh 100: ht divisor 256
filter protocol ip pref 100 u32 chain 0 fh 100:a:1 order 1 key ht 100 bkt a *flowid 1:10 not_in_hw
  match cb00710a/ffffffff at 12
filter protocol ip pref 100 u32 chain 0 fh 100::2 order 2 key ht 100 bkt 0 *flowid 1:11 not_in_hw
  match cb007100/ffffffff at 12
filter protocol ip pref 100 u32 chain 0 fh 800: ht divisor 1
filter protocol ip pref 100 u32 chain 0 fh 800::1 order 1 key ht 800 bkt 0 link 100: not_in_hw
  match 00000000/00000000 at 0
    hash mask 000000ff at 12
filter protocol ip pref 5 bpf chain 0
`;
const HOOKS = `filter protocol ip pref 10 u32 chain 0 fh 801::1 order 1 key ht 801 bkt 0 terminal flowid not_in_hw
  match 00000000/00000000 at 0
	action order 1: mirred (Egress Redirect to device *) stolen
	index 1 ref 1 bind 1
`;

describe('what tc shows', () => {
  it('of queues: ours by device and number', () => {
    const { trunks, leaves } = parseQdiscs(QDISCS);
    expect(trunks).toEqual([
      ['vg-ext0 1:', 'htb default 0 direct_qlen 1000'],
      ['vg-ext0 ffff:', 'ingress'],
    ]);
    expect([...leaves]).toEqual([
      ['vg-ext0 1:10', 'bfifo limit 128Kb'],
      ['vg-ext0 1:11', 'fq_codel limit 1000 flows 32 memory_limit 4Mb'],
    ]);
  });

  it('of classes: a burst only where it is not the one of its rate', () => {
    const { leaves } = parseQdiscs(QDISCS);
    expect(CLASSES.map((line) => parseClass(line, 'vg-ext0', leaves))).toEqual([
      ['vg-ext0 1: class 1:1', 'root rate 400Gbit ceil 400Gbit'],
      ['vg-ext0 1: class 1:10', 'parent 1:1 quantum 3028 rate 1234Kbit ceil 1234Kbit leaf bfifo limit 128Kb'],
      [
        'vg-ext0 1: class 1:11',
        'parent 1:1 quantum 12500 rate 10Mbit ceil 10Mbit burst 1Mb cburst 50000b leaf fq_codel limit 1000 flows 32 memory_limit 4Mb',
      ],
    ]);
  });

  it('of filters: tables, nodes and roots; others’ too, so that they are seen', () => {
    expect(parseFilters(FILTERS, 'vg-ext0 1:')).toEqual([
      ['vg-ext0 1: ip 100 100:', 'divisor 256'],
      ['vg-ext0 1: ip 100 100:a:1', 'match cb00710a/ffffffff at 12 flowid 1:10'],
      ['vg-ext0 1: ip 100 100:0:2', 'match cb007100/ffffffff at 12 flowid 1:11'],
      ['vg-ext0 1: ip 100 ::1', 'match 00000000/00000000 at 0 hash 000000ff at 12 link 100:'],
      ['vg-ext0 1: ip 5 ::', 'bpf'],
    ]);
    expect(parseFilters(HOOKS, 'vg-ext0 ffff:')).toEqual([
      ['vg-ext0 ffff: ip 10 ::1', 'match 00000000/00000000 at 0 redirect *'],
    ]);
  });

  it.each([
    [
      'deleted qdisc htb 1: dev vg-ext0 root r2q 10 default 0 direct_packets_stat 0 direct_qlen 1000',
      'vg-ext0 1:',
      true,
    ],
    ['deleted qdisc bfifo 10: dev vg-ext0 parent 1:10 limit 128Kb', 'vg-ext0 1: class 1:10', true],
    [
      'class htb 1:10 dev vi-ext0 parent 1:1 leaf 10: prio 0 rate 20Mbit ceil 20Mbit burst 125000b cburst 125000b ',
      'vi-ext0 1: class 1:10',
      false,
    ],
    [
      'added filter dev vg-ext0 parent 1: protocol ip pref 5 u32 chain 0 fh 803::800 order 2048 key ht 803 bkt 0 *flowid 1:10 not_in_hw ',
      'vg-ext0 1: ip 5 ::800',
      false,
    ],
    ['deleted filter dev vg-ext0 parent 1: protocol ip pref 100 u32 chain 0 ', 'vg-ext0 1: ip 100 ::1', true],
  ])('as it happens: %s', (line, key, gone) => {
    expect(parseNotice(line)).toMatchObject({ key, gone });
  });

  it('as it happens elsewhere: nothing', () => {
    expect(parseNotice('deleted qdisc htb 1: dev eth7 root r2q 10 default 0')).toBeUndefined();
    expect(parseNotice('  match cb00710a/ffffffff at 12')).toBeUndefined();
  });

  it('of counters: bytes of the class, drops of its queue', () => {
    const text = `class htb 1:10 parent 1:1 leaf 10: prio 0 rate 8Mbit ceil 8Mbit burst 50000b cburst 50000b
 Sent 1054976 bytes 750 pkt (dropped 4, overlimits 58 requeues 0)
 backlog 0b 0p requeues 0

qdisc bfifo 10: parent 1:10 limit 128Kb
 Sent 1054976 bytes 750 pkt (dropped 9, overlimits 0 requeues 0)
`;
    expect([...parseCounts(text, 'vi-ext0')]).toEqual([
      ['vi-ext0 1: class 1:10', { bytes: 1_054_976, packets: 750, dropped: 9 }],
    ]);
  });
});

describe('what tc prints', () => {
  it('of every rate of the language can be read back whole', () => {
    const tellable = fc.oneof(
      fc.integer({ min: 1, max: 1_000_000 }).map((kilo) => kilo * 1e3),
      fc.integer({ min: 1_000, max: 400_000 }).map((mega) => mega * 1e6),
    );
    fc.assert(fc.property(tellable, (bits) => void expect(bitsOf(rateText(bits))).toBe(bits)));
    fc.assert(fc.property(tellable, (bits) => void expect(rate.parse(formatRate(bits))).toBe(bits)));
  });

  it('of sizes', () => {
    expect([100, 1024, 131_072, 62_500, 4_194_304].map(sizeText)).toEqual(['100b', '1Kb', '128Kb', '62500b', '4Mb']);
  });
});

describe('the difference', () => {
  const state = (entries: Record<string, string>): Map<string, Line> =>
    new Map(Object.entries(entries).map(([key, text]) => [key, { text }]));
  const base = {
    'vg-ext0 1:': 'htb default 0 direct_qlen 1000',
    'vg-ext0 1: class 1:1': 'root rate 400Gbit ceil 400Gbit',
    'vg-ext0 1: ip 100 100:': 'divisor 256',
    'vg-ext0 1: ip 100 ::1': 'match 00000000/00000000 at 0 hash 000000ff at 12 link 100:',
  };
  const one = (bits: string) => ({
    'vg-ext0 1: class 1:10': `parent 1:1 quantum 3028 rate ${bits} ceil ${bits} leaf bfifo limit 128Kb`,
    'vg-ext0 1: ip 100 100:a:1': 'match cb00710a/ffffffff at 12 flowid 1:10',
  });
  const lines = (observed: Map<string, Line>, desired: Map<string, Line>): string[] =>
    diffShaping(observed, desired).flatMap(({ phase, lines }) => lines.map(({ text }) => `${phase}: ${text}`));

  it('of a limit is one change in place, its queue left alone', () => {
    expect(lines(state({ ...base, ...one('1Mbit') }), state({ ...base, ...one('2Mbit') }))).toEqual([
      'prepare: class replace dev vg-ext0 parent 1:1 classid 1:10 htb rate 2Mbit ceil 2Mbit burst 10000b cburst 10000b quantum 3028',
    ]);
  });

  it('of an elastic IP that comes or goes is its own class, queue and filter', () => {
    expect(lines(state(base), state({ ...base, ...one('1Mbit') }))).toEqual([
      'prepare: class replace dev vg-ext0 parent 1:1 classid 1:10 htb rate 1Mbit ceil 1Mbit burst 5000b cburst 5000b quantum 3028',
      'prepare: qdisc replace dev vg-ext0 parent 1:10 handle 10: bfifo limit 128Kb',
      'prepare: filter add dev vg-ext0 parent 1: protocol ip prio 100 handle 100:a:1 u32 ht 100:a: match u32 0xcb00710a 0xffffffff at 12 flowid 1:10',
    ]);
    expect(lines(state({ ...base, ...one('1Mbit') }), state(base))).toEqual([
      'prune: filter del dev vg-ext0 parent 1: protocol ip prio 100 handle 100:a:1 u32',
      'prune: class del dev vg-ext0 classid 1:10',
    ]);
  });

  it('of everything is the root alone', () => {
    expect(lines(state({ ...base, ...one('1Mbit') }), state({}))).toEqual(['prune: qdisc del dev vg-ext0 root']);
  });

  it('of another’s filter is its preference', () => {
    const foreign = { 'vg-ext0 1: ip 5 ::800': 'match 00000000/00000000 at 0 flowid 1:10' };
    expect(lines(state({ ...base, ...foreign }), state(base))).toEqual([
      'prune: filter del dev vg-ext0 parent 1: protocol ip prio 5',
    ]);
  });

  it('of a class under another parent is the whole tree anew', () => {
    const moved = { ...base, ...one('1Mbit') };
    moved['vg-ext0 1: class 1:10'] = moved['vg-ext0 1: class 1:10'].replace('parent 1:1', 'parent 1:7');
    const found = lines(state(moved), state({ ...base, ...one('1Mbit') }));
    expect(found[0]).toBe('prepare: qdisc del dev vg-ext0 root');
    expect(found.filter((line) => line.includes('class replace'))).toHaveLength(2);
  });
});

const GATEWAY = `apiVersion: vpcgw.io/v1alpha1
kind: VpcGateway
metadata: {name: blue}
spec:
  internal: {interface: vpc0, addresses: [10.0.0.1/24]}
  externals:
    - {name: internet, interface: ext0, addresses: [100.64.0.11/24], gateways: [100.64.0.1]}
    - {name: second, interface: ext1, addresses: [100.65.0.11/24], gateways: [100.65.0.1]}
  bandwidth: {ingress: 100M}
`;
const eip = (name: string, host: number, more = ''): string =>
  spec('ElasticIP', name, `  address: 203.0.113.${host}\n  external: internet\n${more}`);
const pack = (name: string, bandwidth: string, ...members: string[]): string =>
  spec(
    'BandwidthPackage',
    name,
    `  bandwidth: {${bandwidth}}\n  members:\n${members.map((member) => `    - {${member}}\n`).join('')}`,
  );
const EIPS = `${eip('one', 10)}---\n${eip('two', 11)}---\n${spec('ElasticIP', 'far', '  address: 198.18.0.10\n  external: second\n')}`;
const bad = (text: string): string => complaintsAbout({ 'gateway.yaml': GATEWAY, 'eips.yaml': EIPS, 'bad.yaml': text });

describe('a package that gets a ceiling in the other direction, too', () => {
  it('has its members beside where they were, and leaves the others alone', () => {
    const bandwidth = 'bandwidth: {ingress: 5M, egress: 5M}';
    const shapingOf = (known: Allocations, ceilings: string) => {
      const texts = [GATEWAY, eip('one', 10, `  ${bandwidth}\n`), eip('two', 11, `  ${bandwidth}\n`)];
      const text = [...texts, pack('p', ceilings, 'elasticIP: one')].join('---\n');
      const { model } = candidateOf(splitDocuments({ file: 'all.yaml', text }), new ParseCache());
      const allocations = allocateAll(known, model);
      const facts: Facts = {
        mtu: new Map([
          ['vpc0', 1500],
          ['ext0', 1500],
          ['ext1', 1500],
        ]),
        shaper: { leaf: 'bfifo', lacking: undefined },
      };
      return { allocations, shaping: compile({ model, allocations, facts, pressure: NO_PRESSURE }).state.shaping };
    };
    const before = shapingOf(NO_ALLOCATIONS, 'ingress: 100M');
    const after = shapingOf(before.allocations, 'ingress: 100M, egress: 100M');
    const removed = diffShaping(before.shaping, after.shaping).flatMap(({ lines }) =>
      lines.flatMap(({ text }) => (text.includes(' del ') ? [text] : [])),
    );
    expect(removed.some((line) => line.startsWith('class del'))).toBe(true);
    expect(removed.filter((line) => line.startsWith('qdisc del'))).toEqual([]);
  });
});

describe('limits that are wrong', () => {
  it('rates', () => {
    const texts = [
      '100',
      '100Mi',
      '100MB',
      '100Mbit',
      '100m',
      '5K',
      '0M',
      '-1M',
      '1e3M',
      'fast',
      '1.2345G',
      '500G',
      '1 M',
    ];
    const complaints = texts.map((text) => bad(eip('web', 12, `  bandwidth: {ingress: "${text}"}\n`)));
    expect(complaints.map((line) => line.replace('bad.yaml:7:24: spec.bandwidth.ingress: ', '')).join('\n'))
      .toMatchInlineSnapshot(`
        ""100" has no unit: a rate is a number and k, M or G, in bits a second, such as 100M; 1M is 1000000 bits a second
        "100Mi" counts in powers of two: a rate is a number and k, M or G, in bits a second, such as 100M; 1M is 1000000 bits a second
        "100MB" counts bytes: a rate is a number and k, M or G, in bits a second, such as 100M; 1 byte a second is 8 bits a second
        "100Mbit" is not a rate: a rate is a number and k, M or G, in bits a second, such as 100M; write 100M
        "100m" is not a rate: a rate is a number and k, M or G, in bits a second, such as 100M; write 100M
        "5K" is not a rate: a rate is a number and k, M or G, in bits a second, such as 100M; write 5k
        "0M" is not a rate: a rate is a number and k, M or G, in bits a second, such as 100M
        "-1M" is not a rate: a rate is a number and k, M or G, in bits a second, such as 100M
        "1e3M" is not a rate: a rate is a number and k, M or G, in bits a second, such as 100M
        "fast" is not a rate: a rate is a number and k, M or G, in bits a second, such as 100M
        "1.2345G" has more than three decimals: a rate is a number and k, M or G, in bits a second, such as 100M
        "500G" is more than 400G; leave it out for no limit
        "1 M" is not a rate: a rate is a number and k, M or G, in bits a second, such as 100M; write 1M"
      `);
    expect(bad(eip('web', 12, '  bandwidth: {ingress: 0.5k, egress: 1.5G}\n'))).toMatchInlineSnapshot(
      `"bad.yaml:7:24: spec.bandwidth.ingress: "0.5k" is finer than 1k"`,
    );
    expect(bad(eip('web', 12, '  bandwidth: {egress: 1.0001G}\n'))).toMatchInlineSnapshot(
      `"bad.yaml:7:23: spec.bandwidth.egress: "1.0001G" has more than three decimals: a rate is a number and k, M or G, in bits a second, such as 100M"`,
    );
  });

  it('a number, a single rate', () => {
    expect(bad(eip('web', 12, '  bandwidth: {ingress: 100}\n'))).toMatchInlineSnapshot(
      `"bad.yaml:7:24: spec.bandwidth.ingress: must be a rate such as 100M, as text, not a number"`,
    );
    expect(bad(eip('web', 12, '  bandwidth: 100M\n'))).toMatchInlineSnapshot(
      `"bad.yaml:7:14: spec.bandwidth: must be a map such as {ingress: 100M, egress: 50M}, not text"`,
    );
  });

  it('an elastic IP in two packages, or twice in one', () => {
    expect(
      bad(
        `${pack('gold', 'egress: 1M', 'elasticIP: one', 'elasticIP: one')}---\n${pack('iron', 'egress: 1M', 'elasticIP: one')}`,
      ),
    ).toMatchInlineSnapshot(`
      "bad.yaml:8:19: spec.members[1].elasticIP: one stands twice in it
      bad.yaml:16:19: spec.members[0].elasticIP: one is a member of BandwidthPackage/gold (bad.yaml:1)"
    `);
  });

  it('members that are not there, or elsewhere', () => {
    expect(bad(pack('gold', 'egress: 1M', 'elasticIP: onne', 'elasticIP: one', 'elasticIP: far')))
      .toMatchInlineSnapshot(`
      "bad.yaml:7:19: spec.members[0].elasticIP: there is no ElasticIP onne; did you mean one?
      bad.yaml:8:19: spec.members[1].elasticIP: far is on external network second, the members before it on internet; a package is on one"
    `);
  });

  it('guarantees that cannot be kept', () => {
    expect(
      bad(
        pack(
          'gold',
          'egress: 10M',
          'elasticIP: one, guaranteed: {egress: 6M}',
          'elasticIP: two, guaranteed: {egress: 5M}',
        ),
      ),
    ).toMatchInlineSnapshot(
      `"bad.yaml:5:23: spec.bandwidth.egress: 11M are guaranteed to the members together, more than the ceiling of 10M"`,
    );
    expect(
      bad(pack('gold', 'egress: 10M', 'elasticIP: one, guaranteed: {ingress: 1M}, max: {egress: 5M}')),
    ).toMatchInlineSnapshot(
      `"bad.yaml:7:46: spec.members[0].guaranteed.ingress: the package has no ceiling for ingress of which a part could be guaranteed"`,
    );
    expect(
      bad(pack('gold', 'egress: 10M', 'elasticIP: one, guaranteed: {egress: 6M}, max: {egress: 5M}')),
    ).toMatchInlineSnapshot(
      `"bad.yaml:7:45: spec.members[0].guaranteed.egress: 6M is guaranteed, yet one gets 5M at most"`,
    );
    expect(
      bad(
        `${pack('gold', 'ingress: 90M', 'elasticIP: one, guaranteed: {ingress: 60M}')}---\n${pack('iron', 'ingress: 90M', 'elasticIP: two, guaranteed: {ingress: 60M}')}`,
      ),
    ).toMatchInlineSnapshot(
      `"bad.yaml:15:5: spec.members: the packages on internet guarantee 120M of ingress together, more than the gateway's 100M"`,
    );
  });

  it('ceilings above others are taken, with a warning', () => {
    expect(bad(pack('gold', 'ingress: 200M, egress: 10M', 'elasticIP: one, max: {egress: 20M}')))
      .toMatchInlineSnapshot(`
      "bad.yaml:5:24: warning: spec.bandwidth.ingress: 200M is more than the gateway's 100M, which is all it gets
      bad.yaml:7:38: warning: spec.members[0].max.egress: 20M is more than the ceiling of 10M, which is all it gets"
    `);
  });
});
