/** Reads `tc … show`. JSON is no way: of u32 filters and of HTB classes iproute2 6.1 prints none that is right. */
import { IFB_PREFIX, LINK_PREFIX, SHAPING, TUNNEL_IFB_PREFIX, TUNNEL_PREFIX } from '../../model/ownership.js';
import { bitsOf, burstOf, type Entry } from './entry.js';

const OWN = [LINK_PREFIX, IFB_PREFIX, TUNNEL_PREFIX, TUNNEL_IFB_PREFIX];

export const isOwnDevice = (name: string): boolean => OWN.some((prefix) => name.startsWith(prefix));

/** Roots and ingress hooks as entries; queues of classes by `device class`. */
export interface Qdiscs {
  readonly trunks: readonly Entry[];
  readonly leaves: ReadonlyMap<string, string>;
}

export function parseQdiscs(text: string): Qdiscs {
  const trunks: Entry[] = [];
  const leaves = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^qdisc (\S+) (\S+) dev (\S+) (?:root|parent (\S+)) ?(.*)$/.exec(line);
    if (!match || !isOwnDevice(match[3] ?? '')) continue;
    const [, kind = '', handle = '', device = '', parent, options = ''] = match;
    if (kind === 'ingress' && handle === SHAPING.ingress) trunks.push([`${device} ${handle}`, kind]);
    else if (kind === 'htb' && handle === SHAPING.root && parent === undefined)
      trunks.push([`${device} ${handle}`, `htb ${optionsOf(options, ['default', 'direct_qlen'])}`]);
    else if (parent?.startsWith(SHAPING.root)) leaves.set(`${device} ${parent}`, queueText(kind, options));
  }
  return { trunks, leaves };
}

const queueText = (kind: string, options: string): string =>
  // Packets are printed with a letter that is not taken.
  `${kind} ${optionsOf(options, ['limit', 'flows', 'memory_limit'])}`.trim().replace(/(limit \d+)p\b/, '$1');

/** Those that a gateway sets, in this order. */
function optionsOf(text: string, names: readonly string[]): string {
  const words = text.split(' ');
  return names
    .flatMap((name) => {
      const index = words.indexOf(name);
      // `default 0x12` of some versions is `default 12` of others.
      return index < 0 ? [] : [`${name} ${(words[index + 1] ?? '').replace(/^0x/, '')}`];
    })
    .join(' ');
}

const CLASS =
  /^class htb (\S+) (?:dev \S+ )?(root|parent \S+) (?:leaf \S+ )?(?:prio \d+ )?(?:quantum (\d+) )?rate (\S+) ceil (\S+) (?:linklayer \S+ )?burst (\w+)(?:\/\d+ mpu \S+)? cburst (\w+)/;

export function parseClass(line: string, device: string, leaves: Qdiscs['leaves']): Entry | undefined {
  const match = CLASS.exec(line);
  if (!match) return undefined;
  const [, id = '', place = '', quantum, rate = '', ceiling = '', burst = '', cburst = ''] = match;
  const queue = leaves.get(`${device} ${id}`);
  const own = isBurstOf(burst, rate) && isBurstOf(cburst, ceiling);
  return [
    `${device} 1: class ${id}`,
    `${place}${quantum === undefined ? '' : ` quantum ${quantum}`} rate ${rate} ceil ${ceiling}${own ? '' : ` burst ${burst} cburst ${cburst}`}${queue === undefined ? '' : ` leaf ${queue}`}`,
  ];
}

/** The kernel keeps a burst as time in ticks, and `tc` rounds it to print it. */
function isBurstOf(size: string, rate: string): boolean {
  const [, number, unit = ''] = /^(\d+)([KM]?)b$/.exec(size) ?? [];
  const bytes = Number(number) * { '': 1, K: 1024, M: 1_048_576 }[unit as '' | 'K' | 'M'];
  const wanted = burstOf(bitsOf(rate));
  return Math.abs(bytes - wanted) <= wanted / 100 + 32;
}

