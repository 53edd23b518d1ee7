import { describe, expect, it } from 'vitest';
import { deletionsOf, parseFlow } from '../../gateway/kernel/conntrack/flows.js';
import type { Flow } from '../../gateway/model/flow.js';

const parsed = (line: string): Flow =>
  parseFlow(line) ??
  (() => {
    throw new Error(line);
  })();
const inward = (client: number, port = 80, target = '10.0.0.5'): Flow =>
  parsed(
    `ipv4     2 tcp      6 431999 ESTABLISHED src=198.51.100.${client} dst=203.0.113.10 sport=4000${client} dport=${port} packets=3 bytes=180 src=${target} dst=198.51.100.${client} sport=${port} dport=4000${client} packets=2 bytes=120 [ASSURED] mark=17 use=1`,
  );
const outward = (vm: number, port: number, eip = '203.0.113.20'): Flow =>
  parsed(
    `ipv4     2 udp      17 29 src=10.0.0.${vm} dst=198.51.100.1 sport=${port} dport=53 packets=1 bytes=30 src=198.51.100.1 dst=${eip} sport=53 dport=6000 packets=1 bytes=30 mark=19 use=1`,
  );

describe('connections are ended', () => {
  it('by what they share, however many they are', () => {
    const ending = Array.from({ length: 9 }, (_, i) => [inward(i), outward(5, 1000 + i), outward(6, 1000 + i)]).flat();
    expect(deletionsOf(ending, [])).toEqual([
      '-D -f ipv4 -d 203.0.113.10 -r 10.0.0.5',
      '-D -f ipv4 -s 10.0.0.5 -q 203.0.113.20',
      '-D -f ipv4 -s 10.0.0.6 -q 203.0.113.20',
    ]);
  });

  it('by the port, where others of the same translation stay', () => {
    expect(deletionsOf([inward(1), inward(2)], [inward(3, 443)])).toEqual([
      '-D -f ipv4 -p tcp -d 203.0.113.10 --dport 80 -r 10.0.0.5',
    ]);
  });

  it('one by one, where nothing else tells them from those that stay', () => {
    expect(deletionsOf([inward(1)], [inward(2)])).toEqual([
      '-D -f ipv4 -p tcp -s 198.51.100.1 -d 203.0.113.10 --sport 40001 --dport 80',
    ]);
    expect(deletionsOf([outward(5, 1)], [outward(5, 2)])).toEqual([
      '-D -f ipv4 -p udp -s 10.0.0.5 -d 198.51.100.1 --sport 1 --dport 53',
    ]);
  });

  it('not at all, where none ends', () => expect(deletionsOf([], [inward(1)])).toEqual([]));
});

it('a line of conntrack is read whole', () => {
  const line =
    'ipv6     10 icmpv6   58 29 src=fd00:a::5 dst=2001:db8::1 type=128 code=0 id=77 packets=1 bytes=104 src=2001:db8::1 dst=2001:db8:e::5 type=129 code=0 id=77 packets=1 bytes=104 mark=19 use=1';
  expect(parsed(line)).toEqual({
    family: 6,
    protocol: 'icmpv6',
    original: { source: 'fd00:a::5', destination: '2001:db8::1', sourcePort: 0, destinationPort: 0 },
    reply: { source: '2001:db8::1', destination: '2001:db8:e::5', sourcePort: 0, destinationPort: 0 },
    icmp: { type: 128, code: 0, id: 77 },
    mark: 19,
    bytes: 208,
    replyBytes: 104,
    ended: false,
    unanswered: false,
  });
  expect(parsed(line.replace('bytes=104 src', 'bytes=104 [UNREPLIED] src'))).toMatchObject({ unanswered: true });
  expect(inward(1)).toMatchObject({ protocol: 'tcp', ended: false, mark: 17, bytes: 300 });
  expect(parseFlow('tcp      6 117 TIME_WAIT src=')).toBeUndefined();
});

it('reads an address of IPv6 as the kernel spells it in its own file', () => {
  const [source, destination] = ['2001:0db8:0000:0000:0000:0000:0000:0005', 'fd00:0000:0000:0000:0000:0000:0000:0001'];
  const line = `ipv6     10 udp      17 29 src=${source} dst=${destination} sport=1 dport=2 src=${destination} dst=${source} sport=2 dport=1 mark=0 zone=0 use=2`;
  const { original, reply } = parsed(line);
  expect([original.source, original.destination]).toEqual(['2001:db8::5', 'fd00::1']);
  expect([reply.source, reply.destination]).toEqual(['fd00::1', '2001:db8::5']);
});
