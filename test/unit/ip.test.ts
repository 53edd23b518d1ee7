import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bitsOf,
  contains,
  containsCidr,
  type Family,
  ipFromValue,
  networkOf,
  overlaps,
  parseCidr,
  parseInterfaceAddress,
  parseIp,
} from '../../gateway/model/ip.js';

const family = fc.constantFrom<Family>(4, 6);
const valueOf = (f: Family): fc.Arbitrary<bigint> =>
  // Runs of zeros are where IPv6 text is delicate.
  f === 4
    ? fc.bigInt(0n, 2n ** 32n - 1n)
    : fc
        .array(fc.oneof(fc.constant(0n), fc.bigInt(0n, 0xffffn)), { minLength: 8, maxLength: 8 })
        .map((hextets) => hextets.reduce((value, hextet) => (value << 16n) | hextet, 0n));
const address = family.chain((f) => valueOf(f).map((value) => ipFromValue(f, value)));
const prefix = address.chain((ip) => fc.nat(bitsOf(ip.family)).map((length) => networkOf(ip, length)));

/** The one canonical spelling, by another implementation. */
const canonical = (text: string): string =>
  text.includes(':') ? new URL(`http://[${text}]`).hostname.slice(1, -1) : new URL(`http://${text}`).hostname;

describe('addresses', () => {
  it('are read as they are written, in the canonical form', () => {
    fc.assert(
      fc.property(address, (ip) => {
        expect(parseIp(ip.text)).toEqual(ip);
        expect(isIP(ip.text)).toBe(ip.family);
        expect(ip.text).toBe(canonical(ip.text));
      }),
      { numRuns: 2_000 },
    );
  });

  it('are the same in every legal spelling', () => {
    const hextets = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(hextets, fc.boolean(), fc.boolean(), (parts, upper, padded) => {
        const plain = parts.map((part) => part.toString(16).padStart(padded ? 4 : 1, '0')).join(':');
        expect(parseIp(upper ? plain.toUpperCase() : plain)?.text).toBe(canonical(plain));
      }),
    );
  });

  it('are never more liberal than the kernel’s own reader', () => {
    const alphabet = fc.constantFrom(...'0123456789abcf:./% x-');
    const almost = fc.oneof(
      fc.array(alphabet, { maxLength: 24 }).map((letters) => letters.join('')),
      fc
        .tuple(address, fc.nat(40), alphabet)
        .map(([ip, at, letter]) => ip.text.slice(0, at) + letter + ip.text.slice(at)),
      fc.tuple(address, fc.nat(40)).map(([ip, at]) => ip.text.slice(0, at) + ip.text.slice(at + 1)),
    );
    fc.assert(
      fc.property(almost, (text) => {
        const ip = parseIp(text);
        if (ip) expect(isIP(text)).toBe(ip.family);
        // What else Node takes: zones and embedded IPv4, on purpose refused here.
        else expect(isIP(text) === 0 || /[%]|:.*\./.test(text)).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });

  it.each(['', '1.2.3', '1.2.3.4.5', '01.2.3.4', '1.2.3.256', '1.2.3.4 ', '0x1.2.3.4', '1.2.3.1e1', '１.2.3.4'])(
    'refuses %j',
    (text) => expect(parseIp(text)).toBeUndefined(),
  );
  it.each([
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    'g::',
    '::1%lo',
    '::1.2.3.4',
    '1:',
    ':1',
  ])('refuses %j', (text) => expect(parseIp(text)).toBeUndefined());
  it.each(['::', '::1', '1::', '1:2:3:4:5:6:7::', '::2:3:4:5:6:7:8', 'FE80::ABCD'])('takes %j', (text) =>
    expect(parseIp(text)?.text).toBe(canonical(text)),
  );
});

describe('prefixes', () => {
  it('are read as they are written, and only without host bits', () => {
    fc.assert(
      fc.property(address, fc.nat(128), (ip, n) => {
        const length = n % (bitsOf(ip.family) + 1);
        const network = networkOf(ip, length);
        expect(parseCidr(network.text)).toEqual(network);
        expect(parseCidr(`${ip.text}/${length}`)).toEqual(network.base === ip.value ? network : undefined);
        expect(parseInterfaceAddress(`${ip.text}/${length}`)).toEqual({
          address: ip,
          network,
          text: `${ip.text}/${length}`,
        });
      }),
    );
  });

  it.each([
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/08',
    '10.0.0.0/',
    '10.0.0.0',
    '10.0.0.0/+8',
    '10.0.0.0/8/8',
    '/8',
    '10.0.0.0/ 8',
  ])('refuses %j', (text) => {
    expect(parseCidr(text)).toBeUndefined();
    expect(parseInterfaceAddress(text)).toBeUndefined();
  });

  it('contain what has their leading bits', () => {
    const binary = (value: bigint, f: Family): string => value.toString(2).padStart(bitsOf(f), '0');
    fc.assert(
      fc.property(prefix, address, fc.boolean(), (cidr, other, near) => {
        const bits = BigInt(bitsOf(cidr.family) - cidr.length);
        const ip = near ? ipFromValue(cidr.family, cidr.base | (other.value & ((1n << bits) - 1n))) : other;
        const same =
          ip.family === cidr.family &&
          binary(ip.value, ip.family).startsWith(binary(cidr.base, cidr.family).slice(0, cidr.length));
        expect(contains(cidr, ip)).toBe(same);
        if (near) expect(same).toBe(true);
      }),
    );
  });

  it('overlap exactly when one contains the other', () => {
    fc.assert(
      fc.property(prefix, prefix, fc.nat(128), (a, b, n) => {
        const inner = networkOf(ipFromValue(a.family, a.base), Math.max(a.length, n % (bitsOf(a.family) + 1)));
        for (const [x, y] of [
          [a, b],
          [a, inner],
          [inner, a],
        ] as const) {
          const within = x.length <= y.length && contains(x, ipFromValue(y.family, y.base));
          expect(containsCidr(x, y)).toBe(within);
          expect(overlaps(x, y)).toBe(containsCidr(x, y) || containsCidr(y, x));
        }
        expect(containsCidr(a, inner)).toBe(true);
      }),
    );
  });
});
