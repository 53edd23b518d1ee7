/**
 * IPv4 and IPv6 addresses and prefixes as values. Strict on input: no leading zeros, no zone, no IPv4-mapped IPv6,
 * because other readers of the same text (the kernel, inet_aton, a person) would take those differently.
 */
export type Family = 4 | 6;

export interface IpAddress {
  readonly family: Family;
  readonly value: bigint;
  /** Canonical text, as the kernel's tools print it (RFC 5952 for IPv6). */
  readonly text: string;
}

export interface Cidr {
  readonly family: Family;
  /** Network base: host bits are zero. */
  readonly base: bigint;
  readonly length: number;
  /** Canonical text with its length, also for a host prefix: `10.0.0.5/32`. */
  readonly text: string;
}

/** An address with the prefix length of the network it sits in: `10.0.0.1/24`. */
export interface InterfaceAddress {
  readonly address: IpAddress;
  readonly network: Cidr;
  readonly text: string;
}

export const bitsOf = (family: Family): number => (family === 4 ? 32 : 128);

const OCTET = /^(0|[1-9]\d{0,2})$/;
const HEXTET = /^[0-9a-fA-F]{1,4}$/;

function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!OCTET.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

function parseHextets(text: string): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  return parts.every((part) => HEXTET.test(part)) ? parts.map((part) => parseInt(part, 16)) : undefined;
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseHextets(halves[0] ?? '');
  const tail = halves.length === 2 ? parseHextets(halves[1] ?? '') : [];
  if (!head || !tail) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const hextets = [...head, ...Array<number>(missing).fill(0), ...tail];
  return hextets.reduce((value, hextet) => (value << 16n) | BigInt(hextet), 0n);
}

/** `undefined` when the text is not exactly one address. */
export function parseIp(text: string): IpAddress | undefined {
  if (text.length > 45) return undefined;
  if (!text.includes(':')) {
    const value = parseIpv4(text);
    // Without leading zeros there is one way to write it.
    return value === undefined ? undefined : { family: 4, value: BigInt(value), text };
  }
  const value = parseIpv6(text);
  return value === undefined ? undefined : ipFromValue(6, value);
}

export function ipFromValue(family: Family, value: bigint): IpAddress {
  return { family, value, text: family === 4 ? formatIpv4(value) : formatIpv6(value) };
}

function formatIpv4(value: bigint): string {
  const n = Number(value);
  return `${(n >>> 24) & 255}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
}

function formatIpv6(value: bigint): string {
  const hextets = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn));
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && hextets[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const hex = (part: number[]): string => part.map((h) => h.toString(16)).join(':');
  if (best.start < 0) return hex(hextets);
  return `${hex(hextets.slice(0, best.start))}::${hex(hextets.slice(best.start + best.length))}`;
}

function splitPrefix(text: string): { address: IpAddress; length: number } | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = parseIp(text.slice(0, slash));
  const lengthText = text.slice(slash + 1);
  if (!address || !OCTET.test(lengthText)) return undefined;
  const length = Number(lengthText);
  return length <= bitsOf(address.family) ? { address, length } : undefined;
}

export function networkOf(address: IpAddress, length: number): Cidr {
  const hostBits = BigInt(bitsOf(address.family) - length);
  const base = (address.value >> hostBits) << hostBits;
  return { family: address.family, base, length, text: `${ipFromValue(address.family, base).text}/${length}` };
}

/** A prefix; `undefined` when malformed or when host bits are set (`10.0.0.1/24` is an address, not a prefix). */
export function parseCidr(text: string): Cidr | undefined {
  const split = splitPrefix(text);
  if (!split) return undefined;
  const cidr = networkOf(split.address, split.length);
  return cidr.base === split.address.value ? cidr : undefined;
}

/** What the author of `10.0.0.1/24` meant as a prefix, for the error message. */
export function suggestCidr(text: string): string | undefined {
  const split = splitPrefix(text);
  return split && networkOf(split.address, split.length).text;
}

export function parseInterfaceAddress(text: string): InterfaceAddress | undefined {
  const split = splitPrefix(text);
  if (!split) return undefined;
  const { address, length } = split;
  return { address, network: networkOf(address, length), text: `${address.text}/${length}` };
}

export const hostCidr = (address: IpAddress): Cidr => networkOf(address, bitsOf(address.family));

export function contains(cidr: Cidr, address: IpAddress): boolean {
  if (cidr.family !== address.family) return false;
  // Thousands of members are asked: numbers leave nothing behind.
  if (cidr.family === 4)
    return Number(address.value) - (Number(address.value) % 2 ** (32 - cidr.length)) === Number(cidr.base);
  const hostBits = BigInt(128 - cidr.length);
  return address.value >> hostBits === cidr.base >> hostBits;
}

export function containsCidr(outer: Cidr, inner: Cidr): boolean {
  if (outer.family !== inner.family || outer.length > inner.length) return false;
  const hostBits = BigInt(bitsOf(outer.family) - outer.length);
  return inner.base >> hostBits === outer.base >> hostBits;
}

export const overlaps = (a: Cidr, b: Cidr): boolean => containsCidr(a, b) || containsCidr(b, a);

export const isLinkLocal = (address: IpAddress): boolean =>
  address.family === 6 ? address.value >> 118n === 0x3fan : address.value >> 16n === 0xa9fen;

/** Where members of a pair may have addresses of their own: 192.0.0.0/29. */
const MEMBERS_RANGE = 0xc0000000n >> 3n;

/** Why an address can never be a unicast host on the wire, or `undefined` when it can. */
export function unusableReason(address: IpAddress): string | undefined {
  const { family, value } = address;
  if (value === 0n) return 'the unspecified address';
  if (family === 4) {
    const first = Number(value >> 24n);
    if (first === 0) return 'in 0.0.0.0/8 ("this network")';
    if (first === 127) return 'a loopback address';
    if (first >= 224) return first < 240 ? 'a multicast address' : 'a reserved address';
    if (value >> 3n === MEMBERS_RANGE) return 'in 192.0.0.0/29, which is routed nowhere (RFC 7335)';
    return undefined;
  }
  if (value === 1n) return 'the loopback address';
  if (value >> 120n === 0xffn) return 'a multicast address';
  if (value >> 32n === 0xffffn) return 'an IPv4-mapped IPv6 address';
  return undefined;
}
