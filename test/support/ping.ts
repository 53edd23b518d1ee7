import type { Namespace } from './namespace.js';

// ICMP echo, and the errors that come back in its place.

export interface PingOptions {
  to: string;
  from?: string;
  count?: number;
  ttl?: number;
  /** Of the ICMP payload; the IP packet is 28 bytes longer (IPv6: 48). */
  bytes?: number;
  /** Never fragment, neither here nor on the way. */
  df?: boolean;
  timeoutMs?: number;
}

export interface PingReport {
  received: number;
  /** Who sent an error, and ping's word for it (`Time to live exceeded`, `Frag needed and DF set (mtu = 1400)`, …). */
  errors: { from: string; text: string }[];
}

export async function ping(namespace: Namespace, options: PingOptions): Promise<PingReport> {
  const { to, from, count = 1, ttl, bytes, df = false, timeoutMs = 2_000 } = options;
  const argv = ['ping', '-n', '-c', String(count), '-i', '0.01', '-W', String(timeoutMs / 1000)];
  if (from !== undefined) argv.push('-I', from);
  if (ttl !== undefined) argv.push('-t', String(ttl));
  if (bytes !== undefined) argv.push('-s', String(bytes));
  if (df) argv.push('-M', 'do');
  const { stdout } = await namespace.exec([...argv, to], { okExitCodes: [0, 1] });
  const errors = [...stdout.matchAll(/^From (\S+?):? icmp_seq=\d+ (.+)$/gm)];
  return {
    received: Number(/(\d+) received/.exec(stdout)?.[1] ?? 0),
    errors: errors.map(([, sender = '', text = '']) => ({ from: sender, text })),
  };
}
