import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { ParseCache, splitDocuments } from '../../gateway/documents/parse.js';
import { headerLength } from '../../gateway/insight/capture/headers-only.js';
import { PcapReader } from '../../gateway/insight/capture/pcap.js';
import { sidesOf } from '../../gateway/insight/capture/sides.js';
import { candidateOf } from '../../gateway/reconcile/candidate.js';
import { internet } from '../support/addresses.js';
import { elasticIp, gateway, loadBalancer } from '../support/documents.js';

// Where a capture listens, what it keeps of a packet, and how packets are taken out of a stream.

const frame = (type: number, ...parts: readonly (readonly number[])[]): Buffer =>
  Buffer.from([...Array<number>(12).fill(0), type >> 8, type & 255, ...parts.flat()]);
const ipv4 = (protocol: number, fragment = 0): number[] => [
  ...[0x45, 0, 0, 0, 0, 0, fragment >> 8, fragment & 255, 64, protocol, 0, 0],
  ...Array<number>(8).fill(1),
];
const ipv6 = (protocol: number): number[] => [0x60, 0, 0, 0, 0, 0, protocol, 64, ...Array<number>(32).fill(1)];
const tcp = (words: number): number[] => [
  ...Array<number>(12).fill(0),
  words << 4,
  ...Array<number>(words * 4 - 13).fill(0),
];
const said = Array<number>(50).fill(65);

describe('headers', () => {
  it.each([
    ['TCP with options', frame(0x0800, ipv4(6), tcp(8), said), 14 + 20 + 32],
    ['TCP over IPv6', frame(0x86dd, ipv6(6), tcp(5), said), 14 + 40 + 20],
    ['UDP', frame(0x0800, ipv4(17), Array<number>(8).fill(0), said), 14 + 20 + 8],
    ['a later fragment', frame(0x0800, ipv4(17, 100), said), 14 + 20],
    ['ping', frame(0x0800, ipv4(1), [8, 0, 0, 0, 0, 0, 0, 0], said), 14 + 20 + 8],
    ['an ICMP error', frame(0x0800, ipv4(1), [3, 1, 0, 0, 0, 0, 0, 0], ipv4(17), said), 14 + 20 + 8 + 20 + 8],
    ['an ICMPv6 error', frame(0x86dd, ipv6(58), [1, 4, 0, 0, 0, 0, 0, 0], ipv6(17), said), 14 + 40 + 8 + 40 + 8],
    ['another protocol', frame(0x0800, ipv4(50), said), 14 + 20],
    ['what is no IP', frame(0x88cc, said), 14],
  ])('of %s end where its data begins', (_, packet, length) => expect(headerLength(packet)).toBe(length));

  it('of a packet that was cut are what there is', () => {
    const whole = frame(0x0800, ipv4(6), tcp(8), said);
    for (let length = 0; length < 60; length++)
      expect(headerLength(whole.subarray(0, length))).toBeLessThanOrEqual(length);
  });
});

describe('the sides of a capture', () => {
  it('are the address outside, and inside the members of its balancer too', () => {
    const documents = [
      gateway({ name: 'blue', externalAddresses: internet.gatewayAddresses(0), secondExternalAddresses: ['', ''] }),
      elasticIp('shop', '203.0.113.10'),
      loadBalancer('shop', {
        elasticIP: 'shop',
        members: [{ address: '10.0.0.5' }, { address: '10.0.0.6', port: 8080 }],
        listeners: [{ port: 80 }],
      }),
    ];
    const text = documents.map((each) => stringify(each)).join('---\n');
    const { model } = candidateOf(splitDocuments({ file: 'given.yaml', text }), new ParseCache());
    const eip = model.elasticIps.get('shop') ?? expect.fail('no elastic IP');
    expect(sidesOf(model, eip, 'tcp')).toEqual([
      { link: 'vg-ext0', filter: '(net 203.0.113.10/32) and (tcp)' },
      { link: 'vg-vpc0', filter: '(net 10.0.0.5/32 or net 10.0.0.6/32) and (tcp)' },
    ]);
  });
});

describe('a stream of tcpdump', () => {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  const record = (seconds: number, data: string): Buffer => {
    const head = Buffer.alloc(16);
    [seconds, 5, data.length, data.length + 100].forEach((value, i) => head.writeUInt32LE(value, i * 4));
    return Buffer.concat([head, Buffer.from(data)]);
  };

  it('gives the same packets in pieces of any size', () => {
    const whole = Buffer.concat([header, record(1, 'first'), record(2, ''), record(3, 'third')]);
    for (let size = 1; size <= whole.length; size++) {
      const reader = new PcapReader();
      const packets = Array.from({ length: Math.ceil(whole.length / size) }, (_, i) =>
        reader.take(whole.subarray(i * size, (i + 1) * size)),
      ).flat();
      expect(packets.map(({ time, length, data }) => [time, length, data.toString()])).toEqual([
        [1_000_005n, 105, 'first'],
        [2_000_005n, 100, ''],
        [3_000_005n, 105, 'third'],
      ]);
    }
  });

  it('that is none is refused', () => {
    expect(() => new PcapReader().take(Buffer.alloc(24))).toThrow('no pcap');
    const huge = Buffer.concat([header, record(1, '')]);
    huge.writeUInt32LE(0xffffffff, 24 + 8);
    expect(() => new PcapReader().take(huge)).toThrow('none');
  });
});
