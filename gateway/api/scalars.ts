/** The scalar types of the document language: text in, parsed value out, with what would be right in every message. */
import * as z from 'zod';
import { RATE_UNITS } from '../model/bandwidth.js';
import {
  type InterfaceAddress,
  parseCidr,
  parseInterfaceAddress,
  parseIp,
  suggestCidr,
  unusableReason,
} from '../model/ip.js';
import { PARENT_NAME_MAX } from '../model/ownership.js';

/** A string scalar whose `parse` returns the value, or the message that says what would be right. */
export function scalar<T>(
  name: string,
  example: string,
  description: string,
  parse: (text: string) => T | { wrong: string },
) {
  return z
    .string({ error: (issue) => `must be ${name} such as ${example}${hintForType(issue.input)}` })
    .max(64, { error: `must be ${name} such as ${example}` })
    .transform((text, context): T => {
      const value = parse(text);
      if (typeof value === 'object' && value !== null && 'wrong' in value) {
        context.issues.push({ code: 'custom', message: value.wrong, input: text });
        return z.NEVER;
      }
      return value;
    })
    .meta({ title: name.replace(/^an? /, ''), description, examples: [example] });
}

/** Of a value that is not even of the right type. */
function hintForType(input: unknown, wanted: 'text' | 'number' | 'map' = 'text'): string {
  if (input === undefined || input === null) return `; it is ${input === null ? 'empty' : 'missing'}`;
  const type =
    { string: 'text', object: Array.isArray(input) ? 'list' : 'map' }[typeof input as string] ?? typeof input;
  if (type === wanted) return '';
  const how = { text: ', as text', number: ', as a number without quotes', map: '' }[wanted];
  return `${how}, not ${type === 'text' ? type : `a ${type}`}`;
}

export const quoted = (text: string): string => JSON.stringify(text);

/** Leading zeros and mapped addresses are named, since they look right and mean something else to other readers. */
function explainBadAddress(text: string): string {
  if (/(^|\.)0\d/.test(text))
    return `${quoted(text)} has a leading zero: some programs read that as octal; write it without`;
  if (/^::ffff:/i.test(text)) return `${quoted(text)} is an IPv4-mapped IPv6 address; write the IPv4 address itself`;
  if (text.includes('%')) return `${quoted(text)} has a zone; write the address alone`;
  if (text.includes('/')) return `${quoted(text)} has a prefix length; an address alone is wanted`;
  return `${quoted(text)} is not an IPv4 or IPv6 address`;
}

export const ipAddress = scalar('an address', '10.0.0.5', 'An IPv4 or IPv6 unicast address.', (text) => {
  const address = parseIp(text);
  if (!address) return { wrong: explainBadAddress(text) };
  const reason = unusableReason(address);
  return reason === undefined ? address : { wrong: `${text} is ${reason}; a host's own address is wanted` };
});

function explainBadPrefix(text: string): string {
  const suggestion = suggestCidr(text);
  if (suggestion !== undefined) return `${quoted(text)} has host bits set; the network is ${suggestion}`;
  const [address = '', length] = text.split('/');
  const parsed = parseIp(address);
  if (length === undefined)
    return parsed
      ? `${quoted(text)} has no prefix length; one host is ${text}/${parsed.family === 4 ? 32 : 128}`
      : explainBadAddress(text);
  if (!parsed) return explainBadAddress(address);
  return `${quoted(text)}: the prefix length is 0 to ${parsed.family === 4 ? 32 : 128}, without leading zeros`;
}

export const cidr = scalar(
  'a prefix',
  '10.0.0.0/24',
  'An IPv4 or IPv6 prefix; host bits are zero.',
  (text) => parseCidr(text) ?? { wrong: explainBadPrefix(text) },
);

/** The first and the last address of an IPv4 network belong to no host, but for the two of a /31. */
function reservedIn({ address, network }: InterfaceAddress): string | undefined {
  const hostBits = 32 - network.length;
  if (address.family === 6 || hostBits < 2) return undefined;
  if (address.value === network.base) return `the address of the network ${network.text} itself`;
  const last = network.base + (1n << BigInt(hostBits)) - 1n;
  return address.value === last ? `the broadcast address of ${network.text}` : undefined;
}

export const interfaceAddress = scalar(
  'an address with its prefix length',
  '10.0.0.1/24',
  'An address and the prefix length of the network it sits in.',
  (text) => {
    const parsed = parseInterfaceAddress(text);
    if (!parsed)
      return {
        wrong: parseIp(text)
          ? `${quoted(text)} has no prefix length; write that of its network too, such as ${text}/${text.includes(':') ? 64 : 24}`
          : explainBadPrefix(text),
      };
    const reason = unusableReason(parsed.address) ?? reservedIn(parsed);
    return reason === undefined ? parsed : { wrong: `${text} is ${reason}; a host's own address is wanted` };
  },
);

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds. */
export const duration = scalar(
  'a duration',
  '30s',
  'A duration: a whole number and `ms`, `s`, `m`, `h` or `d`.',
  (text) => {
    const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
    if (!match)
      return { wrong: `${quoted(text)} is not a duration: a whole number and one of ms, s, m, h, d, such as 30s` };
    return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
  },
);

