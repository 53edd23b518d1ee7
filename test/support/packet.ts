// What tests ask of a captured Ethernet frame, decoded from its bytes.

export interface Packet {
  /** In milliseconds since 1970, by the kernel's clock at capture. */
  at: number;
  sourceMac: string;
  destinationMac: string;
  protocol: 'tcp' | 'udp' | 'icmp' | 'icmp6' | 'arp' | 'fragment' | 'other';
  /** Of ARP the sender's and the target's protocol address. */
  src: string;
  dst: string;
  sport?: number;
  dport?: number;
  /** TCP: the letters of those set, in the order `SAFRPU`; a SYN/ACK reads `SA`. */
  flags?: string;
  /** TCP: the maximum segment size that a SYN offers. */
  mss?: number;
  ttl?: number;
  /** Don't Fragment; IPv6 never fragments on the way. */
  df?: boolean;
  /** Of the IP packet. Larger than the MTU where the kernel has not yet cut a segment. */
  length: number;
  icmp?: Icmp;
  arp?: 'request' | 'reply';
}

export interface Icmp {
  type: number;
  code: number;
  /** Of frag-needed and packet-too-big. */
  mtu?: number;
  /** Of neighbour solicitation and advertisement. */
  target?: string;
  /** Of an error: the packet that caused it, as the error's receiver knows it. */
  about?: Pick<Packet, 'protocol' | 'src' | 'dst' | 'sport' | 'dport'>;
}

type Inner = Omit<Packet, 'at' | 'sourceMac' | 'destinationMac'>;

const etherTypes = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd };
const other: Inner = { protocol: 'other', src: '', dst: '', length: 0 };

export function parsePacket(frame: Buffer, at: number): Packet {
  const etherType = frame.readUInt16BE(12);
  const inner = frame.subarray(14);
  const link = { at, destinationMac: macAt(frame, 0), sourceMac: macAt(frame, 6) };
  if (etherType === etherTypes.arp) return { ...link, ...parseArp(inner) };
  if (etherType === etherTypes.ipv4 || etherType === etherTypes.ipv6) return { ...link, ...parseIp(inner) };
  return { ...link, ...other, length: inner.length };
}

function parseArp(bytes: Buffer): Inner {
  const arp = bytes.readUInt16BE(6) === 1 ? 'request' : 'reply';
  return { protocol: 'arp', arp, src: ipv4At(bytes, 14), dst: ipv4At(bytes, 24), length: 28 };
}

function parseIp(bytes: Buffer): Inner {
  return (bytes[0] ?? 0) >> 4 === 4 ? parseIpv4(bytes) : parseIpv6(bytes);
}

function parseIpv4(bytes: Buffer): Inner {
  const fragment = bytes.readUInt16BE(6);
  const header = {
    src: ipv4At(bytes, 12),
    dst: ipv4At(bytes, 16),
    ttl: bytes.readUInt8(8),
    df: (fragment & 0x4000) !== 0,
    length: bytes.readUInt16BE(2),
  };
  // Only the first fragment has ports.
  if ((fragment & 0x1fff) !== 0) return { ...header, protocol: 'fragment' };
  return { ...header, ...parseTransport(bytes.readUInt8(9), bytes.subarray((bytes.readUInt8(0) & 15) * 4)) };
}

function parseIpv6(bytes: Buffer): Inner {
  const header = {
    src: ipv6At(bytes, 8),
    dst: ipv6At(bytes, 24),
    ttl: bytes.readUInt8(7),
    df: true,
    length: 40 + bytes.readUInt16BE(4),
  };
  let next = bytes.readUInt8(6);
  let rest = bytes.subarray(40);
  // Hop-by-hop and destination options say how long they are; a fragment header is always 8 bytes.
  while ((next === 0 || next === 60 || next === 44) && rest.length >= 8) {
    if (next === 44 && rest.readUInt16BE(2) >> 3 !== 0) return { ...header, protocol: 'fragment' };
    const size = next === 44 ? 8 : (rest.readUInt8(1) + 1) * 8;
    next = rest.readUInt8(0);
    rest = rest.subarray(size);
  }
  return { ...header, ...parseTransport(next, rest) };
}

function parseTransport(number: number, bytes: Buffer): Pick<Inner, 'protocol'> & Partial<Inner> {
  if (bytes.length < 8) return { protocol: 'other' };
  if (number === 6) return { protocol: 'tcp', ...portsOf(bytes), ...parseTcp(bytes) };
  if (number === 17) return { protocol: 'udp', ...portsOf(bytes) };
  if (number === 1) return { protocol: 'icmp', icmp: parseIcmp(bytes) };
  if (number === 58) return { protocol: 'icmp6', icmp: parseIcmp6(bytes) };
  return { protocol: 'other' };
}

function portsOf(bytes: Buffer): { sport: number; dport: number } {
  return { sport: bytes.readUInt16BE(0), dport: bytes.readUInt16BE(2) };
}

const tcpFlags = { S: 2, A: 16, F: 1, R: 4, P: 8, U: 32 };

/** Inside an ICMP error there may be no more than the ports. */
function parseTcp(bytes: Buffer): Pick<Inner, 'flags' | 'mss'> {
  if (bytes.length < 20) return {};
  const set = bytes.readUInt8(13);
  const flags = Object.entries(tcpFlags)
    .map(([letter, bit]) => (set & bit ? letter : ''))
    .join('');
  const mss = maximumSegmentSize(bytes.subarray(20, (bytes.readUInt8(12) >> 4) * 4));
  return mss === undefined ? { flags } : { flags, mss };
}

function maximumSegmentSize(options: Buffer): number | undefined {
  for (let at = 0; at + 1 < options.length && options[at] !== 0;) {
    if (options[at] === 2) return options.readUInt16BE(at + 2);
    at += options[at] === 1 ? 1 : Math.max(2, options.readUInt8(at + 1));
  }
  return undefined;
}

/** Unreachable, time exceeded and parameter problem carry the packet that caused them. */
function parseIcmp(bytes: Buffer): Icmp {
  const icmp: Icmp = { type: bytes.readUInt8(0), code: bytes.readUInt8(1) };
  if ([3, 11, 12].includes(icmp.type)) icmp.about = aboutOf(bytes);
  if (icmp.type === 3 && icmp.code === 4) icmp.mtu = bytes.readUInt16BE(6);
  return icmp;
}

function parseIcmp6(bytes: Buffer): Icmp {
  const icmp: Icmp = { type: bytes.readUInt8(0), code: bytes.readUInt8(1) };
  if (icmp.type < 128) icmp.about = aboutOf(bytes);
  if (icmp.type === 2) icmp.mtu = bytes.readUInt32BE(4);
  if ((icmp.type === 135 || icmp.type === 136) && bytes.length >= 24) icmp.target = ipv6At(bytes, 8);
  return icmp;
}

function aboutOf(bytes: Buffer): NonNullable<Icmp['about']> | undefined {
  const packet = bytes.subarray(8);
  if (packet.length < 28) return undefined;
  const { protocol, src, dst, sport, dport } = parseIp(packet);
  return { protocol, src, dst, ...(sport === undefined ? {} : { sport, dport }) };
}

function macAt(bytes: Buffer, at: number): string {
  return bytes.toString('hex', at, at + 6).replace(/..(?!$)/g, '$&:');
}

function ipv4At(bytes: Buffer, at: number): string {
  return bytes.subarray(at, at + 4).join('.');
}

function ipv6At(bytes: Buffer, at: number): string {
  const groups = bytes.toString('hex', at, at + 16).match(/.{4}/g) ?? [];
  // The URL parser knows the one canonical way to write it.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
