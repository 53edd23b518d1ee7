/** The blocks of a pcapng file with several interfaces: a section, each interface with its name, packets. Pure. */
import type { CapturedPacket } from './pcap.js';

const SECTION = 0x0a0d0d0a;
const INTERFACE = 1;
const PACKET = 6;
const BYTE_ORDER = 0x1a2b3c4d;
const ETHERNET = 1;
const OPTION = { end: 0, interfaceName: 2, application: 4 } as const;

/** Before the first packet. Times are in microseconds, which needs no option. */
export const head = (interfaces: readonly string[], application: string): Buffer =>
  Buffer.concat([section(application), ...interfaces.map(interfaceBlock)]);

function section(application: string): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt32LE(BYTE_ORDER, 0);
  body.writeUInt16LE(1, 4);
  // The length of the section: not known.
  body.fill(0xff, 8, 16);
  return block(SECTION, body, options([OPTION.application, application]));
}

function interfaceBlock(name: string): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt16LE(ETHERNET, 0);
  return block(INTERFACE, body, options([OPTION.interfaceName, name]));
}

export function packetBlock(index: number, { time, length, data }: CapturedPacket): Buffer {
  const body = Buffer.alloc(20);
  body.writeUInt32LE(index, 0);
  body.writeUInt32LE(Number(time >> 32n), 4);
  body.writeUInt32LE(Number(time & 0xffffffffn), 8);
  body.writeUInt32LE(data.length, 12);
  body.writeUInt32LE(length, 16);
  return block(PACKET, body, padded(data));
}

function options(...list: readonly (readonly [code: number, text: string])[]): Buffer {
  const one = ([code, text]: readonly [number, string]): Buffer => {
    const value = Buffer.from(text);
    const start = Buffer.alloc(4);
    start.writeUInt16LE(code, 0);
    start.writeUInt16LE(value.length, 2);
    return Buffer.concat([start, padded(value)]);
  };
  return Buffer.concat([...list.map(one), Buffer.alloc(4, OPTION.end)]);
}

const padded = (data: Buffer): Buffer => Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)]);

function block(type: number, ...parts: readonly Buffer[]): Buffer {
  const length = 12 + parts.reduce((sum, part) => sum + part.length, 0);
  const [start, end] = [Buffer.alloc(8), Buffer.alloc(4)];
  start.writeUInt32LE(type, 0);
  start.writeUInt32LE(length, 4);
  end.writeUInt32LE(length, 0);
  return Buffer.concat([start, ...parts, end]);
}