/** As somebody would write it: in the largest unit that leaves a whole number. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  const [unit, unitMs] = Object.entries(UNIT_MS).findLast(([, candidate]) => ms % candidate === 0) ?? ['ms', 1];
  return `${ms / unitMs}${unit}`;
}

const MOST_BITS = 400 * RATE_UNITS.G;

/** What others mean by other spellings differs by a factor of eight, or by a twentieth. */
function explainBadRate(text: string): string {
  const wanted = 'a rate is a number and k, M or G, in bits a second, such as 100M';
  const number = /^\d+(\.\d+)?/.exec(text)?.[0];
  const unit = text.slice(number?.length ?? 0).trim();
  if (number === undefined) return `${quoted(text)} is not a rate: ${wanted}`;
  if (unit === '') return `${quoted(text)} has no unit: ${wanted}; 1M is 1000000 bits a second`;
  if (/^[KMG]i/i.test(unit)) return `${quoted(text)} counts in powers of two: ${wanted}; 1M is 1000000 bits a second`;
  if (/^[kmg]?B/i.test(unit) && !/bit/i.test(unit))
    return `${quoted(text)} counts bytes: ${wanted}; 1 byte a second is 8 bits a second`;
  if (/\.\d{4}/.test(number)) return `${quoted(text)} has more than three decimals: ${wanted}`;
  const letter = /^[kKmMgG]/.exec(unit)?.[0];
  if (!letter || Number(number) === 0) return `${quoted(text)} is not a rate: ${wanted}`;
  const right = `${number}${letter.toLowerCase() === 'k' ? 'k' : letter.toUpperCase()}`;
  return `${quoted(text)} is not a rate: ${wanted}${right === text ? '' : `; write ${right}`}`;
}

/** Bits a second. */
export const rate = scalar(
  'a rate',
  '100M',
  'A rate in bits a second: a number and `k`, `M` or `G` (1000, 1000000, 1000000000), such as `512k`, `100M`, `1.5G`.',
  (text) => {
    const match = /^((?:0|[1-9]\d{0,5})(?:\.\d{1,3})?)(k|M|G)$/.exec(text);
    const bits = match ? Math.round(Number(match[1]) * RATE_UNITS[match[2] as keyof typeof RATE_UNITS]) : 0;
    if (bits === 0) return { wrong: explainBadRate(text) };
    if (bits > MOST_BITS) return { wrong: `${quoted(text)} is more than 400G; leave it out for no limit` };
    if (bits % RATE_UNITS.k !== 0) return { wrong: `${quoted(text)} is finer than 1k` };
    // The kernel's tools print no finer, so a finer difference could not be seen.
    if (bits > RATE_UNITS.G && bits % RATE_UNITS.M !== 0)
      return { wrong: `${quoted(text)} is finer than 1M; above 1G a rate is a whole number of M` };
    return bits;
  },
);

/** Both directions by themselves; what is left out has no limit. */
export const bandwidth = z
  .strictObject(
    {
      ingress: rate.optional().describe('From outside to the VPC.'),
      egress: rate.optional().describe('From the VPC to outside.'),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? undefined
          : `must be a map such as {ingress: 100M, egress: 50M}${hintForType(issue.input, 'map')}`,
    },
  )
  .meta({ description: 'A limit for each direction.' });

/** DNS-1123 label: what a Kubernetes object may be called. */
export const objectName = z
  .string({ error: (issue) => `must be a name such as web-1${hintForType(issue.input)}` })
  .max(63, { error: 'is longer than 63 characters' })
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, {
    error: (issue) =>
      `${quoted(String(issue.input))} is not a name: small letters, digits and -, first and last a letter or digit`,
  })
  .meta({
    title: 'name',
    description: 'A DNS-1123 label: small letters, digits and `-`, at most 63 of them.',
    examples: ['web-1'],
  });

export const interfaceName = z
  .string({ error: (issue) => `must be the name of a network interface, such as net1${hintForType(issue.input)}` })
  .max(PARENT_NAME_MAX, {
    error: `is longer than ${PARENT_NAME_MAX} characters, which leaves no room for the gateway's own link above it`,
  })
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/, {
    error: (issue) => `${quoted(String(issue.input))} is not the name of a network interface`,
  })
  .meta({
    title: 'interface',
    description: 'A network interface that the platform put into the gateway.',
    examples: ['net1'],
  });

export const port = z
  .int({ error: (issue) => `must be a port, 1 to 65535${hintForType(issue.input, 'number')}` })
  .min(1, { error: 'must be a port, 1 to 65535' })
  .max(65535, { error: 'must be a port, 1 to 65535' })
  .meta({ title: 'port', description: 'A port, 1 to 65535.', examples: [443] });

/** As many may come at once, after a second of quiet. */
export const newConnectionsPerSecond = z.int().min(1).max(100_000).optional();

/** Where inbound traffic ends. `ref` (a VM or Pod by name) is reserved for the Kubernetes operator. */
export const target = z
  .strictObject(
    { address: ipAddress },
    {
      error: (issue) =>
        // An unknown field comes this way too, and has words of its own.
        issue.code === 'unrecognized_keys'
          ? undefined
          : `must be a target such as {address: 10.0.0.5}${hintForType(issue.input, 'map')}`,
    },
  )
  .meta({ description: 'Where the traffic ends: an address of the VPC.' });
