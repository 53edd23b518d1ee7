/** Packets out of the stream that `tcpdump -w -` writes: the classic format, in this machine's byte order. Pure. */
export interface CapturedPacket {
  /** Microseconds since the epoch. */
  readonly time: bigint;
  /** As it was on the wire; `data` may be shorter. */
  readonly length: number;
  readonly data: Buffer;
}

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
/** More than any packet has: a stream that says so is none. */
const MAX_RECORD = 1 << 20;
const MICROSECONDS = 0xa1b2c3d4;

export class PcapReader {
  #rest: Buffer = Buffer.alloc(0);
  #begun = false;

  /** The packets that are complete with this piece. Throws at what is no such stream. */
  take(piece: Buffer): CapturedPacket[] {
    this.#rest = this.#rest.length > 0 ? Buffer.concat([this.#rest, piece]) : piece;
    if (!this.#begun) {
      if (this.#rest.length < FILE_HEADER) return [];
      if (this.#rest.readUInt32LE(0) !== MICROSECONDS) throw new Error('tcpdump wrote no pcap');
      this.#begun = true;
      this.#rest = this.#rest.subarray(FILE_HEADER);
    }
    const packets: CapturedPacket[] = [];
    for (let next = this.#one(); next; next = this.#one()) packets.push(next);
    return packets;
  }

  #one(): CapturedPacket | undefined {
    if (this.#rest.length < RECORD_HEADER) return undefined;
    const captured = this.#rest.readUInt32LE(8);
    if (captured > MAX_RECORD) throw new Error('tcpdump wrote a packet that is none');
    const end = RECORD_HEADER + captured;
    if (this.#rest.length < end) return undefined;
    const time = BigInt(this.#rest.readUInt32LE(0)) * 1_000_000n + BigInt(this.#rest.readUInt32LE(4));
    const packet = { time, length: this.#rest.readUInt32LE(12), data: this.#rest.subarray(RECORD_HEADER, end) };
    this.#rest = this.#rest.subarray(end);
    return packet;
  }
}
