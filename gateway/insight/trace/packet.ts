/** The packet that a trace is about: the first of a connection, as somebody writes it on a command line. Pure. */
import { VpcgwError } from '../../errors.js';
import { type IpAddress, parseIp } from '../../model/ip.js';

export const PROTOCOLS = ['tcp', 'udp', 'icmp'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export interface Packet {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** `icmp` is an echo request, of either family. */
  readonly protocol: Protocol;
  /** At the destination; 0 for `icmp`. */
  readonly port: number;
}

const FORM = '203.0.113.10:80/tcp, [2001:db8::5]:53/udp or 203.0.113.10/icmp';
const TO = /^(?:\[([0-9a-fA-F:]+)\]|([^/[\]]+?))(?::(\d{1,5}))?\/(tcp|udp|icmp)$/;

/** Throws `BadRequest` that names the option. */
export function parsePacket(from: string, to: string): Packet {
  const source = parseIp(from);
  if (!source) throw new VpcgwError('BadRequest', `from ${from}: an IPv4 or IPv6 address, such as 10.0.0.5`);
  // An IPv6 address without brackets has no port; its last part would be taken for one.
  const [, bracketed, plain = '', number, protocol] = TO.exec(to) ?? [];
  const bare = bracketed === undefined && number !== undefined && plain.includes(':');
  const destination = parseIp(bracketed ?? (bare ? `${plain}:${number}` : plain));
  const port = bare ? undefined : number;
  if (!destination || protocol === undefined) throw new VpcgwError('BadRequest', `to ${to}: such as ${FORM}`);
  if (destination.family !== source.family)
    throw new VpcgwError(
      'BadRequest',
      `from ${from} to ${to}: one is IPv4 and the other IPv6; nothing translates that`,
    );
  if ((protocol === 'icmp') !== (port === undefined))
    throw new VpcgwError('BadRequest', `to ${to}: tcp and udp have a port, icmp has none; such as ${FORM}`);
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65535))
    throw new VpcgwError('BadRequest', `to ${to}: a port is from 1 to 65535`);
  return { source, destination, protocol: protocol as Protocol, port: Number(port ?? 0) };
}

/** As conntrack and the firewall's evaluator name it. */
export const conntrackProtocol = ({ protocol, source }: Packet): string =>
  protocol === 'icmp' && source.family === 6 ? 'icmpv6' : protocol;

export const endText = (address: IpAddress, port: number): string =>
  port === 0 ? address.text : `${address.family === 6 ? `[${address.text}]` : address.text}:${port}`;
