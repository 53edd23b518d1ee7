/** The kernel's own trace of one kind of packet: the table that asks for it, and what its lines say. Pure. */
import { GUARD_TABLE, TRACE_TABLE, CHAIN_PREFIX, REJECT_CHAIN } from '../../model/ownership.js';
import type { Packet } from './packet.js';
import type { Outcome } from './traveller.js';

/** After connections are known (-200), so that only openings are traced, and before the gateway's own chains (-150). */
const BETWEEN = -199;

/**
 * What `nft -i` is told: a table that the kernel takes away with the process that made it, however that ends, and to
 * follow the trace. Exactly such packets, and few of them: a trace of all would stop a gateway.
 */
export function traceScript(packet: Packet, link: string): string {
  const { source, destination, protocol, port } = packet;
  const ip = source.family === 4 ? 'ip' : 'ip6';
  const echo = source.family === 4 ? 'icmp type echo-request' : 'icmpv6 type echo-request';
  const what = protocol === 'icmp' ? echo : `${protocol} dport ${port}`;
  const match = `iifname "${link}" ${ip} saddr ${source.text} ${ip} daddr ${destination.text} ${what}`;
  const rule = `ct state new ${match} limit rate 5/second meta nftrace set 1 ;`;
  const chain = `chain prerouting { type filter hook prerouting priority ${BETWEEN} ; ${rule} } ;`;
  return `table inet ${TRACE_TABLE} { flags owner ; ${chain} }\nmonitor trace\n`;
}

interface TraceLine {
  readonly id: string;
  readonly table: string;
  readonly chain: string;
  readonly kind: string;
  readonly text: string;
}

const LINE = /^trace id (\S+) \S+ (\S+) (\S+) (packet|rule|policy|verdict|unknown)(.*)$/;

export function parseTraceLine(line: string): TraceLine | undefined {
  const [, id = '', table = '', chain = '', kind = '', text = ''] = LINE.exec(line) ?? [];
  return id === '' ? undefined : { id, table, chain, kind, text };
}

/** Whether nothing more can come of this packet. What is found to have no route ends without a word. */
export const isLast = ({ table, chain, kind, text }: TraceLine): boolean =>
  text.includes('(verdict drop)') ||
  (kind === 'policy' && (table === GUARD_TABLE || chain === 'INPUT')) ||
  (chain.startsWith(`${CHAIN_PREFIX}IN`) && text.includes('(verdict accept)'));

/** What the kernel did with one packet. */
export interface Observed {
  /** In the order in which they were entered. */
  readonly chains: readonly string[];
  readonly outcome: Outcome;
}

export function observed(lines: readonly TraceLine[]): Observed {
  const chains = lines.flatMap(({ text }) => /\(verdict (?:jump|goto) (\S+)\)/.exec(text)?.[1] ?? []);
  return { chains, outcome: outcomeOf(lines) };
}

function outcomeOf(lines: readonly TraceLine[]): Outcome {
  const drop = lines.find(({ text }) => text.includes('(verdict drop)'));
  if (drop) return droppedBy(drop);
  const out = lines.findLast(({ table, kind }) => table === GUARD_TABLE && kind === 'packet');
  if (out)
    return {
      kind: 'Delivered',
      source: field(out, /ip6? saddr (\S+)/),
      destination: field(out, /ip6? daddr (\S+)/),
      port: Number(field(out, /(?:tcp|udp) dport (\d+)/) || 0),
      link: field(out, /oif "([^"]*)"/),
    };
  return { kind: lines.some(({ chain }) => chain === 'INPUT') ? 'Answered' : 'Unroutable' };
}

const field = ({ text }: TraceLine, pattern: RegExp): string => pattern.exec(text)?.[1] ?? '';

function droppedBy({ table, chain }: TraceLine): Outcome {
  if (chain === REJECT_CHAIN) return { kind: 'Rejected', reason: 'Firewall' };
  const [, reason] = /^VG-X-(\w+)$/.exec(chain) ?? [];
  return { kind: 'Dropped', reason: table === GUARD_TABLE ? 'LeakGuard' : (reason ?? `${table} ${chain}`) };
}
