/**
 * Cuts a frame behind its last header, so that a capture holds nothing of what people say. What is not understood is cut
 * behind what was. Pure.
 */
const ETHERNET = 14;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const ARP = 0x0806;
const ARP_LENGTH = 28;
const TCP = 6;
const UDP = 17;
const PORTS = 8;

/** How many bytes of the frame are headers. */
export function headerLength(frame: Buffer): number {
  const least = (wanted: number): number => Math.min(wanted, frame.length);
  if (frame.length < ETHERNET) return frame.length;
  const type = frame.readUInt16BE(12);
  if (type === ARP) return least(ETHERNET + ARP_LENGTH);
  const rest = frame.subarray(ETHERNET);
  return type === IPV4 || type === IPV6 ? least(ETHERNET + ipLength(rest)) : ETHERNET;
}

function ipLength(packet: Buffer): number {
  const version = (packet[0] ?? 0) >> 4;
  const header = version === 4 ? ((packet[0] ?? 0) & 15) * 4 : 40;
  const protocol = packet[version === 4 ? 9 : 6] ?? 0;
  // What a later fragment holds is the middle of something.
  if (version === 4 && packet.length >= 8 && (packet.readUInt16BE(6) & 0x1fff) > 0) return header;
  if (protocol === TCP) return header + ((packet[header + 12] ?? 0x50) >> 4) * 4;
  if (protocol === UDP) return header + PORTS;
  return isIcmp(version, protocol) ? header + icmpLength(packet.subarray(header), version) : header;
}

const isIcmp = (version: number, protocol: number): boolean => protocol === (version === 4 ? 1 : 58);

/** An error holds the beginning of the packet that it is about; neighbour discovery is all header. */
function icmpLength(message: Buffer, version: number): number {
  const type = message[0] ?? 0;
  const isError = version === 4 ? [3, 4, 5, 11, 12].includes(type) : type < 128;
  if (isError) return PORTS + (version === 4 ? ((message[8] ?? 0x45) & 15) * 4 : 40) + PORTS;
  return version === 6 && type >= 133 && type <= 137 ? message.length : PORTS;
}