const FILTER =
  /^filter (?:dev \S+ )?(?:parent \S+ )?protocol (\S+) pref (\d+) (\S+)(?: chain \d+)?(?: fh (\S+) (.*))?$/;

/** Of one parent, such as `vg-ext0 1:`. */
export function parseFilters(text: string, trunk: string): Entry[] {
  return text.split(/^(?=filter )/m).flatMap((block): Entry[] => {
    const [head = '', ...details] = block.split('\n');
    const match = FILTER.exec(head.trim());
    if (!match) return [];
    const [, protocol = '', pref = '', kind = '', handle, rest = ''] = match;
    const filter = `${trunk} ${protocol} ${pref}`;
    if (kind !== 'u32') return [[`${filter} ::`, kind]];
    if (handle === undefined) return [];
    const divisor = / ?ht divisor (\d+)/.exec(rest)?.[1];
    const [table = '', bucket, node] = handle.split(':');
    // The kernel numbers the roots itself, from 800 on; bucket 0 is left out: `100::2`.
    const isRoot = parseInt(table, 16) >= 0x800;
    if (divisor !== undefined) return isRoot ? [] : [[`${filter} ${table}:`, `divisor ${divisor}`]];
    return [
      [
        `${filter} ${isRoot ? `::${node}` : `${table}:${bucket === '' ? '0' : bucket}:${node}`}`,
        nodeText(rest, details),
      ],
    ];
  });
}

function nodeText(head: string, details: readonly string[]): string {
  const parts = details.flatMap((line) => {
    const matched = /^\s*(match [0-9a-f]{8}\/[0-9a-f]{8} at \S+)/.exec(line)?.[1];
    const hash = /^\s*hash mask (\S+) at (\S+)/.exec(line);
    const device = /mirred \(Egress Redirect to device (\S+)\)/.exec(line)?.[1];
    if (matched !== undefined) return [matched];
    if (hash) return [`hash ${hash[1]} at ${hash[2]}`];
    if (device !== undefined) return [`redirect ${device}`];
    return /^\s*action/.test(line) ? [line.trim()] : [];
  });
  const link = / link (\S+)/.exec(head)?.[1];
  const flow = /flowid ([0-9a-f]+:[0-9a-f]*)/.exec(head)?.[1];
  return [
    ...parts,
    ...(link === undefined ? [] : [`link ${link}`]),
    ...(flow === undefined ? [] : [`flowid ${flow}`]),
  ].join(' ');
}

/** An object that came, changed or went, as `tc monitor` tells it; of others' devices nothing. */
export interface Notice {
  readonly key: string;
  /** What the kernel says of it now; absent where its line says too little. */
  readonly text?: string;
  readonly gone: boolean;
}

export function parseNotice(line: string): Notice | undefined {
  const gone = line.startsWith('deleted ');
  const text = line.replace(/^(?:deleted|added|replaced) /, '');
  const device = / dev (\S+)/.exec(text)?.[1] ?? '';
  if (!isOwnDevice(device)) return undefined;
  const [trunk] = parseQdiscs(text).trunks;
  if (trunk) return { key: trunk[0], text: trunk[1], gone };
  const leafOf = /^qdisc \S+ \S+ dev \S+ parent (1:\S+)/.exec(text)?.[1];
  if (leafOf !== undefined) return { key: `${device} 1: class ${leafOf}`, gone };
  const found = parseClass(text, device, new Map());
  if (found) return { key: found[0], gone, text: found[1] };
  const parent = /^filter dev \S+ parent (\S+)/.exec(text)?.[1];
  if (parent === undefined) return undefined;
  const [filter] = parseFilters(text, `${device} ${parent}`);
  if (filter) return { key: filter[0], gone };
  // A whole preference that goes is told of without its nodes.
  const whole = / protocol (\S+) pref (\d+) /.exec(text);
  return whole && gone ? { key: `${device} ${parent} ${whole[1]} ${whole[2]} ::1`, gone } : undefined;
}
