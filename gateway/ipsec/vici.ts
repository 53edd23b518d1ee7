/** Messages of strongSwan's control protocol (vici): sections of keys, lists and sections, in bytes. Pure. */

/** As it is told. */
export interface Settings {
  readonly [key: string]: string | readonly string[] | Settings;
}

/** As it was heard. */
export interface Section {
  readonly values: ReadonlyMap<string, string>;
  readonly lists: ReadonlyMap<string, readonly string[]>;
  readonly sections: ReadonlyMap<string, Section>;
}

/** Of a packet. */
export const PACKET = {
  request: 0,
  response: 1,
  unknown: 2,
  register: 3,
  unregister: 4,
  confirm: 5,
  unknownEvent: 6,
  event: 7,
} as const;

const ELEMENT = { sectionStart: 1, sectionEnd: 2, keyValue: 3, listStart: 4, listItem: 5, listEnd: 6 } as const;
const MAX_NAME = 0xff;
const MAX_VALUE = 0xffff;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Without the length that stands before it on the wire. */
export function encodePacket(type: number, name: string, settings: Settings = {}): Uint8Array {
  return Uint8Array.from([type, ...named(name), ...encodeSettings(settings)]);
}

function encodeSettings(settings: Settings): number[] {
  return Object.entries(settings).flatMap(([key, value]) => {
    if (typeof value === 'string') return [ELEMENT.keyValue, ...named(key), ...sized(value)];
    if (isList(value))
      return [
        ELEMENT.listStart,
        ...named(key),
        ...value.flatMap((item) => [ELEMENT.listItem, ...sized(item)]),
        ELEMENT.listEnd,
      ];
    return [ELEMENT.sectionStart, ...named(key), ...encodeSettings(value), ELEMENT.sectionEnd];
  });
}

export const isList = (value: Settings[string]): value is readonly string[] => Array.isArray(value);

function named(name: string): number[] {
  const bytes = encoder.encode(name);
  if (bytes.length > MAX_NAME) throw new RangeError(`a name of ${bytes.length} bytes: ${name.slice(0, 40)}…`);
  return [bytes.length, ...bytes];
}

function sized(text: string): number[] {
  const bytes = encoder.encode(text);
  if (bytes.length > MAX_VALUE) throw new RangeError(`a value of ${bytes.length} bytes`);
  return [bytes.length >> 8, bytes.length & 0xff, ...bytes];
}

/** The type of a packet, its name where it has one, and what it says. */
export function decodePacket(bytes: Uint8Array): {
  readonly type: number;
  readonly name: string;
  readonly said: Section;
} {
  const reader = new Reader(bytes);
  const type = reader.byte();
  const name = type === PACKET.event ? reader.text(reader.byte()) : '';
  return { type, name, said: decodeSection(reader, false) };
}

function decodeSection(reader: Reader, inner: boolean): Section {
  const values = new Map<string, string>();
  const lists = new Map<string, readonly string[]>();
  const sections = new Map<string, Section>();
  while (!reader.atEnd) {
    const type = reader.byte();
    if (type === ELEMENT.sectionEnd && inner) return { values, lists, sections };
    const name = reader.text(reader.byte());
    if (type === ELEMENT.keyValue) values.set(name, reader.text(reader.length()));
    else if (type === ELEMENT.sectionStart) sections.set(name, decodeSection(reader, true));
    else if (type === ELEMENT.listStart) lists.set(name, decodeList(reader));
    else throw new RangeError(`an element of type ${type}`);
  }
  if (inner) throw new RangeError('a section without an end');
  return { values, lists, sections };
}

function decodeList(reader: Reader): string[] {
  const items: string[] = [];
  for (let type = reader.byte(); type !== ELEMENT.listEnd; type = reader.byte()) {
    if (type !== ELEMENT.listItem) throw new RangeError(`an element of type ${type} in a list`);
    items.push(reader.text(reader.length()));
  }
  return items;
}

class Reader {
  #at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get atEnd(): boolean {
    return this.#at >= this.bytes.length;
  }

  byte(): number {
    const byte = this.bytes[this.#at++];
    if (byte === undefined) throw new RangeError('a packet that ends early');
    return byte;
  }

  length(): number {
    return this.byte() * 256 + this.byte();
  }

  text(length: number): string {
    if (this.#at + length > this.bytes.length) throw new RangeError('a packet that ends early');
    const text = decoder.decode(this.bytes.subarray(this.#at, this.#at + length));
    this.#at += length;
    return text;
  }
}
