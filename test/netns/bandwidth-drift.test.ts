import { beforeAll, describe, expect, it } from 'vitest';
import type { GatewayStatus } from '../../gateway/reconcile/status.js';
import { bandwidthPackage, elasticIp, gateway } from '../support/documents.js';
import { useGatewayLab } from '../support/gateway-lab.js';
import { trafficControl } from '../support/traffic-control.js';

// Somebody changes traffic control behind the supervisor's back: noticed, mended within two seconds, reported.

const LIMIT_MS = process.env['KERNEL_LAB'] === '1' ? 10_000 : 2_000;

const cases: readonly { name: string; change: readonly (readonly string[])[]; reported: RegExp }[] = [
  {
    name: 'the root taken away',
    change: [['tc', 'qdisc', 'del', 'dev', 'vg-ext0', 'root']],
    reported: /^shaping: add vg-ext0 1:$/,
  },
  {
    name: 'another root in its place',
    change: [['tc', 'qdisc', 'replace', 'dev', 'vg-ext0', 'root', 'handle', '7:', 'bfifo', 'limit', '10000']],
    reported: /^shaping: add vg-ext0 1:$/,
  },
  {
    name: 'the ingress hook taken away',
    change: [['tc', 'qdisc', 'del', 'dev', 'vg-ext0', 'ingress']],
    reported: /^shaping: add vg-ext0 ffff:$/,
  },
  {
    name: 'the link for what comes in taken away',
    change: [['ip', 'link', 'del', 'vi-ext0']],
    reported: /^links: add vi-ext0$/,
  },
  {
    name: 'the role link taken away',
    change: [['ip', 'link', 'del', 'vg-ext0']],
    reported: /^links: add vg-ext0$/,
  },
  {
    name: 'a limit changed',
    change: [
      [
        'tc',
        'class',
        'change',
        'dev',
        'vi-ext0',
        'parent',
        '1:1',
        'classid',
        '1:12',
        'htb',
        'rate',
        '1Gbit',
        'quantum',
        '1514',
      ],
    ],
    reported: /^shaping: replace vi-ext0 1: class 1:12$/,
  },
  {
    name: 'a queue taken away',
    change: [['tc', 'qdisc', 'del', 'dev', 'vi-ext0', 'parent', '1:12', 'handle', '12:']],
    reported: /^shaping: replace vi-ext0 1: class 1:12$/,
  },
  {
    name: 'a filter taken away',
    change: ['ip', 'prio 100 handle 100:b:3 u32']
      .slice(1)
      .map((rest) => ['tc', ...`filter del dev vg-ext0 parent 1: protocol ip ${rest}`.split(' ')]),
    reported: /^shaping: add vg-ext0 1: ip 100 100:b:3$/,
  },
  {
    name: 'all filters taken away',
    change: [['tc', 'filter', 'del', 'dev', 'vi-ext0', 'parent', '1:']],
    reported: /^shaping: remove vi-ext0 1:$|^shaping: add vi-ext0 1: ip 100 100:$/,
  },
  {
    name: 'a filter of somebody else',
    change: ['prio 5 u32 match u32 0 0 flowid 1:12'].map((rest) => [
      'tc',
      ...`filter add dev vg-ext0 parent 1: protocol ip ${rest}`.split(' '),
    ]),
    reported: /^shaping: remove vg-ext0 1: ip 5$/,
  },
];

describe('traffic control that somebody else changed', () => {
  const lab = useGatewayLab({
    tenants: [{ name: 'blue', vms: ['web'] }],
    documents: (tenant) => [
      gateway(tenant, { spec: { bandwidth: { ingress: '100M' } } }),
      elasticIp('one', '203.0.113.10', { target: '10.0.0.5' }),
      elasticIp('two', '203.0.113.11', { target: '10.0.0.6', bandwidth: { ingress: '10M', egress: '20M' } }),
      elasticIp('six', '2001:db8:e::10', { target: 'fd00:a::5', bandwidth: { egress: '10M' } }),
      bandwidthPackage('pack', { ingress: '50M' }, [{ elasticIP: 'one', guaranteed: { ingress: '5M' } }]),
    ],
  });
  const status = async () => (await lab.supervisor().status()) as unknown as GatewayStatus;
  let whole = '';
  beforeAll(async () => {
    whole = await trafficControl(lab.tenant.gateway);
    expect(whole).toContain('class htb 1:12');
  });

  it.each(cases)('$name', async ({ change, reported }) => {
    const { repairs } = (await status()).drift;
    for (const argv of change) await lab.tenant.gateway.exec(argv);
    const began = performance.now();
    const mended = (await lab
      .supervisor()
      .statusWhen(
        (now) => (now as unknown as GatewayStatus).drift.repairs > repairs,
        4 * LIMIT_MS,
      )) as unknown as GatewayStatus;
    expect(performance.now() - began).toBeLessThan(LIMIT_MS);
    expect(mended.drift.last?.what).toContainEqual(expect.stringMatching(reported));
    expect(await trafficControl(lab.tenant.gateway)).toBe(whole);
  });

  it('is only that: an edit of limits is no drift', async () => {
    const { repairs } = (await status()).drift;
    const documents = (ingress: string) => [
      gateway(lab.tenant),
      elasticIp('two', '203.0.113.11', { target: '10.0.0.6', bandwidth: { ingress } }),
    ];
    await lab.apply(documents('11M'));
    await lab.apply(documents('12M'));
    // Longer than the notices of an edit are collected.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect((await status()).drift.repairs).toBe(repairs);
  });

  it('is another’s where nothing is limited', async () => {
    await lab.apply([gateway(lab.tenant)]);
    expect(await trafficControl(lab.tenant.gateway)).toBe('');
    const monitors = async () => {
      const argv = ['pgrep', '--parent', String(lab.supervisor().pid), '--full', 'tc -d monitor'];
      return (await lab.tenant.gateway.exec(argv, { okExitCodes: [0, 1] })).stdout;
    };
    await expect.poll(monitors, { timeout: LIMIT_MS }).toBe('');
  });
});
