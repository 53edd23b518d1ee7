import type { Row } from './row.js';

// What each figure has to reach.

interface Bar {
  readonly of: 'value' | 'ratio';
  readonly atMost?: number;
  readonly atLeast?: number;
}

const bars: Readonly<Record<string, Bar>> = {
  'apply-one': { of: 'value', atMost: 40 },
  'apply-one-p99': { of: 'value', atMost: 120 },
  'apply-one-processes': { of: 'value', atMost: 6 },
  'apply-one-full': { of: 'value', atMost: 60 },
  resync: { of: 'value', atMost: 1_000 },
  'resync-full': { of: 'value', atMost: 2_000 },
  'connection-setup': { of: 'ratio', atMost: 1.5 },
  'connection-setup-spread': { of: 'ratio', atMost: 1.2 },
  'connection-setup-growth': { of: 'ratio', atMost: 1.1 },
  'connection-setup-full': { of: 'ratio', atMost: 1.75 },
  throughput: { of: 'ratio', atLeast: 0.95 },
  'throughput-shaped': { of: 'ratio', atLeast: 0.93 },
  bandwidth: { of: 'value', atMost: 3 },
  'bandwidth-1m': { of: 'value', atMost: 8 },
  'bandwidth-goodput': { of: 'value', atLeast: 0.93 },
  'bandwidth-first-second': { of: 'value', atMost: 8 },
  'bandwidth-share': { of: 'value', atMost: 10 },
  'syn-flood': { of: 'ratio', atMost: 2 },
  'syn-flood-management': { of: 'value', atMost: 1_000 },
  scrape: { of: 'value', atMost: 50 },
  'startup-cpu': { of: 'value', atMost: 350 },
  'startup-rss': { of: 'value', atMost: 72 },
  'startup-rss-5000': { of: 'value', atMost: 120 },
  'idle-cpu': { of: 'value', atMost: 2 },
  failover: { of: 'value', atMost: 150 },
  'failover-max': { of: 'value', atMost: 400 },
  'failover-lost': { of: 'value', atMost: 0 },
  'failover-blackhole': { of: 'value', atMost: 800 },
  'failover-default': { of: 'value', atMost: 500 },
  'failover-default-lost': { of: 'value', atMost: 0 },
  switchover: { of: 'value', atMost: 40 },
  'switchover-100': { of: 'value', atMost: 15 },
  'switchover-lost': { of: 'value', atMost: 0 },
  fence: { of: 'value', atMost: 1_500 },
  'fence-overlap': { of: 'value', atMost: 0 },
  'failover-ovn-lost': { of: 'value', atMost: 0 },
  'failover-vpn': { of: 'value', atMost: 500 },
  'failover-ipsec': { of: 'value', atMost: 500 },
  'false-failover': { of: 'value', atMost: 0 },
  'density-cpu': { of: 'value', atMost: 60 },
  'density-rss': { of: 'value', atMost: 95 },
  'sync-cost': { of: 'ratio', atLeast: 0.7 },
  'sync-cost-p50': { of: 'ratio', atMost: 1.25 },
  'vpn-throughput': { of: 'ratio', atLeast: 0.95 },
  'vpn-peers': { of: 'ratio', atMost: 2 },
  'line-failover': { of: 'value', atMost: 400 },
  'line-failover-lost': { of: 'value', atMost: 0 },
  'line-failover-probe': { of: 'value', atMost: 1_000 },
  'line-failover-probe-lost': { of: 'value', atMost: 0 },
  'lb-apply': { of: 'ratio', atMost: 1.6 },
  'lb-apply-one': { of: 'ratio', atMost: 3 },
  'lb-checks-cpu': { of: 'value', atMost: 15 },
  'lb-checks-http-cpu': { of: 'value', atMost: 30 },
  'lb-checks-rss': { of: 'value', atMost: 110 },
  'lb-detect': { of: 'value', atMost: 200 },
  'lb-connect': { of: 'ratio', atLeast: 0.85 },
};

export interface Verdict {
  readonly passed: boolean;
  readonly bar: string;
}

export function judge(row: Row): Verdict | undefined {
  const bar = bars[row.name];
  if (!bar) return undefined;
  const { of, atMost = Infinity, atLeast = -Infinity } = bar;
  const figure = row[of];
  const text = bar.atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`;
  return { passed: figure !== null && figure <= atMost && figure >= atLeast, bar: `${of} ${text}` };
}
